"""
What is sent by hand, beside the records of calls: a message, a report of an exception, the news that a host is back.

A `RawNotice` is what the app handed over. Like an exchange it goes no further than the dispatcher, since it has not
been redacted; `redact_notice` makes the `Notice` of it that may leave the process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from .fingerprint import path_shape
from .place import Place, shown_file
from .raised import Raised, origin_of

__all__ = [
    "LONGEST_EXTRA",
    "LONGEST_TEXT",
    "LONGEST_VALUE",
    "Level",
    "Notice",
    "NoticeKind",
    "RawNotice",
    "RestoredNotice",
    "notice_key",
]

NoticeKind = Literal["message", "bug_report", "recovery"]
"""What a notice is: a text, an exception with whatever was said of it, or a host that answers again."""

Level = Literal["error", "warning", "info"]

LONGEST_TEXT = 8_000
"""Characters that are kept of a text."""
LONGEST_VALUE = 2_000
"""Characters that are kept of each text among the extra values."""
LONGEST_EXTRA = 20_000
"""Characters that are kept of all of them."""

_TITLES = {"message": "Message", "bug_report": "Bug report", "recovery": "Recovered"}
_WORD = re.compile(r"[^\s,;:()\[\]'\"=#]+")


class RestoredNotice(NamedTuple):
    """What a document tells of a notice that was made of values which are not there any more."""

    id: str
    error: str | None
    error_message: str | None
    traceback: str
    caller: str | None
    fingerprint: str
    suppressed: int = 0
    suppressed_since: float | None = None

    def __repr__(self) -> str:
        return "RestoredNotice(not redacted, so not shown)"


class RawNotice(NamedTuple):
    """What the app handed over, as plain values."""

    kind: NoticeKind
    text: str
    started: float
    """Seconds since the epoch."""
    level: Level = "info"
    errors: tuple[Raised, ...] = ()
    """The exception, and what caused it."""
    extra: tuple[tuple[str, Any], ...] = ()
    """Names and plain values; see `plain`."""
    caller: Place | None = None
    context: tuple[tuple[str, str], ...] = ()
    key: str = ""
    """What makes two notices equal, where that is neither the text nor the place of an exception."""
    restored: RestoredNotice | None = None
    """Where it is made of a notice's document and was not sent by hand: what else the document tells."""

    def __repr__(self) -> str:
        return "RawNotice(not redacted, so not shown)"

    @property
    def size(self) -> int:
        """Approximate memory in bytes, for the bound of the queue."""
        kept = 0 if self.restored is None else 500 + len(self.restored.traceback)
        raised = kept + sum(500 + len(one.failure.message) + 300 * len(one.frames) for one in self.errors)
        extra = len(repr(self.extra)) if self.extra else 0
        return 1_000 + len(self.text) + raised + extra + sum(200 + len(value) for _, value in self.context)

    @property
    def origin(self) -> Place | None:
        """Where it comes from: an exception from where it was raised, all else from where it was sent."""
        return (origin_of(self.errors[0]) if self.errors else None) or self.caller


@dataclass(frozen=True, slots=True)
class Notice:
    """What was sent by hand, fit to leave the process.

    Inspectors and fallbacks get notices as well as records. Both have `id`, `started`, `fingerprint`, `suppressed`,
    `suppressed_since`, `context`, `caller`, `error`, `error_message`, `outcome` and `size`.

    Attributes
    ----------
    id: Constant name of this notice, so that a receiver can tell a repeat.
    kind: `"message"`, `"bug_report"` or `"recovery"`.
    level: `"info"`, `"warning"` or `"error"`.
    text: What was said; of a bug report it may be empty.
    error: Qualified name of the exception, None if there is none.
    error_message: Its text.
    traceback: Where it passed, the innermost call first, with source lines and what caused it, a line each; never a
        local variable. Empty if there is none.
    extra: Pairs of a name and a text; what was a container is JSON.
    caller: Where it comes from, such as "shop/views.py:42 in charge"; None if that is not known.
    started: When it was sent, in seconds since the epoch.
    fingerprint: What makes two notices equal for the cooldown.
    suppressed: How many equal ones the cooldown held back before this one.
    suppressed_since: When the first of them was sent, in seconds since the epoch.
    context: Labels of where it comes from, as `context` set them.
    """

    id: str
    kind: NoticeKind
    level: Level
    text: str
    error: str | None
    error_message: str | None
    traceback: str
    extra: tuple[tuple[str, str], ...]
    caller: str | None
    started: float
    fingerprint: str
    suppressed: int = 0
    suppressed_since: float | None = None
    context: tuple[tuple[str, str], ...] = ()

    @property
    def outcome(self) -> str:
        """A word or two for what it is: the short name of the exception, or what kind of notice."""
        return self.error.rpartition(".")[2] if self.error else _TITLES.get(self.kind, "Notice")

    @property
    def summary(self) -> str:
        """What it says in one line, unless its text has several."""
        said = self.text or self.error_message or ""
        place = f" at {self.caller}" if self.caller else ""
        return f"{self.outcome}{place}{': ' if said else ''}{said}"

    @property
    def size(self) -> int:
        """Approximate memory in bytes, for the bounds of a lane."""
        texts = (self.text, self.traceback, self.error_message or "", *map("".join, (*self.extra, *self.context)))
        return 2_000 + sum(len(text) + 100 for text in texts)

    def telling(self, suppressed: int, since: float | None) -> Notice:
        """Return this notice with the count of equals that the cooldown held back."""
        return replace(self, suppressed=suppressed, suppressed_since=since)


def notice_key(raw: RawNotice) -> str:
    """Return the same text for notices that a person would call the same: numbers and ids in them do not count.

    An exception counts by its class and by the line of the app's code in which it was raised.
    """
    origin = raw.origin
    place = f"{shown_file(origin.file)}:{origin.line}" if origin else "-"
    if raw.errors:
        return f"{raw.kind} {raw.errors[0].name} {place}"
    return f"{raw.kind} {_WORD.sub(_shape, (raw.key or raw.text)[:500])}"


def _shape(found: re.Match[str]) -> str:
    return path_shape(found[0])
