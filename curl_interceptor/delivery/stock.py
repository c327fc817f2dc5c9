"""What a lane holds, within its bounds, and the books of where each entry ended."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Any, NamedTuple

from .books import Books
from .cooldown import CooldownWindows
from .destination import Destination, LanePolicies
from .digest import Digests
from .item import Item, Part
from .redacted import Headline, Redactable
from .waiting import Waiting

__all__ = ["HeldBack", "Lost", "Stock"]


class HeldBack(NamedTuple):
    """What the cooldown holds back: where it goes, and what it is redacted from once it goes out after all."""

    destination: Destination
    what: Redactable[Any] | Headline


class Lost(NamedTuple):
    """An item that a lane gives up."""

    item: Item
    reason: str


class Stock:
    """The entries of a lane. Whatever comes in leaves by `deliver`, `fail` or `drop`, and is counted there.

    Times called `now` are on the monotonic clock.

    Parameters
    ----------
    policies: The bounds, and all other numbers of the lane.
    """

    def __init__(self, policies: LanePolicies) -> None:
        self.policies = policies
        self.books = Books()
        self.waiting = Waiting(policies.batch)
        self.in_flight: Part | None = None
        self.cooldown = CooldownWindows[HeldBack](policies.cooldown) if policies.cooldown else None
        """The windows, also those of a cooldown that was switched off until they have told what they held back."""
        self.lost: deque[Lost] = deque()
        """What was given up and not yet handed on; the dispatcher empties it."""
        self.redacting = 0
        """How many are redacted at the moment."""
        self._digests = Digests(self.waiting.fresh)
        self._crowded = False
        self._bytes = 0

    def govern(self, policies: LanePolicies, now: float) -> None:
        """Go on under other policies; what waits stays if it fits. Without a cooldown nothing stays held back."""
        former, self.policies = self.policies, policies
        self.waiting.govern(policies.batch)
        if policies.cooldown is None:
            if self.cooldown is not None:
                self.cooldown.end_all()
        elif self.cooldown is None:
            self.cooldown = CooldownWindows(policies.cooldown)
        elif policies.cooldown != former.cooldown:
            self.cooldown.govern(policies.cooldown, now)
        self.keep_bounds()

    def forget(self) -> None:
        """In a forked child: let go what the parent will deliver, taking no lock."""
        self.in_flight = None
        self.cooldown = None
        self.waiting = Waiting(self.policies.batch)
        self._digests = Digests(self.waiting.fresh)
        self._crowded = False

    @property
    def pending(self) -> int:
        """Entries that wait or are on their way."""
        flying = len(self.in_flight.items) if self.in_flight else 0
        return self.redacting + len(self.waiting) + flying

    @property
    def oldest(self) -> float | None:
        """When the oldest pending entry came; None while nothing is pending."""
        flying = (item.admitted for item in self.in_flight.items) if self.in_flight else ()
        oldest = min(self.waiting.oldest, min(flying, default=inf))
        return None if oldest == inf else oldest

    @property
    def held_bytes(self) -> int:
        """Approximate memory of what is here, the cooldown's included."""
        return self._bytes + (self.cooldown.bytes if self.cooldown is not None else 0)

    @property
    def has_room(self) -> bool:
        """Whether little waits, so that what the cooldown held back may come without making anything go."""
        bounds = self.policies.lane
        return self.pending <= bounds.records / 4 and self._bytes <= bounds.bytes / 4

    @property
    def full(self) -> bool:
        """Whether the next entry might make another one go: then none waits for company any more."""
        bounds, held_back = self.policies.lane, self.held_bytes - self._bytes
        return self.pending >= bounds.records or self._bytes > (bounds.bytes - held_back) / 2

    # -- in -----------------------------------------------------------------------------------------------------------

    def admit(self, item: Item, now: float) -> None:
        """Let an entry wait for its batch. A lane over half full folds equals; where there is no room the oldest go."""
        self.waiting.add([item])
        self._bytes += item.size
        if self._crowded:
            folded = self._digests.fold(item)
            self._tell_by_count([] if folded is None else [folded], now)
        elif self._fills(0.5):
            self._crowded = True
            self._tell_by_count(self._digests.fold_all(), now)
        self.keep_bounds()

    def keep_bounds(self) -> None:
        """Drop the oldest until the rest fits."""
        while self._fills(1.0):
            oldest = self.waiting.take_oldest()
            if oldest is None:
                return  # all that is left is on its way
            self.drop([oldest], "lane_full")

    def return_(self, items: list[Item], *, first: bool) -> None:
        """Let entries that were tried wait in the line again, as the first or as the last ones."""
        if first:
            self.waiting.put_back(items)
        else:
            self.waiting.add(items)
        self._open_up()  # there may be equals of theirs

    def _fills(self, share: float) -> bool:
        """Whether more than this share of the lane is full."""
        bounds = self.policies.lane
        return self.pending > share * bounds.records or self.held_bytes > share * bounds.bytes

    def _tell_by_count(self, folded: list[Item], now: float) -> None:
        self.waiting.fresh.remove(folded)
        self._bytes -= sum(item.size for item in folded)
        self.books.suppressed += len(folded)
        if folded:
            self.books.steps.take("digest", now)

    def _look_for_room(self) -> None:
        """Some have left, whatever became of them."""
        if self._crowded and not self._fills(0.5):
            self._open_up()

    def _open_up(self) -> None:
        """Fold nothing until the lane is over half full again; then everything."""
        self._crowded = False
        self._digests.forget()

    # -- out ----------------------------------------------------------------------------------------------------------

    def deliver(self, items: list[Item], now: float) -> None:
        """The service took these."""
        self.books.deliver(len(items))
        for item in items:
            self._bytes -= item.size
            if self.cooldown is not None and item.key is not None:
                self.cooldown.delivered(item.key, now)
        self._look_for_room()

    def fail(self, items: list[Item], reason: str, *, admitted: bool = True) -> None:
        """These were refused, or given up after attempts."""
        self.books.failed += self._stood_for(items)
        self._give_up(items, reason, admitted=admitted)

    def drop(self, items: list[Item], reason: str, *, admitted: bool = True) -> None:
        """These are not sent."""
        if items:
            self.books.dropped[reason] += self._stood_for(items)
        self._give_up(items, reason, admitted=admitted)

    def withdraw(self) -> list[Item]:
        """Take out all that wait."""
        return self.waiting.withdraw(self.waiting)

    def lift(self, key: str | None) -> None:
        """End the window of one that was lost, so that an equal tells of the failure after all."""
        if self.cooldown is not None and key is not None:
            self.cooldown.lost(key)

    def _stood_for(self, items: list[Item]) -> int:
        """How many are lost with these: they do not count as suppressed any more."""
        merged = sum(item.merged for item in items)
        self.books.suppressed -= merged
        return len(items) + merged

    def _give_up(self, items: list[Item], reason: str, *, admitted: bool) -> None:
        for item in items:
            if admitted:
                self._bytes -= item.size
            self.lift(item.key)
            self.lost.append(Lost(item, reason))
        self._look_for_room()
