"""How a shell that is like the one of POSIX writes a command of curl: words, pipes and broken lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..records.record import Record
from .command import PIPED, Option, options
from .dialect import Style, remark
from .quoting import ARGUMENT_LIMIT, feed, quote_with_variables, show
from .request import Request, obstacle, understand

__all__ = ["Shell", "write"]

_SHORT = {
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
_BROKEN = " \\\n  "
_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]*")


class Shell(NamedTuple):
    """What tells one shell from another."""

    quote: Callable[[str], str]
    """Returns one word for a text whose characters are bytes from 1 to 255."""
    takes: Callable[[bytes], bool]
    """Whether a body can be a word."""


def write(record: Record, style: Style, shell: Shell) -> str:
    """Return a record as a command of curl, or as a comment that says why there is none."""
    request = understand(record)
    reason = obstacle(request, ARGUMENT_LIMIT)
    if reason:
        return remark(f"not runnable: {reason}: curl {' '.join(_shown(request))}")
    found = list(options(request, style, shell.takes))
    if style == "readable":
        found.sort(key=lambda option: option.name != "url")  # what a reader looks for first
    words = [_word(option, style, shell.quote) for option in found]
    command = f"curl {(_BROKEN if style == 'readable' else ' ').join(words)}"
    return f"{feed(request.body)} | {command}" if PIPED in found and request.body else command


def _shown(request: Request) -> Iterator[str]:
    """Yield the words of a command without its body, not to be run."""
    for option in options(request._replace(body=None), "exact", bool):
        yield _word(option, "exact", show)


def _word(option: Option, style: Style, quote: Callable[[str], str]) -> str:
    name, value, variables = option
    flag = (style != "readable" and _SHORT.get(name)) or f"--{name}"
    if value is None:
        return flag
    if name == "header":  # nearly all of them, and never bare
        return f"{flag} {quote_with_variables(value, variables, quote) if variables else quote(value)}"
    word = value if _BARE.fullmatch(value) or option is PIPED else quote(value)
    return word if name == "url" else f"{flag} {word}"
