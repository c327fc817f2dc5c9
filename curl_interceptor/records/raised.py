"""An exception as plain values: what it says, what caused it, and where it passed, without keeping a frame alive."""

from __future__ import annotations

import linecache
import os
import stat
import tokenize  # noqa: F401  # linecache would import it in the background, where a fork may come in between
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple

from .exchange import Failure, failure_of
from .place import Place, is_apps
from .plain import cut

__all__ = ["Raised", "origin_of", "raised_by", "traceback_of"]

_OUTERMOST, _INNERMOST = 8, 24  # frames that are kept of a long traceback
_MOST_FRAMES = 100_000  # that are looked at
_MOST_ERRORS = 8
_MOST_NOTES = 5
_LONGEST_NOTE = 1_000
_LONGEST_LINE = 200
_LARGEST_FILE = 2_000_000  # bytes of a file in which a line is looked up


class Raised(NamedTuple):
    """One exception of a chain."""

    failure: Failure
    frames: tuple[Place, ...]
    """Where it passed, the innermost first."""
    left_out: int = 0
    """How many frames are missing before the outermost ones."""
    notes: tuple[str, ...] = ()
    link: str = ""
    """What it has to do with the one before."""

    @property
    def name(self) -> str:
        """Its class as Python shows it."""
        return self.failure.type.removeprefix("builtins.").removeprefix("__main__.")


def raised_by(error: BaseException) -> tuple[Raised, ...]:
    """Describe an exception, what caused it, and what a group of them holds: 8 of them at most.

    It is for the caller's thread. Local variables are never looked at, and source lines are left to `traceback_of`.
    """
    found: list[Raised] = []
    seen: set[int] = set()
    ahead: list[tuple[BaseException, str]] = [(error, "")]
    while ahead and len(found) < _MOST_ERRORS:
        current, link = ahead.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        frames, left_out = _frames(current.__traceback__)
        found.append(Raised(failure_of(current), frames, left_out, _notes(current), link))
        cause, context = current.__cause__, current.__context__
        if cause is not None:
            ahead.append((cause, "caused by"))
        elif context is not None and not current.__suppress_context__:
            ahead.append((context, "while this was handled"))
        if issubclass(type(current), _GROUP):
            ahead += [(one, "one of them") for one in current.exceptions[:_MOST_ERRORS]]  # type: ignore[attr-defined]
    return tuple(found)


try:
    _GROUP: type = BaseExceptionGroup  # type: ignore[name-defined,unused-ignore]
except NameError:  # Python 3.10
    _GROUP = type("_NoGroup", (), {})


def origin_of(raised: Raised) -> Place | None:
    """Return the innermost place that is the app's own; where there is none, the innermost one."""
    return next((place for place in raised.frames if is_apps(place.file)), next(iter(raised.frames), None))


def traceback_of(errors: tuple[Raised, ...]) -> str:
    """Return what was raised as a text of lines, the innermost call first, with the source lines that can be found.

    It reads files, so it is for the dispatcher.
    """
    return "\n".join(line for error in errors for line in _lines(error))


def _lines(error: Raised) -> Iterator[str]:
    message = error.failure.message
    yield f"{error.link + ' ' if error.link else ''}{error.name}{': ' if message else ''}{message}"
    yield from error.notes
    last = None
    repeats = 0
    for number, place in enumerate(error.frames):
        if error.left_out and number == len(error.frames) - _OUTERMOST:
            yield from _repeated(repeats)
            yield f"  … {error.left_out:,} more calls …"
            last, repeats = None, 0
        if place == last:
            repeats += 1
            continue
        yield from _repeated(repeats)
        last, repeats = place, 0
        yield f"  at {place.shown}"
        source = _source(place)
        if source:
            yield f"    {source}"
    yield from _repeated(repeats)


def _repeated(times: int) -> Iterator[str]:
    if times:
        yield f"    … and {times} more times"


def _frames(traceback: TracebackType | None) -> tuple[tuple[Place, ...], int]:
    outer: list[Place] = []
    inner: deque[Place] = deque(maxlen=_INNERMOST)
    count = 0
    while traceback is not None and count < _MOST_FRAMES:
        code = traceback.tb_frame.f_code
        place = Place(code.co_filename, traceback.tb_lineno or 0, code.co_name)
        if count < _OUTERMOST:
            outer.append(place)
        else:
            inner.append(place)
        count += 1
        traceback = traceback.tb_next
    return (*reversed(inner), *reversed(outer)), max(0, count - len(outer) - len(inner))


def _notes(error: BaseException) -> tuple[str, ...]:
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, list):
        return ()
    return tuple(cut(note, _LONGEST_NOTE) for note in notes[:_MOST_NOTES] if isinstance(note, str))


def _source(place: Place) -> str:
    """Return the line of code, if it can be had from a plain file; a pipe of that name would be waited for."""
    try:
        found = os.stat(place.file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_FILE:
            return ""
        return linecache.getline(place.file, place.line).strip()[:_LONGEST_LINE]
    except Exception:
        return ""
