"""What a dialect is: a name, one pure function from a record to text, and how it says that there is no such text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from ..records.record import Record

__all__ = ["STYLES", "Dialect", "Style", "remark"]

Style = Literal["exact", "readable", "compact"]
"""How much is written down.

exact: all that was on the wire, on one line. readable: over several lines, with long names, and without what clients
add by themselves. compact: the same without, on one short line.
"""

STYLES: tuple[Style, ...] = get_args(Style)


def remark(sentence: str) -> str:
    """Return a sentence as a comment of a shell."""
    return f"# {sentence}"


class Dialect(NamedTuple):
    """One way to write a record down; its module holds it under the name `DIALECT`."""

    name: str
    render: Callable[[Record, Style], str]
    remark: Callable[[str], str] = remark
    """Says a sentence where a record cannot be written down."""
