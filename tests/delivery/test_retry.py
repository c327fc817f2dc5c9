"""How often a batch is tried again, and how late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curl_interceptor.delivery.retry import RetryPlan
from curl_interceptor.policies import RetryPolicy


def delays(policy: RetryPolicy) -> list[float]:
    plan, found = RetryPlan(policy), []
    while (delay := plan.delay()) is not None:
        found.append(delay)
    assert plan.delay() is None
    return found


def test_the_waits_grow_up_to_the_longest():
    """
    1, 2, 4 … seconds, never more than `max_wait`.
    """
    assert delays(RetryPolicy(retries=6, wait=1.0, factor=2.0, max_wait=10.0, jitter=False)) == [1, 2, 4, 8, 10, 10]


def test_without_retries_there_is_one_attempt():
    """
    `retries=0` is used up by the first failure.
    """
    plan = RetryPlan(RetryPolicy(retries=0))

    assert plan.attempts == 0
    assert plan.delay() is None


def test_attempts_are_counted():
    """
    Each failure that is to be followed by another attempt counts.
    """
    plan = RetryPlan(RetryPolicy(retries=2))
    plan.delay()
    assert plan.attempts == 1
    plan.delay()
    assert plan.attempts == 2


def test_a_hundred_retries_with_the_largest_factor_do_not_overflow():
    """
    10 to the power of 100 is cut to `max_wait`.
    """
    found = delays(RetryPolicy(retries=100, wait=3_600.0, factor=10.0, max_wait=86_400.0, jitter=False))

    assert len(found) == 100
    assert max(found) == 86_400.0


@pytest.mark.parametrize("jitter", [True, False])
def test_no_wait_means_at_once(jitter):
    """
    `wait=0` repeats at once, jitter or not.
    """
    assert delays(RetryPolicy(retries=3, wait=0.0, jitter=jitter)) == [0.0, 0.0, 0.0]


def test_jitter_spreads_over_the_whole_range():
    """
    The wait is anything from 0 to the computed one, so that many processes do not return together.
    """
    firsts = [RetryPlan(RetryPolicy(wait=8.0)).delay() for _ in range(300)]

    assert all(0.0 <= first <= 8.0 for first in firsts)
    assert min(firsts) < 2.0
    assert max(firsts) > 6.0


@given(
    retries=st.integers(0, 100),
    wait=st.floats(0, 100),
    factor=st.floats(1, 10),
    longest=st.floats(0, 1_000),
    jitter=st.booleans(),
)
def test_every_wait_is_within_its_bounds(retries, wait, factor, longest, jitter):
    """
    As many waits as retries, each between 0 and the computed one.
    """
    longest = max(wait, longest)
    found = delays(RetryPolicy(retries=retries, wait=wait, factor=factor, max_wait=longest, jitter=jitter))

    assert len(found) == retries
    for number, delay in enumerate(found):
        most = min(longest, wait * factor**number)
        assert 0.0 <= delay <= most * (1 + 1e-9)
        assert jitter or delay == pytest.approx(most)
