"""The books of one lane: every entry that was routed to it, what became of it, and how its attempts went."""

from __future__ import annotations

import re
import time
from collections import Counter
from copy import copy
from dataclasses import dataclass, field

from ..observe.degradation import Steps
from ..observe.histogram import DELIVERY_BUCKETS, Histogram
from ..observe.rates import WINDOW, Window
from ..observe.stats import InspectorStats

__all__ = ["Books"]

_URL = re.compile(r"\w[\w+.-]{0,30}://\S*")
_LONGEST = 200


@dataclass
class Books:
    """Counts that only grow, but for `suppressed`: one that goes out after all is pending again, and one that is told
    by the count of another is lost with it.

    What is pending is not counted here but looked up, so that the sum can be wrong, and is checked. Times called `now`
    are on the monotonic clock; what people read is in seconds since the epoch.
    """

    routed: int = 0
    delivered: int = 0
    suppressed: int = 0
    failed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    retries: int = 0
    last_success: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    steps: Steps = field(default_factory=Steps)
    """How its entries were degraded, and when last."""
    fallbacks: Counter[str] = field(default_factory=Counter)
    """What became of those that were given up."""

    _latency: Histogram = field(default_factory=lambda: Histogram(DELIVERY_BUCKETS))
    _window: Window = field(default_factory=Window)
    _ended: int = 0
    _errors: int = 0

    def deliver(self, entries: int) -> None:
        """The service took so many."""
        self.delivered += entries
        self.last_success = time.time()

    def attempted(self, seconds: float, now: float, *, failed: bool) -> None:
        """An attempt has ended, after so many seconds."""
        self._latency.note(seconds)
        if now >= self._window.ends:
            self._window.mark(now, self._ended, self._errors)
        self._ended += 1
        self._errors += failed

    def err(self, error: BaseException | str) -> str:
        """Note what went wrong, and return it as one line without a URL: a service or an inspector may name one."""
        try:
            text = _URL.sub("(a URL)", " ".join(str(error).split()))
            text = "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST])
        except Exception:
            text = type(error).__name__
        self.last_error = text or type(error).__name__
        self.last_error_at = time.time()
        return self.last_error

    def copy(self) -> Books:
        """The counts as they are now; what is measured goes on being measured."""
        other = copy(self)
        other.dropped = self.dropped.copy()
        other.fallbacks = self.fallbacks.copy()
        return other

    def stats(
        self,
        *,
        label: str,
        pending: int,
        breaker: str,
        opened: int,
        closed: int,
        trials: int,
        oldest: float | None,
        initialized: bool,
        now: float,
    ) -> InspectorStats:
        """Return the books at this moment. `oldest` is when the oldest pending entry came."""
        minute, five = (self._window.rate(seconds, now, self._ended, self._errors) for seconds in (60.0, WINDOW))
        return InspectorStats(
            label=label,
            routed=self.routed,
            delivered=self.delivered,
            suppressed=self.suppressed,
            dropped=dict(self.dropped),
            failed=self.failed,
            pending=pending,
            attempts=self.attempts,
            retries=self.retries,
            breaker=breaker,
            last_success=self.last_success,
            last_error=self.last_error,
            last_error_at=self.last_error_at,
            oldest_age=None if oldest is None else max(0.0, now - oldest),
            latency=self._latency.latency(),
            last_minute=minute,
            last_five_minutes=five,
            initialized=initialized,
            opened=opened,
            closed=closed,
            trials=trials,
            fallbacks=dict(self.fallbacks),
            degraded=self.steps.current(now),
        )
