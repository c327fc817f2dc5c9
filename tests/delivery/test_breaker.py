"""When a webhook is left alone, for how long, and what counts as a sign of life."""

from __future__ import annotations

from datetime import datetime, timedelta

import pybreaker
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from curl_interceptor.delivery.breaker import Breaker
from curl_interceptor.errors import BadPayload, CircuitOpen, DeadEndpoint, Throttled, Transient
from curl_interceptor.policies import BreakerPolicy


def breaker(failures: int = 3, **more: float) -> Breaker:
    return Breaker(BreakerPolicy(failures, **more))


def attempt(breaker: Breaker, error: Exception | None, now: float = 0.0) -> bool:
    """Make an attempt that ends so, as lane and worker do; True if it was let through."""
    made = []

    def post() -> None:
        made.append(1)
        if error is not None:
            raise error

    ended = None
    try:
        breaker.call(post, trial=breaker.is_open)
    except (BadPayload, DeadEndpoint, Throttled, Transient) as caught:
        ended = caught
    except CircuitOpen:
        ended = CircuitOpen()
    breaker.after(ended, now)
    return bool(made)


def test_it_opens_after_failures_in_a_row():
    """
    The third of three failures opens it; the trial is due after `open_for`.
    """
    one = breaker(failures=3, open_for=2.0)
    for _ in range(2):
        attempt(one, Transient())
        assert not one.is_open
    attempt(one, Transient(), now=100.0)

    assert (one.is_open, one.state, one.open_since, one.trial_at) == (True, "open", 100.0, 102.0)


@pytest.mark.parametrize("sign_of_life", [None, Throttled(), BadPayload(), BadPayload(too_large=True)])
def test_a_sign_of_life_counts_from_zero_again(sign_of_life):
    """
    A delivery, a throttle and a refused payload all say that the service lives.
    """
    one = breaker(failures=2)
    for _ in range(5):
        attempt(one, Transient())
        attempt(one, sign_of_life)

    assert not one.is_open


@pytest.mark.parametrize("gone", [False, True])
def test_a_dead_endpoint_opens_it_at_once(gone):
    """
    One answer that refuses everything is enough, even right after a success.
    """
    one = breaker(failures=1_000)
    attempt(one, None)
    attempt(one, DeadEndpoint(gone=gone), now=50.0)

    assert (one.is_open, one.state, one.trial_at) == (True, "open", 51.0)


def test_the_waits_between_trials_double_up_to_the_longest():
    """
    1, 2, 4 … 60 seconds between failed trials; the moment it opened stays the first one.
    """
    one, now, waits = breaker(failures=1), 1_000.0, []
    attempt(one, Transient(), now)
    for _ in range(9):
        waits.append(one.trial_at - now)
        now = one.trial_at
        assert attempt(one, Transient(), now)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert one.open_since == 1_000.0


def test_the_waits_of_a_dead_endpoint_double_up_to_six_hours():
    """
    1 s doubling to 6 h, whatever the policy says about failures.
    """
    one, now, waits = breaker(failures=1_000, max_open_for=60.0), 0.0, []
    attempt(one, DeadEndpoint(), now)
    for _ in range(17):
        waits.append(one.trial_at - now)
        now = one.trial_at
        attempt(one, DeadEndpoint(), now)

    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-2:] == [21_600, 21_600]


@pytest.mark.parametrize("ending", [None, Throttled(), BadPayload()])
def test_a_trial_that_shows_life_closes_it_and_the_waits_begin_anew(ending):
    """
    After recovery the next outage begins with the first wait.
    """
    one = breaker(failures=1)
    attempt(one, Transient(), 0.0)
    attempt(one, Transient(), 1.0)
    attempt(one, ending, 3.0)
    assert (one.is_open, one.state, one.open_since) == (False, "closed", None)

    attempt(one, Transient(), 10.0)
    assert one.trial_at == 11.0


def test_opening_by_hand_is_like_opening_by_failures():
    """
    A batch that has spent its attempts trips it before the count is full.
    """
    one = breaker(failures=1_000, open_for=2.0)
    attempt(one, Transient())
    one.trip(5.0)
    assert (one.is_open, one.trial_at) == (True, 7.0)

    attempt(one, Transient(), 7.0)
    assert one.trial_at == 11.0
    attempt(one, None, 11.0)
    assert not one.is_open


def test_nothing_passes_while_it_is_open():
    """
    An attempt that is no trial is not made.
    """
    one = breaker(failures=1)
    attempt(one, Transient())

    with pytest.raises(CircuitOpen):
        one.call(lambda: pytest.fail("it was made"), trial=False)


@pytest.mark.parametrize("shift", [timedelta(days=-3_000), timedelta(days=3_000), timedelta(0)])
def test_the_wall_clock_does_not_matter(monkeypatch, shift):
    """
    Whoever sets the clock, an open breaker stays open and a trial stays a trial.
    """
    one = breaker(failures=1)
    attempt(one, Transient(), 0.0)

    class Shifted(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + shift

    monkeypatch.setattr(pybreaker, "datetime", Shifted)
    with pytest.raises(CircuitOpen):
        one.call(lambda: None, trial=False)
    assert attempt(one, Transient(), 1.0)
    assert (one.is_open, one.trial_at) == (True, 3.0)
    assert attempt(one, None, 3.0)
    assert not one.is_open


class BreakerMachine(RuleBasedStateMachine):
    """A naive model beside it: failures in a row, since when it is open, how long it waits, and what it counts."""

    @initialize(failures=st.integers(1, 4), open_for=st.sampled_from([0.5, 1.0]), longest=st.sampled_from([1.0, 20.0]))
    def set_up(self, failures: int, open_for: float, longest: float) -> None:
        self.policy = BreakerPolicy(failures, open_for, longest)
        self.breaker = Breaker(self.policy)
        self.now = 100.0
        self.failures = self.opened = self.closed = self.trials = 0
        self.since: float | None = None
        self.wait = 0.0

    @rule(seconds=st.floats(0, 30))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(error=st.sampled_from([None, Transient(), Throttled(), BadPayload(), DeadEndpoint()]))
    def attempt(self, error: Exception | None) -> None:
        """The lane asks at the trial's time only; then exactly one attempt passes."""
        trial = self.since is not None
        if trial and self.now < self.breaker.trial_at:
            return
        assert attempt(self.breaker, error, self.now), "an attempt whose time has come is made"
        self.trials += trial
        if isinstance(error, DeadEndpoint):
            self._open(1.0, 21_600.0)
        elif isinstance(error, Transient):
            self.failures += 1
            if trial or self.failures >= self.policy.failures:
                self._open(self.policy.open_for, self.policy.max_open_for)
        else:
            self._close()

    @rule()
    def reset(self) -> None:
        self.breaker.reset()
        self._close()

    def _close(self) -> None:
        self.closed += self.since is not None
        self.failures, self.since, self.wait = 0, None, 0.0

    @rule()
    def trip(self) -> None:
        self.breaker.trip(self.now)
        self._open(self.policy.open_for, self.policy.max_open_for)

    def _open(self, first: float, longest: float) -> None:
        self.opened += self.since is None
        self.since = self.now if self.since is None else self.since
        self.wait = min(longest, self.wait * 2 or first)
        self.failures = 0
        assert self.breaker.trial_at == self.now + self.wait

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "breaker"):
            assert self.breaker.open_since == self.since
            assert self.breaker.is_open == (self.since is not None)
            assert self.breaker.state == ("closed" if self.since is None else "open")
            assert (self.breaker.opened, self.breaker.closed) == (self.opened, self.closed)
            assert self.breaker.trials == self.trials
            assert self.opened - self.closed == self.breaker.is_open


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
