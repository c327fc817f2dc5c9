"""The books of one lane: every entry that was routed to it, and what became of it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from ..observe.degradation import Steps
from ..observe.stats import InspectorStats

__all__ = ["Books"]


@dataclass
class Books:
    """Counts that only grow, but for `suppressed`: one that goes out after all is pending again, and one that is told
    by the count of another is lost with it.

    What is pending is not counted here but looked up, so that the sum can be wrong, and is checked.
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
    steps: Steps = field(default_factory=Steps)
    """How its entries were degraded, and when last."""
    fallbacks: Counter[str] = field(default_factory=Counter)

    def deliver(self, entries: int) -> None:
        """The service took so many."""
        self.delivered += entries
        self.last_success = time.time()

    def err(self, error: BaseException) -> str:
        """Note what an attempt met, and return it as a text."""
        try:
            text = str(error)[:200]
        except Exception:
            text = type(error).__name__
        self.last_error = text
        return text

    def stats(self, *, label: str, pending: int, breaker: str, opened: int, now: float) -> InspectorStats:
        """Return the books at this moment."""
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
            opened=opened,
            fallbacks=dict(self.fallbacks),
            degraded=self.steps.current(now),
        )
