"""An entry on its way through a lane, and the batch in which it travels once it was tried."""

from __future__ import annotations

from math import inf

from ..inspectors.base import Entry, Payload
from ..policies import RetryPolicy
from .destination import Fallbacks
from .retry import RetryPlan

__all__ = ["Item", "Part"]


class Item:
    """One entry, and what its lane has to remember of it.

    Parameters
    ----------
    entry: What is to be delivered.
    key: Its window of the cooldown, None if it has none.
    admitted: When it came, on the monotonic clock.
    merged: How many others of its lane it tells of by their count. They count as suppressed, and are lost with it.
    critical: Whether it waits for no batch and is dropped last.
    fallbacks: Who takes it if this lane gives it up, in turn.
    """

    __slots__ = (
        "admitted",
        "critical",
        "entry",
        "fallbacks",
        "key",
        "merged",
        "plain",
        "refused",
        "size",
        "strikes",
        "struck_at",
        "too_large",
    )

    def __init__(
        self,
        entry: Entry,
        *,
        key: str | None,
        admitted: float,
        critical: bool,
        fallbacks: Fallbacks,
        merged: int = 0,
    ) -> None:
        self.entry = entry
        self.key = key
        self.admitted = admitted
        self.critical = critical
        self.fallbacks = fallbacks
        self.merged = merged
        self.size = entry.size
        self.plain = False
        """Whether its rich form was refused: from then on it goes plain, wherever it waited meanwhile."""
        self.refused: int | None = None
        """Hash of its rich form, where the service refused that; the same again would be refused again."""
        self.too_large = inf
        """Size of the smallest payload with it that the service called too large; none of that size is sent again."""
        self.strikes = 0
        self.struck_at = inf

    @property
    def foldable(self) -> bool:
        """Whether it may be told by a count, or tell of others: no critical one, and none that was refused."""
        return not (self.critical or self.plain or self.strikes or self.too_large < inf)

    def stand_for(self, earlier: Item) -> None:
        """Tell of an equal entry that came before, and of those for which that one stands."""
        record, before = self.entry, earlier.entry
        if record.id != before.id:  # else two lanes gave up the same one
            told = [before.started, before.suppressed_since, record.suppressed_since]
            since = min(when for when in told if when is not None)
            self.entry = record.telling(record.suppressed + before.suppressed + 1, since)
        self.merged += earlier.merged + 1
        self.key = self.key or earlier.key

    def strike(self, now: float, last_delivered: float) -> int:
        """It failed all by itself: return how often that happened with a delivery of others in between."""
        self.strikes += last_delivered > self.struck_at
        self.struck_at = now
        return self.strikes


class Part:
    """A batch under way: the items of one payload, with attempts and a due time of their own.

    Parameters
    ----------
    items: What is in it.
    retry: How often and how late it is tried again; a half of a refused batch has one attempt.
    """

    __slots__ = ("due", "first_attempt", "items", "payload", "plan")

    def __init__(self, items: list[Item], retry: RetryPolicy) -> None:
        self.items = items
        self.plan = RetryPlan(retry)
        self.due = -inf
        """When it may go, on the monotonic clock."""
        self.payload: Payload | None = None
        self.first_attempt = inf

    @property
    def form(self) -> int | None:
        """Hash of what would be posted; None before it was rendered."""
        payload = self.payload
        return None if payload is None else hash((payload.body, payload.content_type, payload.url))

    @property
    def plain(self) -> bool:
        """Whether it is to be rendered in the simplest form."""
        return all(item.plain for item in self.items)
