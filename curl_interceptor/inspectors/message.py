"""
What a message about an entry says, and what is left out of it where space is short.

Decided here, once for all services: an inspector fits the message into the room that its service has, and gives it the
service's shape. Everything in a message can be seen, but nothing is escaped: what a service reads as markup is the
affair of its inspector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from http import HTTPStatus
from typing import NamedTuple

from ..dialects import render
from ..dialects.quoting import is_line
from ..records.notice import Level, Notice
from ..records.patterns import lazy
from ..records.record import Record
from ..records.url import split
from .base import Entry
from .readable import body_text, is_json, shorten, visible

__all__ = ["Fact", "Message", "Room", "Section", "describe", "fit", "level_of", "pack"]

_LONGEST_TITLE = 1_000
_LONGEST_FACT = 1_000
_LONGEST_SECTION = 4_000
_LONGEST_TEXT = 8_000
_LONGEST_HEADLINE = 150
_LONGEST_LABEL = 100
_MOST_LABELS = 12
_READABLE_BODY = 1_000  # bytes of a body up to which the command shows it as well as any other place would
_LEAST = 60  # characters that are worth their place, where the rest of a text has none

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_THREE_BACKTICKS = lazy("``(?=`)")
_TIMES = "\N{MULTIPLICATION SIGN}"
_NO_WORD = lazy(r"[^A-Za-z0-9]+")
# Labels that need no name beside them, in the order in which people look for them.
_ORIGINS = ("service", "environment", "host", "release")


class Fact(NamedTuple):
    """One thing to know; `name` is a word or two of ours, `value` is one line."""

    name: str
    value: str


class Section(NamedTuple):
    """A text of several lines, such as the head of a body; `name` is ours."""

    name: str
    text: str
    language: str = ""
    """`"json"`, or empty: how a service that can do so may colour it."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told about one entry; what stands further down is left out first.

    Parameters
    ----------
    entry: Whom it is about.
    outcome: Status and its standard phrase, the name of the exception, or what kind of notice it is: letters, digits,
        spaces and few others.
    request: Method, host and path; of a notice its first line.
    level: `"error"` for exceptions and 5xx, `"warning"` for 4xx, `"info"` for all else; of a notice as it says.
    when: Seconds since the epoch; None if they make no date.
    command: The curl command, on one line and without three backticks in a row. Empty where there is none.
    text: What a notice says, in several lines perhaps, which stands where others have a command. Empty for a record,
        and after `fit` where the title says it all.
    facts: The most important first.
    origin: Where it came from, as one line; may be empty.
    sections: Response, then request body; of a notice traceback, then extra values.
    whole: The whole command, if `command` had to be cut; empty otherwise.
    """

    entry: Entry
    outcome: str
    request: str
    level: Level = "error"
    when: float | None = None
    command: str = ""
    text: str = ""
    facts: tuple[Fact, ...] = ()
    origin: str = ""
    sections: tuple[Section, ...] = ()
    whole: str = ""

    @property
    def title(self) -> str:
        """Outcome and request."""
        return f"{self.outcome} · {self.request}" if self.request else self.outcome

    @property
    def summary(self) -> str:
        """Title, text, facts and origin, one a line."""
        facts = (f"{name}: {value}" for name, value in self.facts)
        return "\n".join(line for line in (self.title, self.text, *facts, self.origin) if line)


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a message a service takes, counted as the service counts.

    Parameters
    ----------
    total: Most of a whole message: of all its parts, each with its `frame`.
    title, command, fact, section: Most of one such part; a fact's and a section's name is counted beside it.
    frame: Most that the service's shape adds to a part: quotes, fences, labels, line breaks.
    measure: Counts a text, after whatever the service wants escaped; see `shorten`.
    """

    total: int
    title: int = 250
    command: int = 1_000_000
    fact: int = 300
    section: int = 1_000
    frame: int = 0
    measure: Callable[[str], int] = len

    def cost(self, *texts: str) -> int:
        """Return what one part costs."""
        return self.frame + sum(map(self.measure, texts))

    def size(self, message: Message) -> int:
        """Return what a message costs: never more than `total` after `fit`, and never less than it takes."""
        parts: list[tuple[str, ...]] = [(message.title,), *message.facts]
        parts += [(section.name, section.text) for section in message.sections]
        parts += [(text,) for text in (message.command, message.text, message.origin) if text]
        return sum(self.cost(*part) for part in parts)


def describe(entry: Entry) -> Message:
    """Return all that could be told about an entry."""
    return _of_notice(entry) if isinstance(entry, Notice) else _of_record(entry)


def _of_record(entry: Record) -> Message:
    return Message(
        entry,
        outcome=_outcome(entry),
        request=shorten(_request(entry), _LONGEST_TITLE),
        level=level_of(entry),
        when=entry.started if _date(entry.started) else None,
        command=_command(entry),
        facts=tuple(Fact(name, shorten(text, _LONGEST_FACT)) for name, text in _facts(entry) if text.strip()),
        origin=_origin(entry),
        sections=tuple(_sections(entry)),
    )


def _of_notice(entry: Notice) -> Message:
    said = visible((entry.text or entry.error_message or "")[: 2 * _LONGEST_TEXT], lines=True).strip()
    return Message(
        entry,
        outcome=_NO_WORD.sub("" if entry.error else " ", entry.outcome).strip()[:60] or "Exception",
        request=shorten(visible(said.partition("\n")[0].rstrip()), _LONGEST_HEADLINE),
        level=level_of(entry),
        when=entry.started if _date(entry.started) else None,
        text=shorten(said, _LONGEST_TEXT),
        facts=tuple(Fact(name, shorten(text, _LONGEST_FACT)) for name, text in _notice_facts(entry) if text.strip()),
        origin=_origin(entry),
        sections=tuple(_notice_sections(entry)),
    )


def fit(message: Message, room: Room) -> Message:
    """Return as much of a message as there is room for.

    The title stays, cut at its end; then the command, whole, or the text; then facts, origin and sections, from the
    first to the last, as long as there is room. A command that has none is cut at its body, or further, and says that
    it cannot be run; it takes half of the room at most. A text that has none is cut to two thirds of the room.
    """
    outcome = shorten(message.outcome, min(room.title, max(0, room.total - room.frame)), room.measure)
    before = room.measure(f"{outcome} · ")
    request = shorten(message.request, min(room.title, room.total - room.frame) - before, room.measure)
    text = "" if message.text == request else message.text
    fitted = replace(message, outcome=outcome, request=request, text="", facts=(), origin="", sections=())
    left = room.total - room.cost(fitted.title)

    if message.command and room.measure(message.command) > min(room.command, left - room.frame):
        cut = _cut_command(message, min(room.command, left // 2 - room.frame), room.measure)
        fitted = replace(fitted, command=cut, whole=message.command)
    space = _Space(room, left - (room.cost(fitted.command) if fitted.command else 0))
    if room.measure(text) > min(room.command, left - room.frame):
        text = shorten(text, min(room.command, left * 2 // 3 - room.frame), room.measure)
    text = space.take(text, room.command)
    facts = tuple(fact._replace(value=space.take(fact.value, room.fact, fact.name)) for fact in message.facts)
    origin = space.take(message.origin, room.fact)
    sections = tuple(one._replace(text=space.take(one.text, room.section, one.name)) for one in message.sections)
    return replace(
        fitted,
        text=text,
        facts=tuple(fact for fact in facts if fact.value),
        origin=origin,
        sections=tuple(section for section in sections if section.text),
    )


class _Space:
    """What is left of a room: nothing any more as soon as a text had to be cut, or left out, for the want of it."""

    def __init__(self, room: Room, left: int) -> None:
        self._room = room
        self._left = left

    def take(self, text: str, limit: int, *names: str) -> str:
        """Return as much of a text as there is room for, and for the names beside it; empty if that is too little."""
        if not text:
            return ""
        most = self._left - self._room.cost(*names)
        taken = shorten(text, min(limit, most), self._room.measure)
        if most < limit and taken != text:
            self._left = 0
            return taken if len(taken) >= _LEAST else ""
        self._left -= self._room.cost(taken, *names) if taken else 0
        return taken


def pack(messages: Sequence[Message], fits: Callable[[Sequence[Message]], bool]) -> list[list[Message]]:
    """Return messages in groups, each for one post, in their order.

    Parameters
    ----------
    messages: Each of them has room in a post of its own.
    fits: Whether a group has room in one post.
    """
    groups: list[list[Message]] = []
    for message in messages:
        if groups and fits([*groups[-1], message]):
            groups[-1].append(message)
        else:
            groups.append([message])
    return groups


# The headline.


def _outcome(record: Record) -> str:
    if record.error:
        return _NO_WORD.sub("", record.outcome)[:60] or "Exception"
    if record.status is None:
        return "No response"
    return f"{_NO_WORD.sub('', str(record.status))} {_PHRASES.get(record.status, '')}".strip()


def _request(record: Record) -> str:
    parts = split(record.url)
    return visible(f"{record.method} {parts.authority}{parts.path}"[: 2 * _LONGEST_TITLE]).strip()


def level_of(entry: Entry) -> Level:
    """Return how bad it is."""
    if isinstance(entry, Notice):
        return entry.level
    if entry.error or (entry.status or 0) >= 500:
        return "error"
    return "warning" if (entry.status or 0) >= 400 else "info"


# The command.


def _command(record: Record) -> str:
    """Return the command in the portable dialect, such that it may stand in a code block.

    Three backticks in a row would end the block. They stand between single quotes, and to close and open these amidst
    them says the same to every shell.
    """
    return _THREE_BACKTICKS.sub("``''", render(record))


def _cut_command(message: Message, most: int, measure: Callable[[str], int]) -> str:
    """Return the command without its body, and with fewer headers where that is not enough.

    The sentence at its end is an error of syntax to a shell, so what is pasted by mistake does nothing.
    """
    record, command = message.entry, message.command
    if command.startswith("#") or isinstance(record, Notice):
        return shorten(command, most, measure)
    framing = ("content-length", "transfer-encoding")
    headers = tuple(pair for pair in record.request_headers if pair[0].lower() not in framing)
    bare = replace(record, request_body=None, request_body_state="none", request_body_size=None, chunked=False)
    size = len(record.request_body or b"")
    kept = len(headers)
    while True:
        gone = len(headers) - kept
        lost = [f"{gone} header{'s' if gone > 1 else ''}"] if gone else []
        lost += [f"body of {size:,} byte{'s' if size > 1 else ''}"] if size else []
        head = _command(replace(bare, request_headers=headers[:kept]))
        text = f"{head} ({' and '.join(lost)} left out: not runnable)"
        if measure(text) <= most:
            return text
        if not kept:
            return shorten(f"# not runnable: a command of {len(command):,} characters has no room here", most, measure)
        kept //= 2


# Facts.


def _facts(record: Record) -> list[tuple[str, str]]:
    """Return what there is to know beside the headline, the most important first; a blank text is left out."""
    return [
        ("Error", visible(f"{record.error}: {record.error_message or ''}"[:_LONGEST_FACT]) if record.error else ""),
        ("Set first", ", ".join(dict.fromkeys(f"${name}" for name, _ in record.variables))),
        ("Repeated", _repeats(record)),
        ("Took", _took(record)),
        ("Size", _sizes(record)),
        ("Where", visible(record.caller or "")),
        ("When", _date(record.started, "%Y-%m-%d %H:%M:%S UTC")),
        ("Status", f"{record.status}, before the error" if record.error and record.status is not None else ""),
        ("Reason", _own_reason(record)),
        ("Note", visible("; ".join(record.notes))),
    ]


def _notice_facts(notice: Notice) -> list[tuple[str, str]]:
    error = notice.error or ""
    if error and notice.text:  # else title and text say it
        error = f"{error}: {notice.error_message or ''}"
    return [
        ("Error", visible(error[:_LONGEST_FACT]) if error != notice.outcome else ""),
        ("Where", visible(notice.caller or "")),
        ("Repeated", _repeats(notice)),
        ("When", _date(notice.started, "%Y-%m-%d %H:%M:%S UTC")),
    ]


def _notice_sections(notice: Notice) -> list[Section]:
    extra = "\n".join(f"{name}: {value}" for name, value in notice.extra)
    texts = (("Traceback", notice.traceback), ("Extra", extra))
    shown = ((name, visible(text[: 2 * _LONGEST_SECTION], lines=True).strip()) for name, text in texts)
    return [Section(name, shorten(text, _LONGEST_SECTION)) for name, text in shown if text]


def _repeats(record: Entry) -> str:
    """Say how often it happened since the cooldown let the last one through."""
    if not record.suppressed:
        return ""
    since = record.suppressed_since
    if since is None or not _date(since):
        return f"{_TIMES}{record.suppressed + 1}"
    same_day = _date(since, "%Y-%m-%d") == _date(record.started, "%Y-%m-%d")
    return f"{_TIMES}{record.suppressed + 1} since {_date(since, '%H:%M UTC' if same_day else '%Y-%m-%d %H:%M UTC')}"


def _took(record: Record) -> str:
    elapsed = f"{record.elapsed * 1000:,.0f} ms"
    if record.duration is None or record.duration < record.elapsed * 1.1 + 0.001:
        return elapsed
    return f"{elapsed}, {record.duration * 1000:,.0f} ms with the body"


def _sizes(record: Record) -> str:
    sizes = ((record.request_body_size, "sent"), (record.response_body_size, "received"))
    return ", ".join(f"{size:,} B {word}" for size, word in sizes if size is not None)


def _date(seconds: float, pattern: str = "%Y") -> str:
    """Return a time in UTC; empty for what is no time that has a date."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime(pattern)
    except (ValueError, OverflowError, OSError, TypeError):
        return ""


def _own_reason(record: Record) -> str:
    """Return the server's own words beside the status, if they are its own."""
    reason = (record.reason or "").strip()
    standard = _PHRASES.get(record.status or 0, "")
    return "" if reason.lower() == standard.lower() else visible(reason[:_LONGEST_FACT])


def _origin(record: Entry) -> str:
    labels = dict(record.context)
    known = [labels.pop(name) for name in _ORIGINS if name in labels]
    others = [f"{name.replace('_', ' ')} {value}" for name, value in labels.items()]
    texts = (shorten(visible(text[: 2 * _LONGEST_LABEL]).strip(), _LONGEST_LABEL) for text in (*known, *others))
    return " · ".join([text for text in texts if text][:_MOST_LABELS])


# Bodies.


def _sections(record: Record) -> list[Section]:
    bodies = [
        ("Response", record.response_body, record.response_body_state, record.response_headers),
        ("Request body", _beside_the_command(record), record.request_body_state, record.request_headers),
    ]
    sections = []
    for name, body, state, headers in bodies:
        content_type = next((value for key, value in headers if key.lower() == "content-type"), "")
        complete = state == "complete"
        text = body_text(body, content_type, complete=complete, most=_LONGEST_SECTION) if body else ""
        if body and text:
            language = "json" if is_json(body, content_type, complete=complete) else ""
            sections.append(Section(name, text, language))
    return sections


def _beside_the_command(record: Record) -> bytes | None:
    """Return the request body where the command does not show it so that one can read it."""
    body = record.request_body
    return None if body is None or (len(body) <= _READABLE_BODY and is_line(body)) else body
