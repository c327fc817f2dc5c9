"""
Writing bytes down so that every POSIX-like shell, and fish, reads the same bytes back.

Whatever stands here comes out as one line of printable ASCII. Raw control bytes would be altered by the line editor of
an interactive shell, and some of them end its bracketed paste, so that a body could run commands.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Collection

from ..records.patterns import lazy
from ..records.variables import split

__all__ = [
    "ARGUMENT_LIMIT",
    "feed",
    "is_line",
    "is_plain",
    "octal",
    "quote",
    "quote_line",
    "quote_with_variables",
    "show",
]

ARGUMENT_LIMIT = 131_071
"""Bytes of the longest argument that Linux takes."""

# Comfortably below the limit: what a shell adds to the argument is not known here.
_LONGEST_LINE = 100_000

# Between single quotes every shell keeps everything but the quote itself. fish alone also reads \\ and \' there, so a
# backslash stays outside where one of the two follows it, the closing quote included; elsewhere it may stay inside.
_MEANINGFUL = lazy(r"['\\]+")

# What may stand raw in a printf format. Left out are the quote, percent, backslash, and the exclamation mark: between
# double quotes an interactive shell takes it for its history.
_UNFIT = lazy(r"[^ -~]|[!'%\\]")
_PRINTABLE = bytes(range(0x20, 0x7F))
_FIT = _PRINTABLE.translate(None, b"!'%\\")
_NAMED = {chr(code): f"\\{code:03o}" for code in range(256)} | {"\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%"}
_ESCAPES = _NAMED | {"%": "%%"}

# Between double quotes as well as between single ones.
_MEANS_NOTHING = lazy(r"[A-Za-z0-9 :;=,._+/()@*%-]*")

# How many characters more than base64 a text may take for staying readable.
_READABLE = 200


def quote(text: str) -> str:
    """Return one word of the shell; each character stands for one byte, and none may be NUL or above 255."""
    return quote_line(text) if is_plain(text) else f'"$({_printf(text)})"'


def is_plain(text: str) -> bool:
    """Whether the text is printable ASCII."""
    if not text.isascii():
        return False
    # `isprintable` looks at one letter after the other, which takes five times as long for a body.
    return text.isprintable() if len(text) < 60 else not text.encode("ascii").translate(None, _PRINTABLE)


def quote_line(text: str) -> str:
    """Return one word of the shell for a text that is printable ASCII."""
    if "\\" in text:
        text = _MEANINGFUL.sub(_outside, text)
    elif "'" in text:
        text = text.replace("'", "'\\''")
    return "'" + text + "'"


def quote_with_variables(text: str, variables: Collection[str], quote: Callable[[str], str]) -> str:
    """Return one word of the shell in which the shell itself puts the values of variables.

    Double quotes hold the whole word where nothing in it means anything to a shell, and each variable alone elsewhere.
    """
    pieces = split(text, variables)
    literal = "".join(text for text, _ in pieces)
    # What follows a variable must not belong to its name; zsh takes a colon for a modifier.
    apart = all(not text or not (text[0].isalnum() or text[0] in "_:") for text, _ in pieces[1:])
    if apart and _MEANS_NOTHING.fullmatch(literal):
        return '"' + "".join(f"{text}{f'${variable}' if variable else ''}" for text, variable in pieces) + '"'
    return "".join((quote(text) if text else "") + (f'"${variable}"' if variable else "") for text, variable in pieces)


def show(text: str) -> str:
    """Return any text as one word with nothing but a plain pair of single quotes in it: to be read, not run."""
    return f"'{octal(text)}'"


def is_line(body: bytes) -> bool:
    """Whether the body is one line of printable ASCII, short enough for an argument."""
    return len(body) <= _LONGEST_LINE and not body.translate(None, _PRINTABLE)


def feed(body: bytes) -> str:
    """Return a command that writes the body to its standard output, any bytes and any length."""
    # mksh runs the printf of the system, whose format is an argument like any other; its echo has no limit.
    unfit = len(body.translate(None, _FIT)) if len(body) <= _LONGEST_LINE else len(body)
    if len(body) + 3 * unfit <= min(_LONGEST_LINE, len(body) * 4 // 3 + _READABLE):
        return _printf(body.decode("latin-1"))
    return f"echo '{b64encode(body).decode('ascii')}' | base64 -d"


def _outside(found: re.Match[str]) -> str:
    run, inside = found[0], ""
    if run[-1] == "\\" and found.end() < len(found.string):
        run, inside = run[:-1], "\\"
    if not run:
        return inside
    return "'" + run.replace("\\", "\\\\").replace("'", "\\'") + "'" + inside


def octal(text: str) -> str:
    """Return a text for between the quotes of `$'…'`: what is not plain and printable becomes an escape."""
    return _UNFIT.sub(lambda found: _NAMED.get(found[0]) or ascii(found[0])[1:-1], text)


def _printf(text: str) -> str:
    format = _UNFIT.sub(lambda found: _ESCAPES[found[0]], text)
    if format.startswith("-"):  # else an option
        format = f"\\055{format[1:]}"
    return f"printf '{format}'"
