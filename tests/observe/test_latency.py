"""How long something took, told by a histogram."""

from __future__ import annotations

import json
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curl_interceptor.observe.histogram import DELIVERY_BUCKETS, Histogram
from curl_interceptor.observe.stats import Latency

durations = st.lists(st.floats(0, 100), min_size=1, max_size=60)


def measured(seconds: list[float]) -> Latency:
    histogram = Histogram(DELIVERY_BUCKETS)
    for one in seconds:
        histogram.note(one)
    return histogram.latency()


@given(durations)
def test_buckets_count_what_took_at_most_so_long(seconds):
    """
    Each bucket has everything up to its bound, and the last one has everything.
    """
    latency = measured(seconds)

    for bound, count in latency.buckets:
        assert count == sum(one <= bound for one in seconds)
    assert latency.buckets[-1][1] == latency.count == len(seconds)
    assert latency.total == pytest.approx(sum(seconds))
    assert latency.longest == max(seconds)


@given(durations, st.floats(0, 1), st.floats(0, 1))
def test_quantiles_lie_in_the_right_bucket_and_never_fall(seconds, one, other):
    """
    A quantile is within the bucket of the true one, and a greater share is never a shorter time.
    """
    latency = measured(seconds)
    low, high = (latency.quantile(share) for share in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert 0 <= low <= high <= max(seconds)

    true = sorted(seconds)[max(0, ceil(round(one * len(seconds), 9)) - 1)]
    found = latency.quantile(one)
    assert found is not None
    assert found <= next(bound for bound, _ in latency.buckets if true <= bound)


@given(durations, durations)
def test_two_add_up_to_one(one, other):
    """
    The sum of two is what one that saw everything would say.
    """
    together, both = measured(one) + measured(other), measured(one + other)

    assert (together.count, together.longest, together.buckets) == (both.count, both.longest, both.buckets)
    assert together.total == pytest.approx(both.total)


def test_nothing_has_no_quantile():
    """
    What never happened has neither a mean nor a quantile, and JSON can say so.
    """
    for empty in (Latency(), Histogram(DELIVERY_BUCKETS).latency()):
        assert empty.mean is None
        assert empty.quantile(0.5) is None
        assert empty + measured([1.0]) == measured([1.0]) + empty
        json.dumps(empty.as_dict(), allow_nan=False)


def test_a_share_is_between_nothing_and_all():
    """
    A percentage where a share is wanted is refused.
    """
    with pytest.raises(ValueError, match=r"from 0 to 1, got 95"):
        measured([1.0]).quantile(95)


def test_a_clock_that_went_back_costs_no_time():
    """
    Less than nothing counts as nothing.
    """
    assert measured([-5.0]).total == 0.0
