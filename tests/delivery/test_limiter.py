"""A webhook gets no more messages than it was promised, in any interval whatever."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curl_interceptor.delivery.limiter import Limiter
from curl_interceptor.policies import RateLimit


def test_without_a_policy_everything_may_go_now():
    """
    None limits nothing.
    """
    limiter = Limiter(None)
    for _ in range(100):
        limiter.spend(5.0)

    assert limiter.ready_at(5.0) == 5.0


def test_a_full_bucket_empties_at_once_and_fills_steadily():
    """
    `count` messages go at once; then one for each `seconds / count`.
    """
    limiter = Limiter(RateLimit(5, 10.0))
    for _ in range(5):
        assert limiter.ready_at(100.0) == 100.0
        limiter.spend(100.0)

    assert limiter.ready_at(100.0) == pytest.approx(102.0)
    assert limiter.ready_at(101.0) == pytest.approx(102.0)
    assert limiter.ready_at(102.0) == 102.0


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

    assert limiter.ready_at(100.0) == pytest.approx(110.0)
    assert limiter.ready_at(50.0) > 50.0


@given(
    count=st.integers(1, 8),
    seconds=st.floats(0.01, 100),
    start=st.floats(0, 1e7),
    steps=st.lists(st.one_of(st.just(0.0), st.floats(-50, 50)), max_size=60),
)
def test_no_interval_has_more_than_a_bucket_and_what_flowed_in(count, seconds, start, steps):
    """
    Between any two messages lie at most `count` and the share of the time that passed, on a clock that jumps, too.
    """
    limiter, now, latest, sent = Limiter(RateLimit(count, seconds)), start, -inf, []
    limiter.ready_at(start)
    for step in steps:
        now += step
        if limiter.ready_at(now) <= now:
            limiter.spend(now)
            latest = max(latest, now)
            sent.append(latest)
    for first, begin in enumerate(sent):
        for last in range(first, len(sent)):
            allowed = count + (sent[last] - begin) * count / seconds
            assert last - first + 1 <= allowed + 1e-6


@given(count=st.integers(1, 8), seconds=st.floats(0.01, 100), start=st.floats(0, 1e7))
def test_the_time_that_is_named_is_the_truth(count, seconds, start):
    """
    Whoever comes at the time that was named is let through, or a few rounding errors later; time never stands still.
    """
    limiter = Limiter(RateLimit(count, seconds))
    now = start
    for _ in range(count + 5):
        for _ in range(10):
            ready = limiter.ready_at(now)
            if ready <= now:
                break
            assert ready > now
            now = ready
        else:
            raise AssertionError("it is never ready")
        limiter.spend(now)
