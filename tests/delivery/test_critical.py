"""What `critical=True` promises, from the app's call to the webhook: never held back, never sampled, dropped last."""

from __future__ import annotations

import json

import pytest
from support.receiver import slow, status

import curl_interceptor
from curl_interceptor import BatchPolicy, Cooldown, LanePolicy, Match, RetryPolicy, WebhookInspector


def mount(session, pipeline, *inspectors, **options):
    return curl_interceptor.mount(session, *inspectors, pipeline=pipeline, **options)


def numbers(receiver, path: str) -> list[int]:
    found = [json.loads(body) for body in receiver.bodies(path)]
    documents = [document for one in found for document in (one if isinstance(one, list) else [one])]
    return [int(document["url"].rpartition("=")[2]) for document in documents]


@pytest.fixture
def fail(session, api):
    """Let equal calls fail; they differ by their number alone."""
    counter = iter(range(1_000))

    def fail(count: int = 1) -> None:
        for _ in range(count):
            session.get(api.url(f"/status/500?number={next(counter)}"))

    return fail


def test_equals_are_never_held_back(session, receiver, pipeline, fail):
    """
    Each of them arrives where it is critical, and one where it is not.
    """
    adapter = mount(
        session,
        pipeline,
        WebhookInspector(receiver.url("/all"), critical=True),
        receiver.url("/one"),
        cooldown=Cooldown(60),
    )
    fail(5)
    assert adapter.flush(2)
    assert (numbers(receiver, "/all"), numbers(receiver, "/one")) == ([0, 1, 2, 3, 4], [0])


def test_chance_leaves_none_out(session, receiver, pipeline, fail):
    """
    Neither by the share that a match wants, nor by the share that an expression does not want.
    """
    adapter = mount(
        session,
        pipeline,
        WebhookInspector(receiver.url("/some"), critical=True, match=Match(sample=0.01)),
        WebhookInspector(receiver.url("/rest"), critical=True, match=Match() & ~Match(hosts="127.*", sample=0.99)),
    )
    fail(10)
    assert adapter.flush(2)
    assert (numbers(receiver, "/some"), numbers(receiver, "/rest")) == (list(range(10)), list(range(10)))


def test_no_batch_has_to_fill(session, receiver, pipeline, fail):
    """
    It goes out at once, though the batch has a minute.
    """
    mount(session, pipeline, WebhookInspector(receiver.url("/hook"), critical=True), batch=BatchPolicy(100, 60))
    fail()
    receiver.wait(1, 2.0)


@pytest.mark.parametrize("critical_first", [True, False])
def test_of_two_inspectors_of_one_address_the_critical_one_decides(session, receiver, pipeline, fail, critical_first):
    """
    An entry that both want is critical, in whatever order they are given.
    """
    url = receiver.url("/hook")
    inspectors = [WebhookInspector(url, critical=True), WebhookInspector(url)]
    if not critical_first:
        inspectors.reverse()
    adapter = mount(session, pipeline, *inspectors, batch=BatchPolicy(100, 60), cooldown=Cooldown(60))
    fail(3)
    receiver.wait(1, 2.0)
    assert adapter.flush(2)
    assert numbers(receiver, "/hook") == [0, 1, 2]


def test_a_full_lane_drops_the_others_first(session, receiver, pipeline, api):
    """
    Of one address, what is critical outlives what is newer.
    """
    receiver.script("/hook", [slow(0.4)])
    url = receiver.url("/hook")
    adapter = mount(
        session,
        pipeline,
        WebhookInspector(url, critical=True, match=Match(statuses=500)),
        WebhookInspector(url, match=Match(statuses="4xx")),
        batch=BatchPolicy(1, 0),
        cooldown=None,
        lane=LanePolicy(records=4),
    )
    session.get(api.url("/status/404?number=0"))
    receiver.wait(1)
    session.get(api.url("/status/500?number=1"))
    for number in range(2, 12):
        session.get(api.url(f"/status/{400 + number}?number={number}"))  # no two are equal
    assert adapter.flush(3)
    assert sorted(numbers(receiver, "/hook")) == [0, 1, 10, 11]


def test_a_fallback_gets_it_as_critical(session, receiver, pipeline, fail):
    """
    What was critical where it was meant to go waits for no batch where it goes instead.
    """
    receiver.script("/main", then=status(400))
    mount(
        session,
        pipeline,
        WebhookInspector(receiver.url("/main"), critical=True, batch=BatchPolicy(1, 0), retry=RetryPolicy(0)),
        fallbacks=[receiver.url("/second")],
        batch=BatchPolicy(100, 60),
    )
    fail()
    receiver.wait(3, 2.0)  # rich, plain, and to the fallback
    assert numbers(receiver, "/second") == [0]
