"""What a dialect is: a name, and one pure function from a record to text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..records.record import Record

__all__ = ["Dialect"]


class Dialect(NamedTuple):
    """One way to write a record down; its module holds it under the name `DIALECT`."""

    name: str
    render: Callable[[Record], str]
