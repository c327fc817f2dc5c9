"""How many messages a webhook gets in how much time: a token bucket."""

from __future__ import annotations

from ..policies import RateLimit

__all__ = ["Limiter"]


class Limiter:
    """A bucket of tokens that fills steadily; a message costs one.

    Times called `now` are on a monotonic clock; a time before an earlier one counts as that earlier one.

    Parameters
    ----------
    policy: Size of the bucket and the time in which it fills; None limits nothing.
    """

    def __init__(self, policy: RateLimit | None) -> None:
        self._policy = policy
        self._tokens = float(policy.count) if policy else 0.0
        self._at: float | None = None

    def ready_at(self, now: float) -> float:
        """When the next message may go: `now`, or later."""
        if self._policy is None:
            return now
        self._fill(now)
        missing = 1.0 - self._tokens
        return now if missing <= 1e-9 else now + missing * self._policy.seconds / self._policy.count

    def spend(self, now: float) -> None:
        """Note that a message goes."""
        if self._policy is not None:
            self._fill(now)
            self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        policy = self._policy
        if policy is None:
            return
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now if self._at is None else max(self._at, now)
        self._tokens = min(float(policy.count), self._tokens + passed * policy.count / policy.seconds)
