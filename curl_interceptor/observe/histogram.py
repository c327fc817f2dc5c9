"""How long something took: counted in buckets, so that the memory stays the same however often it happens."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import inf

from .stats import Latency

__all__ = ["CAPTURE_BUCKETS", "DELIVERY_BUCKETS", "Histogram"]

DELIVERY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds for attempts: those that Prometheus clients use, and the longest deadline people give."""

CAPTURE_BUCKETS = (2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2, 1e-1)
"""Upper bounds in seconds for the time in the caller's thread: a few microseconds, or somebody should know."""


class Histogram:
    """Counts durations. One thread notes; any may look.

    Parameters
    ----------
    bounds: Upper bounds of the buckets in seconds, ascending; a last one without a bound is added.
    """

    __slots__ = ("_bounds", "_counts", "_longest", "_total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0
        self._longest = 0.0

    def note(self, seconds: float) -> None:
        """Count one duration; less than nothing is nothing."""
        seconds = max(0.0, seconds)
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._total += seconds
        self._longest = max(self._longest, seconds)

    def latency(self) -> Latency:
        """Return what was counted so far."""
        sums = tuple(accumulate(self._counts))
        return Latency(sums[-1], self._total, self._longest, tuple(zip((*self._bounds, inf), sums, strict=True)))
