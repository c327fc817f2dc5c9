"""A webhook gets no more messages than it was promised, in any interval whatever."""

from __future__ import annotations

from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from curl_interceptor.delivery.limiter import Limiter
from curl_interceptor.inspectors.quota import Quota
from curl_interceptor.policies import RateLimit


def test_without_a_policy_everything_may_go_now():
    """
    None limits nothing.
    """
    limiter = Limiter(None)
    for _ in range(100):
        limiter.spend(5.0)

    assert limiter.ready_at(5.0) == 5.0


def test_a_full_bucket_empties_at_once_and_each_token_is_away_for_the_whole_time():
    """
    `count` messages go at once; the next one when the first token is back.
    """
    limiter = Limiter(RateLimit(2, 10.0))
    limiter.spend(100.0)
    limiter.spend(103.0)

    assert limiter.ready_at(104.0) == 110.0
    limiter.spend(110.0)
    assert limiter.ready_at(110.0) == 113.0
    assert limiter.ready_at(113.0) == 113.0


def test_a_token_comes_back_counted_from_the_arrival():
    """
    A message that took 3 s to arrive was seen by the service at some time in these 3 s.
    """
    limiter = Limiter(RateLimit(1, 10.0))
    limiter.spend(100.0)
    limiter.answered(None, 103.0)

    assert limiter.ready_at(104.0) == 113.0


def test_a_long_rest_fills_no_more_than_one_bucket():
    """
    After an hour of silence `count` messages may go, not an hour's worth.
    """
    limiter = Limiter(RateLimit(2, 1.0))
    limiter.spend(0.0)
    for _ in range(2):
        assert limiter.ready_at(3_600.0) == 3_600.0
        limiter.spend(3_600.0)

    assert limiter.ready_at(3_600.0) > 3_600.0


def test_a_clock_that_is_set_back_gives_nothing_away():
    """
    A time before an earlier one fills nothing, neither then nor when the clock has caught up.
    """
    limiter = Limiter(RateLimit(1, 10.0))
    limiter.spend(100.0)
    limiter.ready_at(0.0)

    assert limiter.ready_at(100.0) == 110.0
    assert limiter.ready_at(50.0) > 50.0


def test_the_service_knows_better():
    """
    Where it says that nothing is left nothing goes before the reset; where it says that two are left, two go.
    """
    limiter = Limiter(None)
    limiter.answered(Quota(0, 7.0), 100.0)
    assert limiter.ready_at(101.0) == 107.0
    assert limiter.ready_at(107.0) == 107.0

    limiter.answered(Quota(2, 7.0), 107.0)
    for _ in range(2):
        assert limiter.ready_at(107.0) == 107.0
        limiter.spend(107.0)
    assert limiter.ready_at(107.0) == 114.0


def test_a_generous_service_does_not_loosen_the_policy():
    """
    A thousand messages left at the service are no reason to send more than the policy allows.
    """
    limiter = Limiter(RateLimit(1, 10.0))
    limiter.spend(0.0)
    limiter.answered(Quota(1_000, 60.0), 0.0)

    assert limiter.ready_at(5.0) == 10.0


def test_another_policy_does_not_forget_what_was_sent():
    """
    Ten messages just now are ten messages for a policy that allows two, and for one that allows twenty.
    """
    limiter = Limiter(RateLimit(10, 10.0))
    for _ in range(10):
        limiter.spend(0.0)
    limiter.govern(RateLimit(2, 5.0))
    assert limiter.ready_at(1.0) == 5.0

    limiter.govern(RateLimit(20, 5.0))
    assert limiter.ready_at(1.0) == 1.0


class LimiterMachine(RuleBasedStateMachine):
    """A naive model beside it: every message that went, and every word of the service."""

    @initialize(
        policy=st.none() | st.builds(RateLimit, st.integers(1, 6), st.floats(0.01, 100)), start=st.floats(0, 1e6)
    )
    def set_up(self, policy: RateLimit | None, start: float) -> None:
        self.policy, self.limiter = policy, Limiter(policy)
        self.now, self.latest = start, -inf
        self.arrived: list[float] = []
        self.quota: tuple[int, float] | None = None

    @rule(step=st.one_of(st.just(0.0), st.floats(-20, 60)))
    def pass_time(self, step: float) -> None:
        self.now += step

    @rule(latency=st.floats(0, 3), quota=st.none() | st.builds(Quota, st.integers(0, 4), st.floats(0, 50)))
    def send(self, latency: float, quota: Quota | None) -> None:
        ready = self.limiter.ready_at(self.now)
        assert ready >= self.now
        clock = max(self.now, self.latest)
        if ready > self.now:
            assert self.must_wait(clock), "it waits for nothing"
            return
        assert not self.must_wait(clock), "it goes too early"
        self.limiter.spend(self.now)
        if self.quota is not None:
            self.quota = (self.quota[0] - 1, self.quota[1])
        self.now += latency
        self.latest = max(self.now, clock)
        self.arrived.append(self.latest)
        self.limiter.answered(quota, self.now)
        if quota is not None:
            self.quota = (quota.remaining, self.latest + quota.seconds)

    @rule()
    def wait_as_told(self) -> None:
        """Whoever comes at the time that was named is let through: nobody starves."""
        self.now = max(self.now, self.latest)
        self.now = self.limiter.ready_at(self.now)
        assert self.limiter.ready_at(self.now) == self.now

    def must_wait(self, clock: float) -> bool:
        if self.quota is not None and self.quota[0] <= 0 and self.quota[1] > clock:
            return True
        if self.policy is None:
            return False
        away = [arrival for arrival in self.arrived if arrival + self.policy.seconds > clock]
        return len(away) >= self.policy.count

    @invariant()
    def no_interval_has_more_than_the_policy_allows(self) -> None:
        if not hasattr(self, "limiter") or self.policy is None:
            return
        for first, begin in enumerate(self.arrived):
            within = [one for one in self.arrived[first:] if one < begin + self.policy.seconds]
            assert len(within) <= self.policy.count
        assert len(self.limiter._spent) <= self.policy.count


TestLimiterMachine = LimiterMachine.TestCase
TestLimiterMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
