"""Health documents, whatever the figures are, by the rules of the draft."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curl_interceptor.observe.health import health
from curl_interceptor.observe.stats import InspectorStats, QueueStats, Stats
from observe.figures import pipelines
from observe.health_rules import broken_rules


@given(pipelines(), st.sampled_from(["warn", "fail"]), st.floats(0, 4e9))
def test_every_document_keeps_every_rule(stats, trouble, at):
    """
    Whatever the figures are, the document is one of the draft's, as strict JSON.
    """
    document = json.loads(json.dumps(health(stats, at=at, trouble=trouble), allow_nan=False))

    assert broken_rules(document, 503 if document["status"] == "fail" else 200) == []


@pytest.mark.parametrize(
    ("inspector", "output"),
    [
        (InspectorStats("a"), None),
        (InspectorStats("a", last_error="HTTP 500"), None),
        (InspectorStats("a", breaker="open", last_error="HTTP 503"), "takes nothing at the moment (HTTP 503)"),
        (InspectorStats("a", breaker="half-open"), "takes nothing at the moment"),
        (InspectorStats("a", degraded="counted"), "entries were lost in the last minute"),
        (InspectorStats("a", degraded="plain"), "degraded in the last minute: plain"),
    ],
)
def test_trouble_of_a_webhook_is_a_warning_that_says_what_it_is(inspector, output):
    """
    A webhook in trouble is `warn` and named; one that had an error and goes on is fine.
    """
    document = health(Stats(inspectors=(inspector,)), at=0.0)

    assert document["status"] == ("pass" if output is None else "warn")
    assert document["checks"]["destination:responseTime"][0].get("output") == output
    assert document.get("output") == (None if output is None else f"a: {output}")


def test_a_queue_that_is_nearly_full_is_a_warning():
    """
    From four fifths on, by whichever bound is nearer.
    """
    assert health(Stats(queue=QueueStats(79, 100, 0, 100)), at=0.0)["status"] == "pass"
    assert health(Stats(queue=QueueStats(0, 100, 80, 100)), at=0.0)["status"] == "warn"


def test_many_destinations_are_bounded_and_the_troubled_come_first():
    """
    Of a thousand a hundred are shown, and the one in trouble is among them.
    """
    many = [InspectorStats(f"hook{number}") for number in range(999)]
    document = health(Stats(inspectors=(*many, InspectorStats("bad", breaker="open"))), at=0.0)

    shown = document["checks"]["destination:responseTime"]
    assert len(shown) == 100
    assert shown[0]["componentId"] == "bad"
    assert "destinations shown: 100 of 1000" in document["notes"]


def test_inspectors_that_are_off_are_noted():
    """
    A missing environment variable can be seen from outside.
    """
    document = health(Stats(off=2), at=0.0)

    assert document["status"] == "pass"
    assert document["notes"] == ["inspectors or fallbacks that are off, given as None or as an empty text: 2"]


def test_the_checker_sees_what_is_wrong():
    """
    Each rule can be broken.
    """
    good = health(Stats(inspectors=(InspectorStats("a", breaker="open"),)), at=0.0)
    assert broken_rules(good, 200) == []
    check = good["checks"]["destination:responseTime"][0]

    assert broken_rules(good, 503)
    assert broken_rules({}, 200)
    assert broken_rules({"status": "warn"}, 200)
    assert broken_rules({"status": "pass", "output": "x"}, 200)
    assert broken_rules({**good, "status": "pass"}, 200)
    for bad in ({}, {**check, "time": "now"}, {**check, "observedValue": 1}, {**check, "status": "pass"}):
        assert broken_rules({**good, "checks": {"destination:responseTime": [bad]}}, 200)
    for key in ("webhook:a:responseTime", ":uptime", "destination:mood"):
        assert broken_rules({**good, "checks": {key: [check]}}, 200)
