"""From what a lane wants to an entry that waits in it: first the cooldown, then the redactor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ..inspectors.base import Entry
from .cooldown import CooldownWindows, Suppressed
from .destination import Destination
from .item import Item
from .redacted import Redactable
from .stock import HeldBack, Stock

__all__ = ["Admission"]


class Admission:
    """Lets exchanges into a lane, or holds them back and tells of them later.

    Times called `now` are on the monotonic clock. The lock is never held while something is redacted.

    Parameters
    ----------
    stock: Where entries are counted.
    lock: The pipeline's re-entrant lock.
    admit: Called with each entry and the time, with the lock held.
    """

    def __init__(self, stock: Stock, lock: AbstractContextManager[Any], admit: Callable[[Item, float], None]) -> None:
        self._stock = stock
        self._lock = lock
        self._admit = admit

    def holds_back(self, destination: Destination, redacted: Redactable[Any], key: str) -> bool:
        """Whether the cooldown suppresses it; with the lock held. `key` is its fingerprint."""
        stock, cooldown = self._stock, self._stock.cooldown
        if cooldown is None or cooldown.admits(key):
            return False
        stock.books.suppressed += 1
        cooldown.suppress(key, redacted.started)
        bound = stock.policies.lane.bytes
        kept = cooldown.keep(key, HeldBack(destination, redacted), redacted.size, bound - stock.held_bytes)
        if not kept and not cooldown.keeps(key):  # without its bodies it may take the place of what waits
            bare = redacted.bare()
            cooldown.keep(key, HeldBack(destination, bare), bare.size, bound // 2 - cooldown.bytes)
            stock.keep_bounds()
        return True

    def enter(
        self,
        destination: Destination,
        redacted: Redactable[Any],
        key: str | None,
        now: float,
        told: Suppressed[Any] | None = None,
    ) -> None:
        """Redact one that is counted as pending already, and let it wait for its batch."""
        entry: Entry | None = None
        merged = 0 if told is None else told.before
        try:
            entry = redacted.by(destination.redaction)
            if told is not None:
                entry = entry.telling(told.before, told.since)
        finally:
            with self._lock:
                self._stock.redacting -= 1
                if entry is None:
                    self._stock.books.failed += 1 + merged
                    self._stock.books.suppressed -= merged
                    self._stock.lift(key)
                else:
                    critical, fallbacks = destination.inspector.critical, destination.fallbacks
                    item = Item(entry, key=key, admitted=now, critical=critical, fallbacks=fallbacks, merged=merged)
                    self._admit(item, now)

    @property
    def holding(self) -> bool:
        """Whether the cooldown holds something back that is still to be told."""
        return self._stock.cooldown is not None and self._stock.cooldown.holding

    def end_windows(self, now: float) -> None:
        """Tell what the windows that have ended hold back."""
        cooldown = self._stock.cooldown
        if cooldown is not None and cooldown.next_due() <= now:
            self._tell(lambda windows: windows.due(now), now)

    def release_all(self, now: float) -> None:
        """The pipeline ends: what the cooldown holds back is told now or never."""
        if self.holding:
            self._tell(lambda windows: windows.release_all(), now)

    def _tell(self, choose: Callable[[CooldownWindows[HeldBack]], list[Suppressed[HeldBack]]], now: float) -> None:
        stock = self._stock
        with self._lock:
            released = choose(stock.cooldown) if stock.cooldown is not None else []
            stock.books.suppressed -= len(released)
            stock.redacting += len(released)
        for told in released:
            try:
                self.enter(told.last.destination, told.last.redacted, told.key, now, told)
            except Exception as error:
                stock.books.err(f"redaction raised {type(error).__name__}")
