"""How a shell that is like the one of POSIX writes a command of curl: words, pipes and broken lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..records.patterns import lazy
from ..records.record import Record
from .command import PIPED, Option, options
from .dialect import Style, remark
from .quoting import ARGUMENT_LIMIT, feed, quote_with_variables, show
from .request import Request, obstacle, understand

__all__ = ["Shell", "write"]


class _Flags(dict[str, str]):
    """How an option is written: by its letter where it has one, else by its name."""

    def __missing__(self, name: str) -> str:
        flag = self[name] = f"--{name}"
        return flag


_LONG = _Flags()
_SHORT = _Flags(
    {
        "disable": "-q",
        "globoff": "-g",
        "header": "-H",
        "head": "-I",
        "insecure": "-k",
        "proxy": "-x",
        "request": "-X",
        "speed-limit": "-Y",
        "speed-time": "-y",
    }
)
_BROKEN = " \\\n  "
_BARE = lazy(r"[A-Za-z0-9][A-Za-z0-9.]*")
_LONGEST_BARE = 40


class Shell(NamedTuple):
    """What tells one shell from another."""

    quote: Callable[[str], str]
    """Returns one word for a text whose characters are bytes from 1 to 255."""
    takes: Callable[[bytes], bool]
    """Whether a body can be a word."""


def write(record: Record, style: Style, shell: Shell, width: int | None = None) -> str:
    """Return a record as a command of curl, or as a comment that says why there is none.

    With a width, in characters, lines are broken where they would grow longer, and between two options only.
    """
    request = understand(record)
    reason = obstacle(request, ARGUMENT_LIMIT)
    if reason:
        return remark(f"not runnable: {reason}: curl {' '.join(_shown(request))}")
    found = options(request, style, shell.takes)
    if style == "readable":
        found.sort(key=lambda option: option.name != "url")  # what a reader looks for first
    words = ["curl", *_words(found, style, shell.quote)]
    if found[-1] is PIPED and request.body:
        words[0] = f"{feed(request.body)} | curl"
    if width is not None:
        return _filled(words, width)
    return f"{words[0]} {(_BROKEN if style == 'readable' else ' ').join(words[1:])}"


def _shown(request: Request) -> list[str]:
    """Return the words of a command without its body, not to be run."""
    return _words(options(request._replace(body=None), "exact", bool), "exact", show)


def _filled(words: list[str], width: int) -> str:
    """Return the words over lines that end where the next word would make them longer than the width."""
    lines, room = [words[0]], width - len(words[0])
    for word in words[1:]:
        if len(word) + len(" ") + len(" \\") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
            room = width - len("  ")
        room -= len(word) + 1
    return _BROKEN.join(lines)


def _words(options: Iterable[Option], style: Style, quote: Callable[[str], str]) -> list[str]:
    flags, words = _LONG if style == "readable" else _SHORT, []
    for option in options:
        name, value, variables = option
        flag = flags[name]
        if value is None:
            words.append(flag)
        elif variables:
            words.append(f"{flag} {quote_with_variables(value, variables, quote)}")
        elif name == "header":  # most are, and never bare
            words.append(f"{flag} {quote(value)}")
        elif name == "url":
            words.append(quote(value))
        elif option is PIPED or (len(value) < _LONGEST_BARE and _BARE.fullmatch(value)):
            words.append(f"{flag} {value}")
        else:
            words.append(f"{flag} {quote(value)}")
    return words
