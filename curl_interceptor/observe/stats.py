"""The figures of a pipeline at one moment, frozen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, TypeVar

from .degradation import deepest

__all__ = ["HostStats", "InspectorStats", "Latency", "QueueStats", "Rate", "Stats", "joined"]

_STATES = ("closed", "half-open", "open")  # of a breaker, from the best to the worst
_T = TypeVar("_T", "InspectorStats", "HostStats")


@dataclass(frozen=True)
class Rate:
    """How many there were over some time, and how many of them failed.

    Attributes
    ----------
    total: All of them.
    errors: Those that failed.
    """

    total: int = 0
    errors: int = 0

    @property
    def ratio(self) -> float | None:
        """Share of those that failed, 0 to 1; None if there were none at all."""
        return self.errors / self.total if self.total else None

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.total + other.total, self.errors + other.errors)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON has."""
        return {**_plain_fields(self), "ratio": self.ratio}


@dataclass(frozen=True)
class Latency:
    """How long something took, as a histogram.

    Attributes
    ----------
    count: How often it happened.
    total: Seconds in all.
    longest: Seconds of the longest.
    buckets: Pairs of an upper bound in seconds and how many took at most so long; the last bound is infinite.
    """

    count: int = 0
    total: float = 0.0
    longest: float = 0.0
    buckets: tuple[tuple[float, int], ...] = ()

    @property
    def mean(self) -> float | None:
        """Seconds on average; None if it never happened."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Return the seconds that a share of them, 0 to 1, did not exceed, as near as the buckets tell.

        Within a bucket all durations are taken to be spread evenly; nothing is longer than the longest. None if it
        never happened.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be a number from 0 to 1, got {share!r}")
        if not self.count:
            return None
        rank, lower, before = share * self.count, 0.0, 0
        for bound, count in self.buckets:
            upper = min(bound, self.longest)
            if count >= rank and count > before:
                return min(lower + (upper - lower) * max(0.0, rank - before) / (count - before), self.longest)
            lower, before = upper, count
        return self.longest

    def __add__(self, other: Latency) -> Latency:
        if not self.buckets or not other.buckets:
            return self if self.buckets else other
        sums = tuple((bound, one + two) for (bound, one), (_, two) in zip(self.buckets, other.buckets, strict=True))
        return Latency(self.count + other.count, self.total + other.total, max(self.longest, other.longest), sums)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON has; the bounds of the buckets are texts."""
        quantiles = {str(share): self.quantile(share) for share in (0.5, 0.95, 0.99)}
        buckets = {"+Inf" if bound == inf else repr(bound): count for bound, count in self.buckets}
        return {**_plain_fields(self), "buckets": buckets, "mean": self.mean, "quantiles": quantiles}


@dataclass(frozen=True)
class QueueStats:
    """The queue between the callers and the dispatcher.

    Attributes
    ----------
    length: Exchanges that wait in it.
    capacity: Most that may.
    bytes: Approximate memory of those that wait.
    capacity_bytes: Most that they may hold.
    """

    length: int = 0
    capacity: int = 0
    bytes: int = 0
    capacity_bytes: int = 0

    @property
    def utilization(self) -> float:
        """How full it is, 0 to 1, by whichever bound is nearer."""
        pairs = ((self.length, self.capacity), (self.bytes, self.capacity_bytes))
        return max(used / most if most else 0.0 for used, most in pairs)

    def __add__(self, other: QueueStats) -> QueueStats:
        return QueueStats(
            self.length + other.length,
            self.capacity + other.capacity,
            self.bytes + other.bytes,
            self.capacity_bytes + other.capacity_bytes,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON has."""
        return {**_plain_fields(self), "utilization": self.utilization}


@dataclass(frozen=True)
class HostStats:
    """The app's own calls to one host, captured or not.

    A call is one request on the wire: each hop of a redirect is one, and a retry of urllib3's is none. Errors are
    statuses 400 to 599 and exceptions.

    Attributes
    ----------
    host: Host in lower case, with its port if that is not the scheme's own; `"other"` for all hosts above 100.
    calls: All of them.
    errors: Those that failed, by outcome: `4xx`, `5xx`, `exception`.
    last_minute: Over 60 s.
    last_five_minutes: Over 300 s.
    """

    host: str
    calls: int
    errors: Mapping[str, int]
    last_minute: Rate
    last_five_minutes: Rate

    def __add__(self, other: HostStats) -> HostStats:
        return HostStats(
            self.host,
            self.calls + other.calls,
            _sum(self.errors, other.errors),
            self.last_minute + other.last_minute,
            self.last_five_minutes + other.last_five_minutes,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON has."""
        return _plain_fields(self)


@dataclass(frozen=True)
class InspectorStats:
    """The books of one destination: `routed == delivered + suppressed + dropped + failed + pending`.

    Attributes
    ----------
    label: Name of the destination; never its URL.
    routed: Entries that were meant for it, those included that it got as somebody's fallback.
    delivered: Entries that the service said it took.
    suppressed: Entries that are told by the count of another: held back by the cooldown, or folded into a digest.
    dropped: Entries that were not sent, by reason: `lane_full`, `expired`, `shutdown`, `endpoint_gone`.
    failed: Entries that were refused or given up, whatever a fallback did with them. Who is lost, as failed or as
        dropped, takes those along for which it stood.
    pending: Entries that wait or are on their way.
    attempts: Posts that were begun.
    retries: Attempts after the first one of a batch.
    breaker: `"closed"`, `"open"` or `"half-open"`.
    last_success: When something was last delivered, in seconds since the epoch.
    last_error: What the last attempt that failed met, without URL or body.
    last_error_at: When that was, in seconds since the epoch.
    oldest_age: Seconds since the oldest pending entry came; None while nothing is pending.
    latency: How long attempts took, from connecting to the end of the answer.
    last_minute: Attempts over 60 s, and those of them that delivered nothing.
    last_five_minutes: The same over 300 s.
    initialized: False for one that its factory has not made yet.
    opened: How often the breaker opened, trials that failed left out.
    closed: How often it closed again, by a trial or by `reset`.
    trials: Attempts that were trials of an open breaker.
    fallbacks: What became of the messages that were given up: `taken` by a fallback, `logged`, or only `counted`;
        `raised` counts the callables that raised.
    degraded: The deepest step that its entries took in the last minute: `plain`, `digest`, `fallback`, `counted`; None
        if all went as it should.
    """

    label: str
    routed: int = 0
    delivered: int = 0
    suppressed: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    pending: int = 0
    attempts: int = 0
    retries: int = 0
    breaker: str = "closed"
    last_success: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    oldest_age: float | None = None
    latency: Latency = Latency()
    last_minute: Rate = Rate()
    last_five_minutes: Rate = Rate()
    initialized: bool = True
    opened: int = 0
    closed: int = 0
    trials: int = 0
    fallbacks: Mapping[str, int] = field(default_factory=dict)
    degraded: str | None = None

    def __add__(self, other: InspectorStats) -> InspectorStats:
        """The books of two lanes of one label; of their states the worse one counts, of what was last the later one."""
        later = max(self, other, key=lambda one: one.last_error_at or 0.0)
        return InspectorStats(
            label=other.label,
            routed=self.routed + other.routed,
            delivered=self.delivered + other.delivered,
            suppressed=self.suppressed + other.suppressed,
            dropped=_sum(self.dropped, other.dropped),
            failed=self.failed + other.failed,
            pending=self.pending + other.pending,
            attempts=self.attempts + other.attempts,
            retries=self.retries + other.retries,
            breaker=max(self.breaker, other.breaker, key=_STATES.index),
            last_success=_latest(self.last_success, other.last_success),
            last_error=later.last_error,
            last_error_at=later.last_error_at,
            oldest_age=_latest(self.oldest_age, other.oldest_age),
            latency=self.latency + other.latency,
            last_minute=self.last_minute + other.last_minute,
            last_five_minutes=self.last_five_minutes + other.last_five_minutes,
            initialized=self.initialized or other.initialized,
            opened=self.opened + other.opened,
            closed=self.closed + other.closed,
            trials=self.trials + other.trials,
            fallbacks=_sum(self.fallbacks, other.fallbacks),
            degraded=deepest((self.degraded, other.degraded)),
        )

    @property
    def balanced(self) -> bool:
        """Whether every entry is accounted for exactly once."""
        settled = self.delivered + self.suppressed + sum(self.dropped.values()) + self.failed
        return self.routed == settled + self.pending

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON has."""
        return {**_plain_fields(self), "balanced": self.balanced}


@dataclass(frozen=True)
class Stats:
    """The books of a pipeline: `accepted == unmatched + dropped + queued + routed`.

    Attributes
    ----------
    accepted: Exchanges that passed the screen, and notices.
    unmatched: Those that no inspector wanted.
    dropped: Those that were not taken in, by reason: `queue_full`, `bytes_full`, `shutdown`.
    queued: Those that wait.
    routed: Those that at least one inspector wants.
    inspectors: The books of each destination.
    errors: Trouble inside the pipeline and in callables of the user, by kind.
    held_bytes: Approximate memory of what waits, in the queue and in the lanes.
    threads: Threads of this pipeline.
    queue: The queue and its bounds.
    capture: Seconds that captured calls spent in the caller's thread because of us.
    hosts: The app's own calls by host.
    off: Inspectors and fallbacks that were given as None or as an empty text.
    degraded: The deepest step taken in the last minute anywhere; see `InspectorStats`. An exchange for which the queue
        had no room is `counted`.
    """

    accepted: int = 0
    unmatched: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    queued: int = 0
    routed: int = 0
    inspectors: tuple[InspectorStats, ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)
    held_bytes: int = 0
    threads: int = 0
    queue: QueueStats = QueueStats()
    capture: Latency = Latency()
    hosts: tuple[HostStats, ...] = ()
    off: int = 0
    degraded: str | None = None

    @property
    def balanced(self) -> bool:
        """Whether every exchange and every entry is accounted for exactly once."""
        own = self.accepted == self.unmatched + sum(self.dropped.values()) + self.queued + self.routed
        return own and all(inspector.balanced for inspector in self.inspectors)

    @classmethod
    def empty(cls) -> Stats:
        """The books of an adapter that captures nothing."""
        return cls()

    @property
    def delivered(self) -> int:
        """Entries that were delivered, over all destinations."""
        return sum(inspector.delivered for inspector in self.inspectors)

    @property
    def pending(self) -> int:
        """Entries that wait or are on their way, over all destinations."""
        return sum(inspector.pending for inspector in self.inspectors)

    def __add__(self, other: Stats) -> Stats:
        """The books of two pipelines as if they were one."""
        return Stats(
            accepted=self.accepted + other.accepted,
            unmatched=self.unmatched + other.unmatched,
            dropped=_sum(self.dropped, other.dropped),
            queued=self.queued + other.queued,
            routed=self.routed + other.routed,
            inspectors=joined((*self.inspectors, *other.inspectors)),
            errors=_sum(self.errors, other.errors),
            held_bytes=self.held_bytes + other.held_bytes,
            threads=self.threads + other.threads,
            queue=self.queue + other.queue,
            capture=self.capture + other.capture,
            hosts=_joined((*self.hosts, *other.hosts), lambda one: one.host),
            off=self.off + other.off,
            degraded=deepest((self.degraded, other.degraded)),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as plain values that JSON has, such as for `json.dumps`."""
        sums = {"balanced": self.balanced, "delivered": self.delivered, "pending": self.pending}
        return {**_plain_fields(self), **sums}


def joined(books: Iterable[InspectorStats]) -> tuple[InspectorStats, ...]:
    """Return the books with those of one label added up."""
    return _joined(books, lambda one: one.label)


def _joined(items: Iterable[_T], name: Callable[[_T], str]) -> tuple[_T, ...]:
    found: dict[str, _T] = {}
    for one in items:
        known = found.get(name(one))
        found[name(one)] = one if known is None else known + one
    return tuple(found.values())


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other))


def _latest(one: float | None, other: float | None) -> float | None:
    return max((when for when in (one, other) if when is not None), default=None)


def _plain_fields(value: Any) -> dict[str, Any]:
    return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}


def _plain(value: Any) -> Any:
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value
