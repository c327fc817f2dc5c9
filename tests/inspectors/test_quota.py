"""What the headers of an answer say about when the next message may come, and which of them nobody believes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curl_interceptor.inspectors.quota import Quota, quota

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-remaining": "4", "x-ratelimit-reset-after": "1.5"}, Quota(4, 1.5)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 30)}, Quota(0, 30.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, Quota(0, 30.0)),
        # The relative time needs no common clock.
        (
            {"x-ratelimit-remaining": "1", "x-ratelimit-reset": str(NOW + 99), "x-ratelimit-reset-after": "2"},
            Quota(1, 2.0),
        ),
        ({"ratelimit-limit": "10", "ratelimit-remaining": "3", "ratelimit-reset": "20"}, Quota(3, 20.0)),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, Quota(50, 5.0)),
        ({"ratelimit": '"default";r=50;t=30'}, Quota(50, 30.0)),
        ({"ratelimit": '"burst";r=9;t=1, "hour";r=2;t=600'}, Quota(2, 600.0)),
        ({"ratelimit": '"burst";r=0;t=1, "hour";r=0;t=600'}, Quota(0, 600.0)),
        ({"ratelimit-policy": '"default";q=100;w=60'}, None),
    ],
)
def test_each_form_is_understood(headers, expected):
    """
    The headers of chat services and those of the IETF's drafts mean the same.
    """
    assert quota(headers, now=NOW) == expected


@pytest.mark.parametrize(
    "reset",
    ["", "soon", "nan", "inf", "-1", "3601", "1e300", "9" * 400, str(NOW - 5), str(NOW + 7_200), str(NOW * 1_000)],
)
def test_a_time_without_sense_is_not_believed(reset):
    """
    No header but Retry-After stops deliveries for more than an hour, and a time in the past stops nothing.
    """
    for name in ("x-ratelimit-reset", "x-ratelimit-reset-after", "ratelimit-reset"):
        headers = {name: reset, "x-ratelimit-remaining": "0", "ratelimit-remaining": "0"}
        assert quota(headers, now=NOW) is None


def test_a_429_without_a_number_has_nothing_left():
    """
    Who says "too many" and when it is over need not say how many are left.
    """
    assert quota({"x-ratelimit-reset-after": "3"}, now=NOW) is None
    assert quota({"x-ratelimit-reset-after": "3"}, throttled=True, now=NOW) == Quota(0, 3.0)


NAMES = [
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "ratelimit",
    "ratelimit-remaining",
    "ratelimit-reset",
]


@given(headers=st.dictionaries(st.sampled_from(NAMES), st.text("0123456789;=rt,. e-\u00e9\u0663\0")))
def test_no_header_breaks_anything(headers):
    """
    Whatever stands there, the answer is a sane quota or none.
    """
    found = quota(headers, throttled=True, now=NOW)

    assert found is None or (found.remaining >= 0 and 0 <= found.seconds <= 3_600)
