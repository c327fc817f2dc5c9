"""What a lane holds, within its bounds, and the books of where each entry ended."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from .books import Books
from .cooldown import CooldownWindows
from .destination import Destination, LanePolicies
from .item import Item, Part
from .redacted import Redacted
from .waiting import Waiting

__all__ = ["HeldBack", "Lost", "Stock"]


class HeldBack(NamedTuple):
    """What the cooldown holds back: where it goes, and what it is redacted from once it goes out after all."""

    destination: Destination
    redacted: Redacted


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
        self.cooldown = _windows(policies)
        self.lost: deque[Lost] = deque()
        """What was given up and not yet handed on; the dispatcher empties it."""
        self.redacting = 0
        """How many are redacted at the moment."""
        self._bytes = 0

    def adopt(self, policies: LanePolicies) -> None:
        """Go on under other policies, while nothing waits."""
        former, self.policies = self.policies, policies
        self.waiting = Waiting(policies.batch)
        if policies.cooldown != former.cooldown:
            self.cooldown = _windows(policies)

    def forget(self) -> None:
        """In a forked child: let go what the parent will deliver, taking no lock."""
        self.in_flight = None
        self.waiting = Waiting(self.policies.batch)
        self.cooldown = None

    @property
    def pending(self) -> int:
        """Entries that wait or are on their way."""
        flying = len(self.in_flight.items) if self.in_flight else 0
        return self.redacting + len(self.waiting) + flying

    @property
    def held_bytes(self) -> int:
        """Approximate memory of what is here, the cooldown's included."""
        return self._bytes + (self.cooldown.bytes if self.cooldown is not None else 0)

    # -- in -----------------------------------------------------------------------------------------------------------

    def admit(self, item: Item) -> None:
        """Let an entry wait for its batch; where there is no room the oldest are dropped."""
        self.waiting.add([item])
        self._bytes += item.size
        bounds = self.policies.lane
        while self.pending > bounds.records or self.held_bytes > bounds.bytes:
            oldest = self.waiting.take_oldest()
            if oldest is None:
                return  # all that is left is on its way
            self.drop([oldest], "lane_full")

    # -- out ----------------------------------------------------------------------------------------------------------

    def deliver(self, items: list[Item], now: float) -> None:
        """The service took these."""
        self.books.deliver(len(items))
        for item in items:
            self._bytes -= item.size
            if self.cooldown is not None and item.key is not None:
                self.cooldown.delivered(item.key, now)

    def fail(self, items: list[Item], reason: str, *, admitted: bool = True) -> None:
        """These were refused, or given up after attempts."""
        self.books.failed += len(items)
        self._give_up(items, reason, admitted=admitted)

    def drop(self, items: list[Item], reason: str, *, admitted: bool = True) -> None:
        """These are not sent."""
        if items:
            self.books.dropped[reason] += len(items)
        self._give_up(items, reason, admitted=admitted)

    def withdraw(self) -> list[Item]:
        """Take out all that wait."""
        return self.waiting.withdraw(self.waiting)

    def lift(self, key: str | None) -> None:
        """End the window of one that was lost, so that an equal tells of the failure after all."""
        if self.cooldown is not None and key is not None:
            self.cooldown.lost(key)

    def _give_up(self, items: list[Item], reason: str, *, admitted: bool) -> None:
        for item in items:
            if admitted:
                self._bytes -= item.size
            self.lift(item.key)
            self.lost.append(Lost(item, reason))


def _windows(policies: LanePolicies) -> CooldownWindows[HeldBack] | None:
    return CooldownWindows(policies.cooldown) if policies.cooldown else None
