"""
A record as a curl command for bash, zsh, ksh and mksh, in which control characters can be read.

What the portable dialect sends through a pipe stands in the command itself, in the quotes that only these shells have:
`$'two\\nlines'`. A body with a NUL, or one that is longer than an argument may be, comes through a pipe here as well.
"""

from __future__ import annotations

from ..records.record import Record
from .dialect import Dialect, Style
from .quoting import ARGUMENT_LIMIT, is_plain, octal, quote_line
from .shell import Shell, write

__all__ = ["DIALECT", "render"]


def _quote(text: str) -> str:
    if is_plain(text):
        return quote_line(text)
    # Octal for the quote and the exclamation mark, too: the history of an interactive shell looks for plain quotes.
    return f"$'{octal(text)}'"


def _takes(body: bytes) -> bool:
    return 4 * len(body) < ARGUMENT_LIMIT and b"\0" not in body


_SHELL = Shell(_quote, _takes)


def render(record: Record, style: Style = "exact") -> str:
    """Return the record as a command; every style is printable ASCII, and `readable` alone has more than one line."""
    return write(record, style, _SHELL)


DIALECT = Dialect("bash", render)
