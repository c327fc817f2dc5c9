"""Collecting entries until there are enough of them or the oldest has waited long enough."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import inf
from typing import Generic, Protocol, TypeVar

from ..policies import BatchPolicy

__all__ = ["Batch"]


class _Batchable(Protocol):
    admitted: float
    critical: bool


T = TypeVar("T", bound=_Batchable)


class Batch(Generic[T]):
    """What waits to be sent for the first time, the oldest first.

    Parameters
    ----------
    policy: Size of a batch, and how long the first entry waits for company.
    """

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._waiting: OrderedDict[int, T] = OrderedDict()
        self._critical = 0
        self._ordered = True

    def __len__(self) -> int:
        return len(self._waiting)

    def govern(self, policy: BatchPolicy) -> None:
        """Go on under another policy."""
        self._policy = policy

    def __iter__(self) -> Iterator[T]:
        return iter(self._waiting.values())

    def __contains__(self, item: object) -> bool:
        return id(item) in self._waiting

    @property
    def first_admitted(self) -> float:
        """When the one that has waited longest came; inf while nothing waits."""
        if self._ordered and self._waiting:
            return self._first.admitted
        return min((item.admitted for item in self), default=inf)

    @property
    def _first(self) -> T:
        return next(iter(self._waiting.values()))

    def add(self, item: T) -> None:
        """Put one at the end."""
        if not self._waiting:
            self._ordered = True
        elif item.admitted < next(reversed(self._waiting.values())).admitted:
            self._ordered = False
        self._waiting[id(item)] = item
        self._critical += item.critical

    def put_back(self, items: Iterable[T]) -> None:
        """Put some at the front again, in their order."""
        items = list(items)
        line = [*items, self._first] if self._waiting else items
        if any(earlier.admitted > later.admitted for earlier, later in pairwise(line)):
            self._ordered = False
        for item in reversed(items):
            self._waiting[id(item)] = item
            self._waiting.move_to_end(id(item), last=False)
        self._critical += sum(item.critical for item in items)

    def take(self, most: int | None = None) -> list[T]:
        """Return the next batch; `most` asks for fewer than a full one."""
        size = min(self._policy.size, most or self._policy.size, len(self._waiting))
        taken = [self._waiting.popitem(last=False)[1] for _ in range(size)]
        self._critical -= sum(item.critical for item in taken)
        return taken

    def take_oldest(self) -> T | None:
        """Return the first in the line, to be dropped; a critical one only if there are no others."""
        if self._critical in (0, len(self._waiting)):
            return next(iter(self.take(1)), None)
        first = next(item for item in self if not item.critical)
        self.remove([first])
        return first

    def remove(self, items: Iterable[T]) -> None:
        """Take these out, wherever they stand."""
        for item in items:
            if self._waiting.pop(id(item), None) is not None:
                self._critical -= item.critical

    def due(self, *, hurried: bool = False) -> float:
        """When the next batch should go, on the monotonic clock; inf while nothing waits."""
        if not self._waiting:
            return inf
        if hurried or self._critical or len(self._waiting) >= self._policy.size:
            return -inf
        return self._first.admitted + self._policy.seconds
