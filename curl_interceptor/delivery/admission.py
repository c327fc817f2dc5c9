"""From what a lane wants to an entry that waits in it: first the cooldown, then the redactor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any

from ..inspectors.base import Entry
from .cooldown import CooldownWindows, Suppressed
from .destination import Destination
from .item import Item
from .redacted import Headline, Redactable
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
        if cooldown is None or stock.policies.cooldown is None or cooldown.admits(key):
            return False
        stock.books.suppressed += 1
        cooldown.suppress(key, redacted.started)
        self._keep(cooldown, HeldBack(destination, redacted), redacted, key)
        return True

    def _keep(self, cooldown: CooldownWindows[HeldBack], last: HeldBack, redacted: Redactable[Any], key: str) -> None:
        """Keep the last one, so that the count is told: as much of it as there is room for, in half of the lane."""
        stock = self._stock
        bound = stock.policies.lane.bytes
        room = min(bound - stock.held_bytes, bound // 2 - cooldown.bytes)
        if cooldown.keep(key, last, redacted.size, room) or cooldown.kept(key):
            return
        bare = redacted.bare()
        if not cooldown.keep(key, last._replace(what=bare), bare.size, room):
            # Outside of the bytes: like the windows themselves these are bounded by their number.
            cooldown.keep(key, last._replace(what=redacted.headline()), 0, inf)

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

    def next_due(self) -> float:
        """When `end_windows` has something to do; inf while the lane is too full for it."""
        cooldown = self._stock.cooldown
        return cooldown.next_due() if cooldown is not None and self._may_come(cooldown) else inf

    def end_windows(self, now: float) -> None:
        """Tell what the windows that have ended hold back, as much as the lane has room for."""
        while self.next_due() <= now and (told := self._take(now)):
            last = told.last
            redacted = last.what.expand() if isinstance(last.what, Headline) else last.what
            try:
                self.enter(last.destination, redacted, told.key, now, told)
            except Exception as error:
                self._stock.books.err(f"redaction raised {type(error).__name__}")

    def end_all(self, now: float) -> None:
        """End all windows: the pipeline ends, and what the cooldown holds back is told now or never."""
        if self._stock.cooldown is not None and self.holding:
            with self._lock:
                self._stock.cooldown.end_all()
        self.end_windows(now)

    def write_off(self, reason: str) -> None:
        """Count what was still held back as dropped: nobody will tell of it any more."""
        cooldown, books = self._stock.cooldown, self._stock.books
        with self._lock:
            if cooldown is not None and (count := cooldown.clear()):
                books.suppressed -= count
                books.dropped[reason] += count

    def _may_come(self, cooldown: CooldownWindows[HeldBack]) -> bool:
        return self._stock.has_room or cooldown.overfull

    def _take(self, now: float) -> Suppressed[HeldBack] | None:
        stock = self._stock
        with self._lock:
            told = stock.cooldown.take(now) if stock.cooldown is not None else None
            if told is not None:
                stock.books.suppressed -= 1
                stock.redacting += 1
        return told
