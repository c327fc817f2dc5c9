"""How many messages a webhook gets in how much time: a bucket of tokens, and what the service says is left."""

from __future__ import annotations

from collections import deque
from math import inf

from ..inspectors.quota import Quota
from ..policies import RateLimit

__all__ = ["Limiter"]


class Limiter:
    """A bucket of tokens; a message costs one, which comes back a while after the message has arrived.

    Each token is away for the whole time of the policy, so no interval of that length ever sees more messages than the
    bucket has tokens. A bucket that fills steadily would let nearly twice as many through after a rest, which services
    that count by windows answer with 429.

    Times called `now` are on a monotonic clock; a time before an earlier one counts as that earlier one.

    Parameters
    ----------
    policy: Number of tokens and the time for which each is away; None limits nothing but what the service says.
    """

    def __init__(self, policy: RateLimit | None) -> None:
        self._policy = policy
        self._spent: deque[float] = deque()
        self._latest = -inf
        self._left = 0
        self._resets_at = -inf

    def govern(self, policy: RateLimit | None) -> None:
        """Go on under another policy; what the service said stays."""
        self._policy = policy

    def ready_at(self, now: float) -> float:
        """When the next message may go: `now`, or later."""
        policy, clock = self._policy, max(self._latest, now)
        ready = now
        if self._left <= 0 and self._resets_at > clock:
            ready = self._resets_at
        if policy is not None and len(self._spent) >= policy.count:
            back = self._spent[-policy.count] + policy.seconds
            ready = max(ready, back) if back > clock else ready
        return ready

    def spend(self, now: float) -> None:
        """Note that a message goes."""
        self._latest = max(self._latest, now)
        self._left -= 1
        if self._policy is not None:
            self._spent.append(self._latest)
            while len(self._spent) > self._policy.count:
                self._spent.popleft()

    def answered(self, quota: Quota | None, now: float) -> None:
        """The message that went last has arrived; `quota` is what the service says in its answer."""
        self._latest = max(self._latest, now)
        if self._spent:
            self._spent[-1] = self._latest
        if quota is not None:
            self._left, self._resets_at = quota.remaining, self._latest + quota.seconds
