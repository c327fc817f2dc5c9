"""The exposition, read by the parsers of the official Prometheus client."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from curl_interceptor.observe.calls import Calls
from curl_interceptor.observe.histogram import DELIVERY_BUCKETS, Histogram
from curl_interceptor.observe.metrics import exposition
from curl_interceptor.observe.stats import InspectorStats, Rate, Stats
from observe.figures import pipelines

# What dashboards and alerts stand on.
NAMES = {
    "curl_interceptor_records": "counter",
    "curl_interceptor_deliveries": "counter",
    "curl_interceptor_delivery_seconds": "histogram",
    "curl_interceptor_queue_size": "gauge",
    "curl_interceptor_queue_capacity": "gauge",
    "curl_interceptor_breaker_state": "gauge",
    "curl_interceptor_capture_seconds": "histogram",
    "curl_interceptor_dropped": "counter",
    "curl_interceptor_held_bytes": "gauge",
    "curl_interceptor_threads": "gauge",
    "curl_interceptor_error_ratio": "gauge",
    "curl_interceptor_app_errors": "counter",
}


def samples(stats: Stats, *, openmetrics: bool = False) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by its name and labels, each once."""
    parse = parse_openmetrics if openmetrics else parse_text
    found = {}
    for family in parse(exposition(stats, openmetrics=openmetrics)):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def value(stats: Stats, name: str, **labels: str) -> float:
    return samples(stats)[f"curl_interceptor_{name}", frozenset(labels.items())]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_names_and_types_are_those_that_are_promised(openmetrics):
    """
    Each promised metric is there with its type, and every one has a text.
    """
    parse = parse_openmetrics if openmetrics else parse_text
    found = {family.name: family for family in parse(exposition(Stats(), openmetrics=openmetrics))}

    assert NAMES.items() <= {name: family.type for name, family in found.items()}.items()
    assert all(family.documentation for family in found.values())
    assert all(name.startswith("curl_interceptor_") for name in found)


@given(pipelines())
def test_both_formats_say_the_same(stats):
    """
    Both parsers take it, and read the same samples out of it.
    """
    text, openmetrics = samples(stats), samples(stats, openmetrics=True)

    assert text.keys() == openmetrics.keys()
    for key, found in text.items():
        assert found == openmetrics[key] or (math.isnan(found) and math.isnan(openmetrics[key]))


@given(st.text(min_size=1), st.text(min_size=1))
def test_whatever_a_label_is_it_comes_back(one, other):
    """
    Quotes, backslashes, newlines and all of Unicode survive; two labels stay two.
    """
    stats = Stats(inspectors=tuple(InspectorStats(label, delivered=3, routed=3) for label in {one, other}))

    found = {dict(labels)["destination"] for name, labels in samples(stats) if name.endswith("deliveries_total")}
    assert found == {label.encode("utf-8", "replace").decode() for label in (one, other)}


def test_figures_arrive_at_their_metric():
    """
    A value is where a reader looks for it.
    """
    histogram = Histogram(DELIVERY_BUCKETS)
    for seconds in (0.001, 0.3, 20.0):
        histogram.note(seconds)
    calls = Calls()
    for status in (200, 404, 500, 500):
        calls.note("https://api.example.com/", status, 1.0)
    hook = InspectorStats(
        "hook",
        routed=13,
        delivered=4,
        suppressed=1,
        dropped={"expired": 2},
        failed=5,
        pending=1,
        breaker="open",
        oldest_age=7.5,
        latency=histogram.latency(),
        last_minute=Rate(4, 1),
    )
    stats = Stats(
        accepted=9, unmatched=2, dropped={"queue_full": 3}, routed=4, inspectors=(hook,), hosts=calls.stats(1.0), off=1
    )

    assert value(stats, "records_total", outcome="dropped") == 3
    assert value(stats, "dropped_total", reason="expired") == 2
    assert value(stats, "dropped_total", reason="lane_full") == 0
    assert value(stats, "deliveries_total", destination="hook", outcome="failed") == 5
    assert value(stats, "breaker_state", destination="hook", state="open") == 1
    assert value(stats, "breaker_state", destination="hook", state="closed") == 0
    assert value(stats, "oldest_pending_seconds", destination="hook") == 7.5
    assert value(stats, "error_ratio", destination="hook", window="1m") == 0.25
    assert math.isnan(value(stats, "error_ratio", destination="hook", window="5m"))
    assert value(stats, "delivery_seconds_bucket", destination="hook", le="0.5") == 2
    assert value(stats, "delivery_seconds_bucket", destination="hook", le="+Inf") == 3
    assert value(stats, "delivery_seconds_sum", destination="hook") == pytest.approx(20.301)
    assert value(stats, "app_calls_total", host="api.example.com") == 4
    assert value(stats, "app_errors_total", host="api.example.com", outcome="5xx") == 2
    assert value(stats, "inspectors_off") == 1


def test_cardinality_is_bounded_and_nothing_is_lost():
    """
    A thousand destinations and as many hosts are a hundred names each, and the sums are whole.
    """
    inspectors = tuple(InspectorStats(f"hook{n}", routed=n, delivered=n) for n in range(1_000))
    calls = Calls()
    for number in range(1_000):
        calls.note(f"https://host{number}/", 200, 1.0)
    found = samples(Stats(inspectors=inspectors, hosts=calls.stats(1.0)))

    destinations = {dict(labels).get("destination") for _, labels in found} - {None}
    hosts = {dict(labels).get("host") for _, labels in found} - {None}
    assert (len(destinations), len(hosts)) == (100, 101)
    delivered = [
        count
        for (name, labels), count in found.items()
        if name.endswith("deliveries_total") and ("outcome", "delivered") in labels
    ]
    assert sum(delivered) == sum(range(1_000))
