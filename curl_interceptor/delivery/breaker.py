"""When a webhook that fails is left alone: one pybreaker a lane, its open time kept on the monotonic clock."""

from __future__ import annotations

from collections.abc import Callable

import pybreaker

from ..errors import CircuitOpen, DeadEndpoint, Transient
from ..policies import BreakerPolicy

__all__ = ["Breaker"]

# pybreaker reads the wall clock, which somebody may set; its own time is put out of reach (ten years) and the lane says
# when a trial is due. Far enough for every process, near enough for datetime's arithmetic.
_OUT_OF_REACH = 315_360_000
_DEAD_ENDPOINT = BreakerPolicy(open_for=1.0, max_open_for=21_600.0)


class Breaker:
    """The circuit breaker of one webhook URL.

    It counts what may pass by itself (`Transient`); a webhook that refuses everything (`DeadEndpoint`) opens it.
    `call` belongs to the worker that makes the attempt; all else to the dispatcher, between two attempts.

    Parameters
    ----------
    policy: How many failures open it, and for how long.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._circuit = _circuit(policy)
        self._open_for = 0.0
        self.open_since: float | None = None
        """When it opened and has not closed since; None while it is closed."""
        self.opened = 0
        """How often it opened, trials that failed left out."""
        self.closed = 0
        """How often it closed again, by a trial or because somebody said so."""
        self.trials = 0
        """How many attempts were trials."""
        self.trial_at = 0.0
        """When the next trial is due, if it is open."""

    def govern(self, policy: BreakerPolicy) -> None:
        """Go on under another policy."""
        self._policy = policy
        self._circuit.fail_max = policy.failures

    def reset(self) -> None:
        """Close it, and forget its failures.

        With a circuit of its own, since closing the old one would wait for an attempt under way.
        """
        self._circuit = _circuit(self._policy)
        self._close()

    @property
    def state(self) -> str:
        """`"closed"`, `"open"` or `"half-open"`."""
        return str(self._circuit.current_state)

    @property
    def is_open(self) -> bool:
        """Whether only a trial may pass."""
        return self.open_since is not None

    def call(self, attempt: Callable[[], None], *, trial: bool) -> None:
        """Make an attempt under the breaker; raises what the attempt raises, or `CircuitOpen` if it is not made."""
        circuit = self._circuit  # `reset` may put another one in its place
        if trial:
            self.trials += 1
            circuit.half_open()
        try:
            circuit.call(attempt)
        except pybreaker.CircuitBreakerError:
            raise CircuitOpen("the breaker is open") from None

    def after(self, error: Exception | None, now: float) -> None:
        """Take note of an attempt's end."""
        if isinstance(error, DeadEndpoint):
            self.trip(now, _DEAD_ENDPOINT)  # excluded errors count as success with pybreaker
        elif self._circuit.current_state == pybreaker.STATE_OPEN:
            self.trip(now)
        else:
            self._close()

    def _close(self) -> None:
        self.closed += self.is_open
        self.open_since, self._open_for = None, 0.0

    def trip(self, now: float, policy: BreakerPolicy | None = None) -> None:
        """Open it, longer than the last time if it has not been closed since."""
        policy = policy or self._policy
        if self._circuit.current_state != pybreaker.STATE_OPEN:
            self._circuit.open()
        self._open_for = min(policy.max_open_for, self._open_for * 2 or policy.open_for)
        if self.open_since is None:
            self.open_since = now
            self.opened += 1
        self.trial_at = now + self._open_for


def _circuit(policy: BreakerPolicy) -> pybreaker.CircuitBreaker:
    return pybreaker.CircuitBreaker(
        fail_max=policy.failures,
        reset_timeout=_OUT_OF_REACH,
        exclude=[lambda error: not isinstance(error, Transient)],
        throw_new_error_on_trip=False,
    )
