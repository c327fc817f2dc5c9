"""What waits in a lane: fresh entries that gather for a batch, and parts, the batches that were tried or divided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf

from ..policies import BatchPolicy, RetryPolicy
from .batch import Batch
from .item import Item, Part

__all__ = ["Waiting"]


class Waiting:
    """The entries of a lane that are not on their way.

    A part has a due time of its own, so that one in backoff does not hold back fresh entries. Times are on the
    monotonic clock.

    Parameters
    ----------
    policy: Size of a batch, and how long the first entry waits for company.
    """

    def __init__(self, policy: BatchPolicy) -> None:
        self.fresh: Batch[Item] = Batch(policy)
        """Those that are in no part."""
        self._parts: list[Part] = []

    def govern(self, policy: BatchPolicy) -> None:
        """Go on under another policy."""
        self.fresh.govern(policy)

    def __len__(self) -> int:
        return len(self.fresh) + sum(len(part.items) for part in self._parts)

    def __iter__(self) -> Iterator[Item]:
        yield from self.fresh
        for part in self._parts:
            yield from part.items

    @property
    def oldest(self) -> float:
        """When the one came that waits longest; inf while nothing waits."""
        return min([self.fresh.first_admitted, *(part.items[0].admitted for part in self._parts)])

    def add(self, items: Iterable[Item]) -> None:
        """Put entries at the end of the line."""
        for item in items:
            self.fresh.add(item)

    def put_back(self, items: Iterable[Item]) -> None:
        """Put entries at the front of the line again."""
        self.fresh.put_back(items)

    def keep(self, part: Part, due: float) -> None:
        """Let a part wait until it is due."""
        part.due = due
        self._parts.append(part)

    def due(self, *, hurried: bool, draining: bool) -> float:
        """When the next batch or part should go; inf while nothing waits. `draining` ignores backoff."""
        parts = (-inf if draining else part.due for part in self._parts)
        return min([self.fresh.due(hurried=hurried or draining), *parts])

    def take(self, now: float, retry: RetryPolicy, *, draining: bool) -> Part | None:
        """Take out what goes next: the part that is due first, else a fresh batch."""
        ready = [part for part in self._parts if draining or part.due <= now]
        if ready:
            part = min(ready, key=lambda part: part.due)
            self._parts.remove(part)
            return part
        items = self.fresh.take()
        return Part(items, retry) if items else None

    def take_one(self, retry: RetryPolicy) -> Part | None:
        """Take one entry out for a trial: the webhook is the trouble, so all parts are fresh again."""
        items = sorted((item for part in self._parts for item in part.items), key=lambda item: item.admitted)
        self._parts.clear()
        self.fresh.put_back(items)
        items = self.fresh.take(1)
        return Part(items, retry) if items else None

    def take_oldest(self) -> Item | None:
        """Take the oldest entry out, a critical one last; what was tried already is older than what is fresh."""

        def rank(item: Item) -> tuple[bool, float]:
            return item.critical, item.admitted

        part = min(self._parts, key=lambda part: min(map(rank, part.items)), default=None)
        item = min(part.items, key=rank) if part is not None else None
        if part is None or item is None or (item.critical and any(not other.critical for other in self.fresh)):
            return self.fresh.take_oldest()
        self.withdraw([item])
        return item

    def withdraw(self, items: Iterable[Item]) -> list[Item]:
        """Take these entries out, wherever they stand, and return them."""
        items = list(items)
        gone = {id(item) for item in items}
        self.fresh.remove(items)
        for part in self._parts:
            if any(id(item) in gone for item in part.items):
                part.items = [item for item in part.items if id(item) not in gone]
                part.payload = None
        self._parts = [part for part in self._parts if part.items]
        return items
