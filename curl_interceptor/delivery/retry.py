"""Whether a failed batch is tried again, and when: tenacity is asked, not run, so that nothing sleeps."""

from __future__ import annotations

import tenacity

from ..policies import RetryPolicy

__all__ = ["RetryPlan"]


class RetryPlan:
    """The attempts of one batch.

    Parameters
    ----------
    policy: How often and how late.
    """

    __slots__ = ("_state", "_stop", "_wait")

    def __init__(self, policy: RetryPolicy) -> None:
        self._stop = tenacity.stop_after_attempt(policy.retries + 1)
        wait = tenacity.wait_random_exponential if policy.jitter else tenacity.wait_exponential
        self._wait = wait(multiplier=policy.wait, max=policy.max_wait, exp_base=policy.factor)
        self._state = tenacity.RetryCallState(_RETRYING, None, (), {})

    @property
    def attempts(self) -> int:
        """Attempts that failed so far."""
        return self._state.attempt_number - 1

    def delay(self) -> float | None:
        """An attempt failed: return the seconds until the next one, or None when the attempts are used up."""
        if self._stop(self._state):
            return None
        delay = float(self._wait(self._state))
        self._state.prepare_for_next_attempt()
        return delay


_RETRYING = tenacity.Retrying()
