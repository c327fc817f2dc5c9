"""Changing what runs, on real sockets: pausing and going on, other values for an adapter, and a reset by hand."""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
import time

import pytest
import requests
from support.receiver import Receiver, hang, refused_url, status
from support.waiting import until

import curl_interceptor
from curl_interceptor import (
    BatchPolicy,
    BreakerPolicy,
    CapturePolicy,
    ConfigurationError,
    Cooldown,
    CurlInterceptor,
    LanePolicy,
    LoggingInspector,
    Match,
    Pipeline,
    RateLimit,
    Redaction,
    RetryPolicy,
    TransportPolicy,
    WebhookInspector,
    testing,
)

NOW = {"cooldown": None, "batch": BatchPolicy(1, 0), "retry": RetryPolicy(0)}


def mount(session, pipeline, *inspectors, **options):
    return curl_interceptor.mount(session, *inspectors, pipeline=pipeline, **{**NOW, **options})


def statuses(receiver: Receiver, path: str) -> list[int]:
    """The statuses of the records that were posted there, in order."""
    found = [json.loads(body) for body in receiver.bodies(path)]
    return [document["status"] for one in found for document in (one if isinstance(one, list) else [one])]


# -- pausing ----------------------------------------------------------------------------------------------------------


def test_a_paused_adapter_captures_nothing(session, api, receiver, pipeline):
    """
    Its calls go on as ever; after it they are captured again, and its copies are paused with it.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"))
    copied = pickle.loads(pickle.dumps(session))
    adapter.pause()
    assert adapter.paused
    for each in (session, copied):
        assert each.get(api.url("/status/500")).status_code == 500
        with pytest.raises(requests.ConnectionError):
            each.get(refused_url())
    assert adapter.flush(1)
    assert adapter.stats().accepted == 0

    adapter.resume()
    session.get(api.url("/status/502"))
    copied.get(api.url("/status/503"))
    assert adapter.flush(2)
    assert statuses(receiver, "/hook") == [502, 503]


def test_what_was_captured_before_a_pause_is_delivered(session, api, receiver, pipeline):
    """
    The adapter pauses, the pipeline does not; and a change does not end the pause.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), batch=BatchPolicy(10, 60))
    session.get(api.url("/status/500"))
    adapter.pause()
    adapter.configure(batch=BatchPolicy(10, 30))
    session.get(api.url("/status/501"))
    assert adapter.flush(2)
    assert statuses(receiver, "/hook") == [500]


def test_a_paused_pipeline_keeps_what_comes(session, api, receiver, pipeline):
    """
    Nothing is posted; what comes is captured, waits, and goes out afterwards.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), batch=BatchPolicy(10, 0))
    pipeline.pause()
    assert pipeline.paused
    for code in (500, 501, 502):
        session.get(api.url(f"/status/{code}"))
    began = time.monotonic()
    assert not adapter.flush(5)
    assert time.monotonic() - began < 2  # a flush does not wait for what only `resume` can bring about
    assert receiver.requests == []
    assert adapter.stats().pending == 3

    pipeline.resume()
    assert not pipeline.paused
    assert adapter.flush(2)
    assert statuses(receiver, "/hook") == [500, 501, 502]


def test_a_pause_keeps_the_bounds(session, api, receiver, pipeline):
    """
    The oldest go when the lane is full; the thread sleeps meanwhile.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), lane=LanePolicy(records=2))
    pipeline.pause()
    for code in (500, 501, 502, 503):
        session.get(api.url(f"/status/{code}"))
    assert not adapter.flush(2)
    (books,) = adapter.stats().inspectors
    assert (books.pending, books.dropped) == (2, {"lane_full": 2})
    began = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - began < 0.1
    pipeline.resume()
    assert adapter.flush(2)
    assert statuses(receiver, "/hook") == [502, 503]


def test_one_destination_is_paused_alone(session, api, receiver, pipeline):
    """
    By its label; the others go on.
    """
    quiet = WebhookInspector(receiver.url("/quiet"), label="quiet")
    adapter = mount(session, pipeline, quiet, receiver.url("/loud"))
    pipeline.pause("quiet")
    assert not pipeline.paused
    session.get(api.url("/status/500"))
    assert not adapter.flush(2)
    assert (statuses(receiver, "/quiet"), statuses(receiver, "/loud")) == ([], [500])
    pipeline.resume("quiet")
    assert adapter.flush(2)
    assert statuses(receiver, "/quiet") == [500]


def test_resuming_all_ends_each_pause(session, api, receiver, pipeline):
    """
    Without a label, everything goes on.
    """
    adapter = mount(session, pipeline, WebhookInspector(receiver.url("/hook"), label="one"))
    pipeline.pause("one")
    pipeline.pause()
    pipeline.resume()
    session.get(api.url("/status/500"))
    assert adapter.flush(2)


def test_pauses_of_several_threads_at_once_all_hold(session, receiver, pipeline):
    """
    Each thread pauses a destination of its own, and none undoes what another one did meanwhile.
    """
    labels = [f"number {number}" for number in range(8)]
    mount(session, pipeline, *(WebhookInspector(receiver.url(f"/{label[-1]}"), label=label) for label in labels))
    ready = threading.Barrier(len(labels))

    def pause(label: str) -> None:
        ready.wait()
        for _ in range(200):
            pipeline.resume(label)
            pipeline.pause(label)

    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        crowd = [threading.Thread(target=pause, args=(label,)) for label in labels]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
    finally:
        sys.setswitchinterval(former)

    assert pipeline._paused == pipeline._current().paused == frozenset(labels)


def test_closing_a_paused_pipeline_drops_at_once(session, api, receiver):
    """
    A pause outlasts the end: what waits is counted as dropped, a callable takes it, and nobody waits for the deadline.
    """
    taken = []
    paused = Pipeline(exit_timeout=5.0)
    adapter = mount(session, paused, receiver.url("/hook"), fallbacks=[taken.append])
    paused.pause()
    session.get(api.url("/status/500"))
    session.get(api.url("/status/501"))
    began = time.monotonic()
    assert not paused.close()
    assert time.monotonic() - began < 2
    (books,) = adapter.stats().inspectors
    assert books.dropped == {"shutdown": 2}
    assert [record.status for record in taken] == [500, 501]
    assert receiver.requests == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_inherits_a_pause(session, api, receiver):
    """
    Of the pipeline and of the adapter.
    """
    parents = Pipeline(exit_timeout=1.0)
    adapter = mount(session, parents, receiver.url("/hook"))
    parents.pause()
    session.get(api.url("/status/500"))
    assert not adapter.flush(1)
    child = os.fork()
    if child == 0:
        session.get(api.url("/status/501"))
        held = not adapter.flush(1) and adapter.stats().pending == 1
        parents.resume()
        os._exit(0 if held and adapter.flush(2) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert statuses(receiver, "/hook") == [501]
    parents.resume()
    assert parents.close(2)
    assert statuses(receiver, "/hook") == [501, 500]


def test_pausing_while_many_threads_call_loses_nothing(api, receiver, pipeline):
    """
    Whoever pauses and goes on at random: every accepted record is delivered once.
    """
    sessions = [requests.Session() for _ in range(4)]
    adapter = mount(sessions[0], pipeline, receiver.url("/hook"), batch=BatchPolicy(5, 0))
    for each in sessions[1:]:
        each.mount("http://", adapter)
    stop = threading.Event()

    def switch():
        while not stop.is_set():
            pipeline.pause()
            time.sleep(0.003)
            pipeline.resume()
            time.sleep(0.003)

    def call(mine):
        for _ in range(40):
            mine.get(api.url("/status/500"))

    switching = threading.Thread(target=switch)
    calling = [threading.Thread(target=call, args=(each,)) for each in sessions]
    for thread in (switching, *calling):
        thread.start()
    for thread in calling:
        thread.join()
    stop.set()
    switching.join()
    assert adapter.flush(5)
    assert len(statuses(receiver, "/hook")) == 160


@pytest.mark.parametrize("act", ["pause", "resume", "reset"])
def test_a_label_that_nobody_has_is_refused(receiver, pipeline, act):
    """
    With the nearest one that somebody has; and what is no label is not repeated if it may be a URL.
    """
    adapter = CurlInterceptor(inspectors=WebhookInspector(receiver.url("/hook"), label="alerts"), pipeline=pipeline)
    getattr(pipeline, act)("alerts")
    with pytest.raises(ConfigurationError, match="did you mean 'alerts'"):
        getattr(pipeline, act)("alert")
    for wrong in ("https://x/s3cr3t", 3, ""):
        with pytest.raises(ConfigurationError) as caught:
            getattr(pipeline, act)(wrong)
        assert "s3cr3t" not in str(caught.value)
    assert adapter.stats().threads == 0


# -- other values -----------------------------------------------------------------------------------------------------


def test_an_adapter_goes_on_with_another_match_and_another_redaction(session, api, receiver, pipeline):
    """
    From the next call on; what is not named stays.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), capture=CapturePolicy(response_body=0))
    session.get(api.url("/status/404"))
    adapter.configure(match=Match(statuses="5xx"), redaction=Redaction(names=["colour"]))
    session.get(api.url("/status/404"))
    session.get(api.url("/status/500?colour=red"))
    assert adapter.flush(2)
    first, second = map(json.loads, receiver.bodies("/hook"))
    assert (first["status"], second["status"]) == (404, 500)
    assert "red" not in second["url"]
    assert second["response"]["body"] is None
    assert adapter.stats().accepted == 2


def test_an_adapter_goes_on_with_other_inspectors(session, api, receiver, pipeline):
    """
    What waits for the former one is still delivered there; a change reaches copies of the adapter.
    """
    adapter = mount(session, pipeline, receiver.url("/one"), batch=BatchPolicy(10, 60))
    copied = pickle.loads(pickle.dumps(session))
    session.get(api.url("/status/500"))
    adapter.configure(inspectors=[receiver.url("/two")])
    copied.get(api.url("/status/501"))
    assert adapter.flush(2)
    assert (statuses(receiver, "/one"), statuses(receiver, "/two")) == ([500], [501])


def test_a_lane_goes_on_with_other_numbers_at_once(session, api, receiver, pipeline):
    """
    A batch that waits goes by the new numbers, although nothing else comes.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), batch=BatchPolicy(10, 60))
    session.get(api.url("/status/500"))
    until(lambda: adapter.stats().pending == 1)
    adapter.configure(batch=BatchPolicy(10, 0))
    receiver.wait(1, 1.0)


def test_what_lies_in_the_queue_goes_by_the_other_numbers_too(session, api, receiver, pipeline):
    """
    Though no lane is there yet that could be changed.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), batch=BatchPolicy(10, 60))
    session.get(api.url("/status/500"))
    adapter.configure(batch=BatchPolicy(10, 0))
    receiver.wait(1, 1.0)


def test_a_rate_limit_is_lifted_while_entries_wait_for_it(session, api, receiver, pipeline):
    """
    They need not wait for the old one.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), rate_limit=RateLimit(1, 3600))
    for code in (500, 501, 502):
        session.get(api.url(f"/status/{code}"))
    receiver.wait(1)
    adapter.configure(rate_limit=None)
    receiver.wait(3, 1.0)
    assert adapter.flush(1)


def test_a_cooldown_is_changed_while_it_holds_something_back(session, api, receiver, pipeline):
    """
    A shorter one ends at its new time, and without one what was held back goes out.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), cooldown=Cooldown(3600))
    for _ in range(3):
        session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert len(receiver.bodies("/hook")) == 1
    adapter.configure(cooldown=Cooldown(0.1))
    receiver.wait(2, 1.0)
    assert json.loads(receiver.bodies("/hook")[1])["suppressed"] == 1

    adapter.configure(cooldown=Cooldown(3600))
    session.get(api.url("/status/503"))
    assert adapter.flush(2)
    session.get(api.url("/status/503"))
    until(lambda: adapter.stats().inspectors[0].suppressed == 2)
    adapter.configure(cooldown=None)
    assert adapter.flush(2)
    assert statuses(receiver, "/hook") == [500, 500, 503, 503]
    session.get(api.url("/status/503"))
    assert adapter.flush(2)
    assert len(receiver.bodies("/hook")) == 5


def test_an_exchange_captured_before_a_change_does_not_undo_it(session, api, receiver, pipeline):
    """
    The last word on an address counts, although what was said before it comes later.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"), match=Match(statuses=[200, 500]))
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    with session.get(api.url("/drip/0.3"), stream=True) as response:
        adapter.configure(batch=BatchPolicy(10, 60))
        response.content  # noqa: B018
    time.sleep(0.3)
    assert len(receiver.requests) == 1
    assert adapter.flush(2)
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"retry": RetryPolicy(5, 0.01)},
        {"breaker": BreakerPolicy(50, 0.01)},
        {"transport": TransportPolicy(total=5)},
        {"lane": LanePolicy(records=5)},
        {"fallback_after": 1},
        {"fallbacks": [print]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_number_can_be_changed_under_way(session, api, receiver, pipeline, change):
    """
    In the midst of an attempt, and nothing is lost or sent twice.
    """
    receiver.script("/hook", [status(200), status(200)])
    adapter = mount(session, pipeline, receiver.url("/hook"))
    for code in (500, 501):
        session.get(api.url(f"/status/{code}"))
    adapter.configure(**change)
    session.get(api.url("/status/502"))
    assert adapter.flush(2)
    assert sorted(statuses(receiver, "/hook")) == [500, 501, 502]


def test_a_change_that_cannot_be_made_changes_nothing(session, api, receiver, pipeline):
    """
    One wrong value of several, and numbers that another adapter does not share.
    """
    adapter = mount(session, pipeline, receiver.url("/hook"))
    other = mount(requests.Session(), pipeline, receiver.url("/hook"))
    with pytest.raises(ConfigurationError, match="batch"):
        adapter.configure(match=Match(statuses=200), batch=5)
    with pytest.raises(ConfigurationError, match="same address"):
        adapter.configure(match=Match(statuses=200), batch=BatchPolicy(7, 7))
    with pytest.raises(ConfigurationError, match="pause"):
        adapter.configure(inspectors=None)
    session.get(api.url("/status/200"))
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert statuses(receiver, "/hook") == [500]
    assert other.inspectors


def test_an_address_is_free_for_others_when_an_adapter_leaves_it(receiver, pipeline):
    """
    By a change as by its end.
    """
    adapter = CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline)
    adapter.configure(inspectors=receiver.url("/elsewhere"))
    CurlInterceptor(inspectors=receiver.url("/hook"), batch=BatchPolicy(7, 7), pipeline=pipeline)


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("workers", "adapter.pipeline.configure(workers=...)"),
        ("max_retries", "another adapter"),
        ("enabled", "another adapter"),
        ("coldown", "did you mean 'cooldown'"),
        ("debounce", "cooldown=Cooldown"),
    ],
)
def test_what_cannot_be_changed_is_said(receiver, pipeline, keyword, words):
    """
    With what to do instead.
    """
    adapter = CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline)
    with pytest.raises(TypeError) as caught:
        adapter.configure(**{keyword: 1})
    assert words in str(caught.value)


def test_an_adapter_that_is_off_has_nothing_to_change():
    """
    It says so; pausing it does nothing.
    """
    off = CurlInterceptor(inspectors=None)
    off.pause()
    off.resume()
    assert not off.paused
    with pytest.raises(ConfigurationError, match="captures nothing"):
        off.configure(match=Match())


def test_the_numbers_of_a_pipeline_are_changed_while_it_runs(session, api, receiver):
    """
    Bounds, workers and times; what is unknown or impossible changes nothing.
    """
    mine = Pipeline(workers=1, linger=0.0, exit_timeout=0.5)
    receiver.script("/hung", then=hang())
    adapter = mount(session, mine, receiver.url("/hung"), receiver.url("/well"), transport=TransportPolicy(total=3))
    session.get(api.url("/status/500"))
    until(lambda: any(request.target == "/hung" for request in receiver.requests))
    mine.configure(workers=2)
    session.get(api.url("/status/500"))
    until(lambda: receiver.bodies("/well"), 2.0)  # not behind the hung one

    mine.configure(queue_size=1, overflow="oldest", linger=10)
    assert mine.policy.workers == 2
    for _ in range(5):
        session.get(api.url("/status/500"))
    assert adapter.stats().dropped["queue_full"] >= 3
    with pytest.raises(ConfigurationError, match="workers"):
        mine.configure(workers=0, queue_size=5)
    with pytest.raises(TypeError, match="did you mean 'workers'"):
        mine.configure(worker=3)
    assert mine.policy.queue_size == 1
    mine.close(0.2)


# -- a reset by hand --------------------------------------------------------------------------------------------------


def test_a_reset_closes_an_open_breaker_at_once(session, api, receiver, pipeline, caplog):
    """
    What waits for the next trial goes out; counted and told once.
    """
    caplog.set_level("INFO")
    receiver.script("/hook", [status(500)] * 2)
    hook = WebhookInspector(receiver.url("/hook"), label="alerts")
    adapter = mount(session, pipeline, hook, breaker=BreakerPolicy(1, 3600, 3600))
    session.get(api.url("/status/500"))
    until(lambda: [books.breaker for books in adapter.stats().inspectors] == ["open"])
    time.sleep(0.1)
    assert len(receiver.requests) == 1
    receiver.script("/hook")
    pipeline.reset("alerts")
    assert adapter.flush(2)
    assert len(receiver.requests) == 2
    assert adapter.stats().inspectors[0].breaker == "closed"
    assert adapter.stats().errors["reset"] == 1
    assert caplog.text.count("alerts was reset") == 1


@pytest.mark.parametrize("code", [404, 410])
def test_a_reset_lifts_the_pause_of_a_dead_endpoint(session, api, receiver, pipeline, code):
    """
    Whoever has mended it says so; also where it was said to be gone for good.
    """
    receiver.script("/hook", [status(code)])
    adapter = mount(session, pipeline, receiver.url("/hook"), breaker=BreakerPolicy(1, 3600, 3600))
    session.get(api.url("/status/500"))
    receiver.wait(1)
    until(lambda: adapter.stats().inspectors and not adapter.stats().pending)
    pipeline.reset()
    time.sleep(0.05)
    session.get(api.url("/status/501"))
    assert adapter.flush(2)
    assert statuses(receiver, "/hook")[1:] == [501]


def test_a_reset_keeps_a_time_that_the_service_named(session, api, receiver, pipeline, caplog):
    """
    Nothing goes out before a Retry-After is over, whoever asks.
    """
    receiver.script("/hook", [status(503, headers={"Retry-After": "1"})])
    mount(session, pipeline, receiver.url("/hook"), breaker=BreakerPolicy(1, 3600, 3600))
    session.get(api.url("/status/500"))
    (first,) = receiver.wait(1)
    until(lambda: "records wait" in caplog.text)
    pipeline.reset()
    _, second = receiver.wait(2)
    assert second.time - first.time >= 0.95


def test_a_reset_in_the_midst_of_a_trial_waits_for_nobody(session, api, receiver, pipeline):
    """
    The breaker closes although the trial hangs; its end is taken as it comes.
    """
    receiver.script("/hook", [status(500), hang()])
    adapter = mount(
        session,
        pipeline,
        receiver.url("/hook"),
        receiver.url("/well"),
        breaker=BreakerPolicy(1, 0.05, 3600),
        transport=TransportPolicy(total=0.6),
    )
    session.get(api.url("/status/500"))
    until(lambda: len(receiver.bodies("/hook")) == 2)
    pipeline.reset()
    session.get(api.url("/status/501"))
    until(lambda: len(receiver.bodies("/well")) == 2, 0.4)
    assert adapter.flush(3)
    assert set(statuses(receiver, "/hook")) == {500, 501}


def test_a_reset_of_what_never_began_does_nothing(receiver, pipeline):
    """
    It starts no thread.
    """
    adapter = CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline)
    pipeline.reset()
    pipeline.pause()
    pipeline.resume()
    adapter.configure(cooldown=None)
    assert adapter.stats().threads == 0


def test_recorded_tests_may_change_things_too(session, api):
    """
    A pause is a pause under a recording, and so is a change.
    """
    with testing.captured() as captured:
        adapter = curl_interceptor.mount(session, LoggingInspector())
        adapter.pause()
        session.get(api.url("/status/500"))
        adapter.resume()
        adapter.configure(match=Match(statuses=404))
        session.get(api.url("/status/500"))
        session.get(api.url("/status/404"))
        assert [record.status for record in captured.records] == [404]
