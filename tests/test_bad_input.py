"""Every number and callable that can be given, at its limits and beyond: taken, or refused with a sentence."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from curl_interceptor import (
    BatchPolicy,
    BreakerPolicy,
    CapturePolicy,
    ConfigurationError,
    Cooldown,
    CurlInterceptor,
    LanePolicy,
    LazyInspector,
    Match,
    Pipeline,
    RateLimit,
    Redaction,
    RetryPolicy,
    TransportPolicy,
    WebhookInspector,
    policies,
)
from curl_interceptor.policies import PipelinePolicy

YEAR = 10**9
# What is made, the number that is meant, its least and its greatest value, and whether it is whole.
NUMBERS = [
    (CapturePolicy, "request_body", 0, 16 * 1024 * 1024, True),
    (CapturePolicy, "response_body", 0, 16 * 1024 * 1024, True),
    (BatchPolicy, "size", 1, 1_000, True),
    (BatchPolicy, "seconds", 0, 3_600, False),
    (Cooldown, "seconds", 0.001, 86_400, False),
    (Cooldown, "max_keys", 1, 1_000_000, True),
    (RateLimit, "count", 1, 100_000, True),
    (RateLimit, "seconds", 0.001, 86_400, False),
    (RetryPolicy, "retries", 0, 100, True),
    (RetryPolicy, "wait", 0, 3_600, False),
    (RetryPolicy, "factor", 1, 10, False),
    (RetryPolicy, "max_wait", 1.0, 86_400, False),
    (BreakerPolicy, "failures", 1, 1_000, True),
    (BreakerPolicy, "open_for", 0.01, 3_600, False),
    (BreakerPolicy, "max_open_for", 1.0, 86_400, False),
    (TransportPolicy, "connect", 0.01, 300, False),
    (TransportPolicy, "total", 0.01, 600, False),
    (TransportPolicy, "pool_size", 0, 1_000, True),
    (TransportPolicy, "idle", 0, 3_600, False),
    (LanePolicy, "records", 1, 1_000_000, True),
    (LanePolicy, "bytes", 10_000, 1_000_000_000, True),
    (LanePolicy, "age", 0.1, 604_800, False),
    (PipelinePolicy, "queue_size", 1, 10_000_000, True),
    (PipelinePolicy, "queue_bytes", 10_000, 10_000_000_000, True),
    (PipelinePolicy, "workers", 1, 1_000, True),
    (PipelinePolicy, "exit_timeout", 0, 3_600, False),
    (PipelinePolicy, "linger", 0, 10, False),
    (Match, "slower_than", 0, 86_400, False),
    (Match, "sample", 0, 1, False),
    (CurlInterceptor, "fallback_after", 0, 86_400, False),
]
REQUIRED = {
    RateLimit: {"count": 5, "seconds": 2},
    RetryPolicy: {"max_wait": 86_400},
    BreakerPolicy: {"max_open_for": 86_400},
}
WRONG_TYPES = [True, False, "5", b"5", [], (1,), {}, object(), 1j, Decimal(1), Fraction(1, 2)]
NO_NUMBER = [*WRONG_TYPES, math.nan, math.inf, -math.inf]


class Unreadable:
    def __repr__(self) -> str:
        raise RuntimeError


def make(kind, name, value):
    if kind is CurlInterceptor:
        return CurlInterceptor(inspectors="http://127.0.0.1:9/", pipeline=Pipeline(), **{name: value})
    return kind(**{**REQUIRED.get(kind, {}), name: value})


def refusal(kind, name, value) -> str:
    with pytest.raises(ConfigurationError) as caught:
        make(kind, name, value)
    return str(caught.value)


ids = [f"{kind.__name__}.{name}" for kind, name, *_ in NUMBERS]


@pytest.mark.parametrize(("kind", "name", "least", "most", "whole"), NUMBERS, ids=ids)
def test_a_number_is_taken_within_its_limits_and_refused_beyond(kind, name, least, most, whole):
    """
    The sentence names the keyword, the value and the range.
    """
    make(kind, name, least)
    make(kind, name, most)
    step = 1 if whole else 0.0009
    for value in (least - step, most + step, -1, -YEAR, YEAR * YEAR, 10**400, 1.7e308):
        said = refusal(kind, name, value)
        assert name in said
        assert f"from {least:,} to {most:,}" in said
        if abs(value) < YEAR:
            assert repr(value) in said


@pytest.mark.parametrize(("kind", "name", "least", "most", "whole"), NUMBERS, ids=ids)
def test_what_is_no_number_is_refused(kind, name, least, most, whole):
    """
    True is no number either, nor is one that is infinite, unwritable, or not whole where wholes are counted.
    """
    for value in (*NO_NUMBER, Unreadable(), 10**5_000, *([float(most), most - 0.5] if whole else [])):
        said = refusal(kind, name, value)
        assert name in said
        assert "number" in said
        assert type(value).__name__ in said


def test_every_number_of_every_policy_is_in_the_table():
    """
    So that none is forgotten when one is added.
    """
    numbers = set()
    for kind in [getattr(policies, name) for name in policies.__all__]:
        for field in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
            if field.type in ("int", "float"):
                numbers.add((kind, field.name))
    assert numbers <= {(kind, name) for kind, name, *_ in NUMBERS}


@pytest.mark.parametrize("value", [-1, 3_601, math.nan, math.inf, True, "2", [], 10**400], ids=repr)
def test_a_time_to_wait_is_checked_where_it_is_given(value):
    """
    By `flush` and `close` too.
    """
    pipeline = Pipeline()
    for act in (pipeline.flush, pipeline.close):
        with pytest.raises(ConfigurationError, match="timeout must be a number of seconds from 0 to 3,600"):
            act(value)
    assert not pipeline.closed
    assert pipeline.close(0)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (RetryPolicy, "jitter"),
        (TransportPolicy, "trust_env"),
        (Redaction, "numbered"),
        (CurlInterceptor, "enabled"),
        (partial(WebhookInspector, "http://127.0.0.1:9/"), "critical"),
    ],
)
@pytest.mark.parametrize("value", [0, 1, "yes", None, [], Unreadable()], ids=lambda value: type(value).__name__)
def test_a_switch_is_on_or_off(kind, name, value):
    """
    What only looks like it is refused.
    """
    with pytest.raises(ConfigurationError, match=f"{name} must be True or False"):
        kind(**{name: value})


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *[(name, value) for name in ("batch", "retry", "breaker", "transport", "lane") for value in (None, 5, {}, "x")],
        *[(name, value) for name in ("cooldown", "rate_limit") for value in (0, 60, False, (5, 2))],
        *[("match", value) for value in (5, "5xx", {}, Match, lambda record: True)],
        *[("capture", value) for value in (5, False, {})],
        *[("redaction", value) for value in (None, False, Redaction, {})],
        *[("pipeline", value) for value in (5, Pipeline)],
        *[("fallbacks", value) for value in (5, [5], {"a": 1}, [WebhookInspector], b"", [[]])],
        ("batch", BatchPolicy),
        ("batch", Cooldown()),
        ("batch", Unreadable()),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_value_of_another_kind_is_refused(keyword, value):
    """
    The sentence names the keyword and what to write.
    """
    with pytest.raises(ConfigurationError) as caught:
        CurlInterceptor(inspectors="http://127.0.0.1:9/", **{keyword: value})
    assert keyword in str(caught.value)


@pytest.mark.parametrize("path", ["/tmp/calls.ndjson", "./calls.ndjson", Path("/tmp/calls.ndjson")])
def test_a_bare_path_among_the_fallbacks_is_refused_with_the_way_to_write_a_file(path):
    """
    Who wants a file learns of `file:`, instead of being asked for https.
    """
    with pytest.raises(ConfigurationError, match="file:/"):
        CurlInterceptor(inspectors="http://127.0.0.1:9/", fallbacks=path)


async def later(*values):
    return True


def pieces(*values):
    yield True


def judging(verdict):
    return type("Judging", (WebhookInspector,), {"verdict": staticmethod(verdict)})


class Later:
    async def __call__(self, *values):
        return True


@pytest.mark.parametrize(
    "give",
    [
        lambda value: Match(predicate=value),
        lambda value: Redaction(also=value),
        lambda value: LazyInspector(value),
        lambda value: CurlInterceptor(inspectors="http://127.0.0.1:9/", fallbacks=[value]),
        lambda value: judging(value)("http://127.0.0.1:9/"),
    ],
    ids=["predicate", "also", "factory", "fallback", "verdict"],
)
@pytest.mark.parametrize(
    "value", [later, pieces, Later(), lambda one, two: True], ids=["async", "generator", "object", "arguments"]
)
def test_a_callable_that_would_never_answer_is_refused(give, value):
    """
    An async function, a generator, and one that wants other arguments.
    """
    with pytest.raises(ConfigurationError, match=r"plain function|must take"):
        give(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statuses", [[[]], {}, b"5xx", "", "5x", "1000", 99, 1000, True, 5.0, range(10**12), range(0)]),
        ("errors", [[], False, 3, int, "No Such", [None]]),
        ("methods", [[], "", 3, ["GET", 3], b"GET"]),
        ("hosts", [[], "", 3, ["x", None], "a/b"]),
        ("include", [[], "", 3, "x", b"/x", [None]]),
        ("exclude", [[], "", 3, "x", b"/x", [None]]),
        ("predicate", [3, "x", lambda: True]),
    ],
)
def test_a_condition_that_means_nothing_is_refused(name, value):
    """
    Each condition of a match, with the name of what is wrong.
    """
    for one in value:
        with pytest.raises(ConfigurationError, match="match: "):
            Match(**{name: one})
