"""The figures of a pipeline at one moment, frozen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

__all__ = ["InspectorStats", "Stats"]


@dataclass(frozen=True)
class InspectorStats:
    """The books of one lane: `routed == delivered + suppressed + dropped + failed + pending`.

    Attributes
    ----------
    label: Name of the destination; never its URL.
    routed: Entries that were meant for it, those included that it got as somebody's fallback.
    delivered: Entries that the service said it took.
    suppressed: Entries that the cooldown held back.
    dropped: Entries that were not sent, by reason: `lane_full`, `expired`, `shutdown`, `endpoint_gone`.
    failed: Entries that were refused or given up, whatever a fallback did with them.
    pending: Entries that wait or are on their way.
    attempts: Posts that were begun.
    retries: Attempts after the first one of a batch.
    breaker: `"closed"`, `"open"` or `"half-open"`.
    last_success: When something was last delivered, in seconds since the epoch.
    last_error: What the last attempt that failed met, without URL or body.
    initialized: False for one that its factory could not make yet.
    """

    label: str
    routed: int
    delivered: int
    suppressed: int
    dropped: Mapping[str, int]
    failed: int
    pending: int
    attempts: int
    retries: int
    breaker: str
    last_success: float | None
    last_error: str | None
    initialized: bool = True

    def __add__(self, other: InspectorStats) -> InspectorStats:
        """The books of two lanes of one label; the state is that of the second."""
        return replace(
            other,
            routed=self.routed + other.routed,
            delivered=self.delivered + other.delivered,
            suppressed=self.suppressed + other.suppressed,
            dropped=dict(Counter(self.dropped) + Counter(other.dropped)),
            failed=self.failed + other.failed,
            pending=self.pending + other.pending,
            attempts=self.attempts + other.attempts,
            retries=self.retries + other.retries,
            last_success=other.last_success or self.last_success,
            last_error=other.last_error or self.last_error,
        )

    @property
    def balanced(self) -> bool:
        """Whether every entry is accounted for exactly once."""
        settled = self.delivered + self.suppressed + sum(self.dropped.values()) + self.failed
        return self.routed == settled + self.pending


@dataclass(frozen=True)
class Stats:
    """The books of a pipeline: `accepted == unmatched + dropped + queued + routed`.

    Attributes
    ----------
    accepted: Exchanges that passed the screen.
    unmatched: Those that no inspector wanted.
    dropped: Those that were not taken in, by reason: `queue_full`, `bytes_full`, `shutdown`.
    queued: Those that wait.
    routed: Those that at least one inspector wants.
    inspectors: The books of each destination that was wanted at least once.
    errors: Trouble inside the pipeline and in callables of the user, by kind.
    held_bytes: Approximate memory of what waits.
    threads: Threads of this pipeline.
    """

    accepted: int
    unmatched: int
    dropped: Mapping[str, int]
    queued: int
    routed: int
    inspectors: tuple[InspectorStats, ...]
    errors: Mapping[str, int]
    held_bytes: int
    threads: int

    @property
    def balanced(self) -> bool:
        """Whether every exchange and every entry is accounted for exactly once."""
        own = self.accepted == self.unmatched + sum(self.dropped.values()) + self.queued + self.routed
        return own and all(inspector.balanced for inspector in self.inspectors)

    @classmethod
    def empty(cls) -> Stats:
        """The books of an adapter that captures nothing."""
        return cls(0, 0, {}, 0, 0, (), {}, 0, 0)

    @property
    def delivered(self) -> int:
        """Entries that were delivered, over all destinations."""
        return sum(inspector.delivered for inspector in self.inspectors)

    @property
    def pending(self) -> int:
        """Entries that wait or are on their way, over all destinations."""
        return sum(inspector.pending for inspector in self.inspectors)
