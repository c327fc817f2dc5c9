"""
A record as a curl command for the prompt of Windows, `cmd.exe`.

Two readers take such a command apart: cmd itself, and then the C library of curl. Each word stands in quotes for the
second one, and each character with a meaning, the quotes included, has a caret before it for the first. A percent sign
cannot be escaped at the prompt; the caret behind it makes of what follows the name of no variable. In a batch file
percent signs would have to be doubled.
"""

from __future__ import annotations

import re

from ..records.patterns import lazy
from ..records.record import Record
from .command import PIPED, Option, options
from .dialect import Dialect, Style
from .quoting import show
from .request import obstacle, understand

__all__ = ["DIALECT", "render"]

_LONGEST_COMMAND = 8_191
_BARE = lazy(r"[A-Za-z0-9-][A-Za-z0-9.-]*")
# Before a quote, the final one included, backslashes count double; elsewhere they are themselves.
_BEFORE_QUOTE = lazy(r'(\\*)("|\Z)')
_SPECIAL = lazy(r"[^A-Za-z0-9 _:=+~'/.,?;*`\\@$#{}\[\]-]|(?<=%).")


def remark(sentence: str) -> str:
    """Return a sentence as a comment of cmd."""
    return f"rem {sentence}"


def render(record: Record, style: Style = "exact") -> str:
    """Return the record as a command; every style is printable ASCII, and `readable` alone has more than one line."""
    request = understand(record)
    reason = obstacle(request, _LONGEST_COMMAND)
    found = options(request, style, _is_plain)
    if not reason and PIPED in found:
        reason = "cmd cannot hold this body; the dialect powershell can"
    if not reason and not all(_is_plain((option.value or "").encode("latin-1")) for option in found):
        reason = "cmd cannot hold bytes beyond ASCII; the dialect powershell can"
    words = [_word(option, style) for option in found] if not reason else []
    command = "curl.exe " + (" ^\n  " if style == "readable" else " ").join(words)
    if len(command) >= _LONGEST_COMMAND:
        reason = "a command of cmd is no longer than 8191 characters; the dialect powershell can hold this one"
    if reason:
        shown = (_shown(option) for option in options(request._replace(body=None), "exact", bool))
        return remark(f"not runnable: {reason}: curl.exe {' '.join(shown)[: _LONGEST_COMMAND // 2]}")
    return command


DIALECT = Dialect("cmd", render, remark)


def _is_plain(value: bytes) -> bool:
    return value.isascii() and value.decode("ascii").isprintable()


def _word(option: Option, style: Style) -> str:
    name, value = option.name, option.value
    flag = {"disable": "-q"}.get(name, f"--{name}")
    if value is None:
        return flag
    word = value if _BARE.fullmatch(value) else _quote(value)
    return word if name == "url" else f"{flag} {word}"


def _shown(option: Option) -> str:
    # A percent sign would be a variable's even in a comment.
    return f"--{option.name}" if option.value is None else f"--{option.name} {show(option.value)}".replace("%", "\\045")


def _quote(text: str) -> str:
    text = _BEFORE_QUOTE.sub(lambda found: found[1] * 2 + ('\\"' if found[2] else ""), text)
    return f'^"{_SPECIAL.sub(_escape, text)}^"'


def _escape(found: re.Match[str]) -> str:
    # A caret before the percent sign itself would belong to the name of a variable.
    return "%" if found[0] == "%" and not found.string[: found.start()].endswith("%") else f"^{found[0]}"
