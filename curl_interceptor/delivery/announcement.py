"""
What is sent by hand, on its way to the dispatcher.

It is made in the caller's thread: texts are cut before they are kept, an exception is taken apart at once so that none
of its frames lives on, and whatever goes wrong is counted. Nothing waits, and nothing raises.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from time import time
from types import FrameType
from typing import Any, NamedTuple, Protocol

from ..records.context import labels, with_origin
from ..records.exchange import failure_of
from ..records.notice import LONGEST_EXTRA, LONGEST_TEXT, LONGEST_VALUE, Level, NoticeKind, RawNotice
from ..records.place import Place
from ..records.plain import plain
from ..records.raised import Raised, raised_by
from .destination import Destination

__all__ = ["Addressees", "Announcement", "SendsNotices", "raw_notice"]


class Announcement(NamedTuple):
    """What lies in the queue in the place of a draft."""

    raw: RawNotice
    to: tuple[str, ...] = ()
    """Labels of those who are to have it; empty for everybody."""
    recorder: object | None = None
    """The `Recorder` that was there when it was sent."""


class Addressees(Protocol):
    """Whom a sender knows. Asked by the dispatcher."""

    @property
    def destinations(self) -> Sequence[Destination]:
        """Where notices go; what is critical comes first."""


class SendsNotices:
    """Sends messages and reports of exceptions by hand, to where the captured calls go."""

    def send_message(
        self,
        text: object,
        *,
        level: Level = "info",
        extra: Mapping[str, Any] | None = None,
        to: str | Iterable[str] = (),
    ) -> bool:
        """Send a text by the same way as captured calls: redacted, in the background, never waiting, never raising.

        No match is asked. Texts that differ in numbers and ids only are equal for the cooldown. At most 8,000
        characters of the text are kept, and 20,000 of the extra values.

        Parameters
        ----------
        text: What is to be said.
        level: `"info"`, `"warning"` or `"error"`. It chooses the colour. Default `"info"`.
        extra: More values by name. What stands under a name such as `token` is hidden. Of an object `str` is asked, in
            this thread. Default none.
        to: Labels of the inspectors that are to have it. Default: all that the sender has.

        Returns
        -------
        bool
            Whether it was taken. False if nothing is sent here, the queue is full, or this thread is delivering.
        """
        try:
            raw = raw_notice("message", text, level=level, extra=extra, caller=_place(sys._getframe(1)))
            return self._announce_notice(raw, _labels(to))
        except Exception:
            return self._unsent_notice()

    def send_bug_report(
        self,
        error: object = None,
        message: object = "",
        *,
        extra: Mapping[str, Any] | None = None,
        to: str | Iterable[str] = (),
    ) -> bool:
        """Send an exception with what caused it and where it passed, as `send_message` sends a text.

        The traceback holds files, lines and source lines, never a local variable. Of a long one the innermost 24 and
        the outermost 8 calls are kept. Exceptions of one class from one line are equal for the cooldown.

        Parameters
        ----------
        error: The exception. Default: the one that is being handled.
        message: What is to be said of it.
        extra, to: As for `send_message`.

        Returns
        -------
        bool
            As for `send_message`.
        """
        try:
            if error is None:
                error = sys.exc_info()[1]
            place = _place(sys._getframe(1))
            raw = raw_notice("bug_report", message, error, level="error", extra=extra, caller=place)
            return self._announce_notice(raw, _labels(to))
        except Exception:
            return self._unsent_notice()

    # Their names are long, since they stand before those of whatever adapter this is combined with.

    def _announce_notice(self, raw: RawNotice, to: tuple[str, ...]) -> bool:
        """Hand it over; whether it was taken."""
        raise NotImplementedError

    def _unsent_notice(self) -> bool:
        with suppress(Exception):  # the interpreter ends, or its stack is at its end
            self._count_unsent_notice()
        return False

    def _count_unsent_notice(self) -> None:
        """Count one that could not be made."""
        raise NotImplementedError


def _place(frame: FrameType) -> Place:
    return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def _labels(to: str | Iterable[str]) -> tuple[str, ...]:
    return (to,) if isinstance(to, str) else tuple(map(str, to))


def raw_notice(
    kind: NoticeKind,
    text: object,
    error: object = None,
    *,
    level: Level = "info",
    extra: object = None,
    caller: Place | None = None,
    key: str = "",
) -> RawNotice:
    """Return what is handed over, as plain values of bounded size; see `RawNotice`."""
    if isinstance(error, tuple) and len(error) == 3:  # as of sys.exc_info()
        error = error[1]
    errors = _taken_apart(error) if isinstance(error, BaseException) else ()
    said = _text(text)
    if error is not None and not errors:
        said = f"{said}{': ' if said else ''}{_text(error)}"
    return RawNotice(
        kind,
        said,
        time(),
        level if level in ("warning", "error") else "info",
        errors,
        _pairs(extra),
        caller,
        with_origin(labels.get()),
        key,
    )


def _taken_apart(error: BaseException) -> tuple[Raised, ...]:
    try:
        return raised_by(error)
    except Exception:  # of a class that answers no question
        return (Raised(failure_of(error), ()),)


def _text(value: object) -> str:
    said = "" if value is None else plain(value, longest=LONGEST_TEXT, most=LONGEST_TEXT)
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def _pairs(extra: object) -> tuple[tuple[str, Any], ...]:
    if not extra:
        return ()
    named = extra if isinstance(extra, Mapping) else {"extra": extra}
    found = plain(named, longest=LONGEST_VALUE, most=LONGEST_EXTRA)
    return tuple(found.items()) if isinstance(found, dict) else ()
