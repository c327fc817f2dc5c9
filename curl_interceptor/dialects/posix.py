"""
A record as a curl command for bash, zsh, dash, ksh, mksh, busybox ash and fish.

Pasted there, real curl puts the bytes of the recorded request on the wire again. Where curl cannot send the same, or
the body is not wholly known, the text is a comment that says so and shows the method, the URL and the headers.
"""

from __future__ import annotations

from ..records.record import Record
from .dialect import Dialect, Style
from .quoting import is_line, quote
from .shell import Shell, write

__all__ = ["DIALECT", "render", "wrapped"]

_SHELL = Shell(quote, is_line)


def render(record: Record, style: Style = "exact") -> str:
    """Return the record as a command; every style is printable ASCII, and `readable` alone has more than one line."""
    return write(record, style, _SHELL)


def wrapped(record: Record, width: int) -> str:
    """Return the exact command over lines of so many characters, broken between options and nowhere else."""
    return write(record, "exact", _SHELL, width)


DIALECT = Dialect("posix", render)
