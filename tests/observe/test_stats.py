"""Every figure of `stats()`, moved by real calls and real webhooks."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import pickle
import threading
import time

import pytest
import requests
from hypothesis import given
from support.process import run
from support.receiver import hang, status
from support.waiting import until

from curl_interceptor import (
    BatchPolicy,
    BreakerPolicy,
    CurlInterceptor,
    LanePolicy,
    LazyInspector,
    LoggingInspector,
    Match,
    Pipeline,
    RetryPolicy,
    Stats,
    Transient,
    WebhookInspector,
    mount,
)
from curl_interceptor.observe.degradation import DEGRADATIONS, Steps, deepest
from curl_interceptor.observe.stats import InspectorStats, QueueStats, Rate
from observe.figures import pipelines

AT_ONCE = {"cooldown": None, "batch": BatchPolicy(size=1, seconds=0.01)}


def the_inspector(pipeline: Pipeline) -> InspectorStats:
    (found,) = pipeline.stats().inspectors
    return found


def test_a_delivery_moves_its_figures(session, receiver, pipeline, api):
    """
    After one delivery it is known when it was, how long it took, and that nothing failed.
    """
    mount(session, WebhookInspector(receiver.url("/hook"), **AT_ONCE), pipeline=pipeline)
    before = time.time()
    session.get(api.url("/status/500"))
    assert pipeline.flush()

    found = the_inspector(pipeline)
    assert (found.delivered, found.attempts, found.pending, found.oldest_age) == (1, 1, 0, None)
    assert found.initialized
    assert found.last_success is not None
    assert before <= found.last_success <= time.time()
    assert (found.last_error, found.last_error_at, found.degraded) == (None, None, None)
    assert found.latency.count == 1
    assert 0 < found.latency.longest < 5
    assert found.last_minute == found.last_five_minutes == Rate(1, 0)


def test_a_failing_webhook_moves_its_figures(session, receiver, pipeline, api):
    """
    What the last error was and when, the state of the breaker, the rate, and how old the oldest entry is.
    """
    receiver.script("/hook", [], then=status(503))
    hook = WebhookInspector(
        receiver.url("/hook"), retry=RetryPolicy(retries=0), breaker=BreakerPolicy(failures=1, open_for=60), **AT_ONCE
    )
    mount(session, hook, pipeline=pipeline)
    before = time.time()
    session.get(api.url("/status/500"))
    until(lambda: the_inspector(pipeline).breaker == "open")
    time.sleep(0.05)

    found = the_inspector(pipeline)
    assert (found.last_error, found.last_success) == ("HTTP 503", None)
    assert found.last_error_at is not None
    assert before <= found.last_error_at <= time.time()
    assert found.last_minute == Rate(1, 1)
    assert found.last_minute.ratio == 1.0
    assert found.pending == 1
    assert found.oldest_age is not None
    assert 0.05 <= found.oldest_age < 20


def test_what_is_on_its_way_has_an_age_too(session, receiver, pipeline, api):
    """
    An entry in the hands of a webhook that does not answer is pending, and grows older.
    """
    receiver.script("/hook", [], then=hang())
    mount(session, WebhookInspector(receiver.url("/hook"), **AT_ONCE), pipeline=pipeline)
    session.get(api.url("/status/500"))
    until(lambda: the_inspector(pipeline).attempts == 1)
    time.sleep(0.1)

    assert (the_inspector(pipeline).oldest_age or 0) >= 0.1


def test_the_apps_calls_are_counted_wanted_or_not(session, receiver, pipeline, api):
    """
    A rate needs the calls that nobody wants: successes, and failures that pass no screen.
    """
    mount(session, WebhookInspector(receiver.url("/hook")), match=Match(statuses=500), pipeline=pipeline)
    for code in (200, 200, 404, 500):
        session.get(api.url(f"/status/{code}"))
    with pytest.raises(requests.ConnectionError):
        session.get("http://127.0.0.1:9/")

    nobody, somebody = sorted(pipeline.stats().hosts, key=lambda host: host.calls)
    assert (somebody.calls, somebody.errors) == (4, {"4xx": 1, "5xx": 1, "exception": 0})
    assert somebody.last_minute == Rate(4, 2)
    assert somebody.host in api.url("/")
    assert (nobody.host, nobody.errors["exception"]) == ("127.0.0.1:9", 1)


def test_an_inspector_that_nobody_wanted_is_there(session, receiver, pipeline, api):
    """
    A destination has its line from the beginning; one that a factory makes is not initialized before it is wanted.
    """
    hook = WebhookInspector(receiver.url("/hook"), label="hook", **AT_ONCE)
    never = WebhookInspector(receiver.url("/never"), label="never", match=Match(statuses=418))
    late = LazyInspector(lambda: WebhookInspector(receiver.url("/late"), label="made"), label="late")
    mount(session, hook, never, late, pipeline=pipeline)
    assert {one.label: one.initialized for one in pipeline.stats().inspectors} == {
        "hook": True,
        "never": True,
        "late": False,
    }

    session.get(api.url("/status/500"))
    assert pipeline.flush()
    assert {one.label: (one.initialized, one.delivered) for one in pipeline.stats().inspectors} == {
        "hook": (True, 1),
        "never": (True, 0),
        "made": (True, 1),
    }


def test_inspectors_that_are_off_are_counted_while_their_adapter_lives(receiver):
    """
    None and an empty text are off: an environment variable that is missing shows, and is forgotten with its adapter.
    """
    pipeline = Pipeline()
    one = CurlInterceptor(inspectors=[receiver.url("/hook"), None, ""], pipeline=pipeline)
    two = CurlInterceptor(inspectors=[None], pipeline=pipeline)
    off = CurlInterceptor(inspectors=None, enabled=False, pipeline=pipeline)

    assert (one.stats().off, two.stats().off, off.stats().off) == (3, 1, 0)
    assert pickle.loads(pickle.dumps(one)).stats().off == 3
    one.configure(inspectors=[receiver.url("/hook"), None])
    one.configure(cooldown=None)
    assert one.stats().off == 2

    one.configure(fallbacks=[None, "", lambda record: None])
    assert one.stats().off == 2 + 2
    one.configure(fallbacks=None)
    assert one.stats().off == 2 + 1
    one.configure(fallbacks=())
    assert one.stats().off == 2

    del one, two
    gc.collect()
    assert pipeline.stats().off == 0


def test_twins_of_a_mounted_adapter_are_not_off(session, receiver, pipeline):
    """
    An adapter that `mount` makes for a part of the web counts nothing of its own.
    """
    session.mount("https://slow.example.com/", requests.adapters.HTTPAdapter(max_retries=7))
    mount(session, receiver.url("/hook"), None, pipeline=pipeline)

    assert pipeline.stats().off == 1


def test_queue_and_capture_are_told(session, receiver, pipeline, api):
    """
    How full the queue is by its two bounds, and what captured calls cost their threads.
    """
    mount(session, WebhookInspector(receiver.url("/hook"), **AT_ONCE), pipeline=pipeline)
    for _ in range(5):
        session.get(api.url("/status/500"))
    session.get(api.url("/bytes/5000"), stream=True).close()
    with pytest.raises(requests.ConnectionError):
        session.get("http://127.0.0.1:9/")
    assert pipeline.flush()

    stats = pipeline.stats()
    assert stats.queue == QueueStats(0, 10_000, 0, 32_000_000)
    assert stats.capture.count == 6
    assert 0 < stats.capture.longest < 2
    assert QueueStats(1, 10, 90, 100).utilization == 0.9


@pytest.mark.parametrize("queue_size", [1, 3])
def test_a_full_queue_is_counted_and_degraded(session, receiver, api, queue_size):
    """
    What the queue cannot take is `counted`, the deepest step there is.
    """
    pipeline = Pipeline(queue_size=queue_size, linger=10)
    mount(session, WebhookInspector(receiver.url("/hook")), pipeline=pipeline)
    assert pipeline.stats().degraded is None
    for _ in range(queue_size + 20):
        session.get(api.url("/status/500"))

    stats = pipeline.stats()
    assert stats.dropped["queue_full"] > 0
    assert stats.degraded == "counted"
    pipeline.close(0.5)


def test_each_step_of_a_lane_is_named(session, receiver, pipeline, api):
    """
    A fallback that takes over is `fallback`; without one, what is refused is `counted`.
    """
    receiver.script("/refuses", [], then=status(403))
    hook = WebhookInspector(receiver.url("/refuses"), fallbacks=[lambda entry: None], **AT_ONCE)
    mount(session, hook, pipeline=pipeline)
    session.get(api.url("/status/500"))
    until(lambda: the_inspector(pipeline).failed == 1)
    until(lambda: pipeline.stats().degraded == "fallback")

    with requests.Session() as other:
        mount(other, WebhookInspector(receiver.url("/refuses?2"), **AT_ONCE), pipeline=pipeline)
        receiver.script("/refuses?2", [], then=status(403))
        other.get(api.url("/status/500"))
        until(lambda: pipeline.stats().degraded == "counted")


def test_plain_is_a_step(session, receiver, pipeline, api):
    """
    An entry that was only taken in its simplest form shows.
    """
    receiver.script("/hook", [status(400)], then=status(204))
    mount(session, WebhookInspector(receiver.url("/hook"), **AT_ONCE), pipeline=pipeline)
    session.get(api.url("/status/500"))
    until(lambda: the_inspector(pipeline).delivered == 1)

    assert pipeline.stats().degraded == "plain"


def test_a_step_is_over_after_a_minute():
    """
    What was degraded a minute ago is not degraded now; the deepest of several counts.
    """
    steps = Steps()
    steps.take("counted", 0.0)
    steps.take("plain", 50.0)

    assert [steps.current(now) for now in (59.9, 60.0, 109.9, 110.0)] == ["counted", "plain", "plain", None]
    assert deepest(DEGRADATIONS) == "counted"
    assert deepest([None, "plain", "digest"]) == "digest"
    assert deepest([]) is None


def test_an_inspectors_own_words_hold_no_url(session, receiver, pipeline, api):
    """
    An inspector of the app's that puts its URL into an error does not put it into the figures.
    """

    class Chatty(WebhookInspector):
        def verdict(self, answer):
            raise Transient(f"no answer from {self.address}")

    url = receiver.url("/T0/s3cret")
    mount(session, Chatty(url, **AT_ONCE), pipeline=pipeline)
    session.get(api.url("/status/500"))
    until(lambda: the_inspector(pipeline).last_error is not None)

    assert the_inspector(pipeline).last_error == "no answer from (a URL)"
    assert "s3cret" not in repr(pipeline.stats()) + json.dumps(pipeline.stats().as_dict())


def test_a_call_that_cannot_be_captured_is_told(session, receiver, pipeline, api, caplog, monkeypatch):
    """
    A mistake of ours in the caller's thread is counted there and told by the dispatcher, and the app gets its answer.
    """
    mount(session, WebhookInspector(receiver.url("/hook")), pipeline=pipeline)
    monkeypatch.setattr("curl_interceptor.capture.call.Draft", None)
    assert session.get(api.url("/status/500")).status_code == 500

    until(lambda: any("could not be captured" in message for message in caplog.messages))
    assert pipeline.stats().errors == {"capture": 1}


def test_stats_are_frozen_complete_and_fit_for_json(session, receiver, pipeline, api):
    """
    Every field of every part is in the dictionary, which strict JSON takes and pickle carries.
    """
    mount(session, WebhookInspector(receiver.url("/hook"), **AT_ONCE), None, pipeline=pipeline)
    session.get(api.url("/status/500"))
    assert pipeline.flush()

    stats = pipeline.stats()
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.accepted = 7  # type: ignore[misc]
    document = json.loads(json.dumps(stats.as_dict(), allow_nan=False))
    assert {field.name for field in dataclasses.fields(Stats)} | {"balanced", "delivered", "pending"} == set(document)
    assert {field.name for field in dataclasses.fields(InspectorStats)} | {"balanced"} == set(document["inspectors"][0])
    assert pickle.loads(pickle.dumps(stats)) == stats
    assert Stats().as_dict()["inspectors"] == []


@given(pipelines(), pipelines())
def test_the_sum_of_two_pipelines_balances(one, other):
    """
    Added up, nothing is lost or counted twice, and the worse state of a destination is the one that shows.
    """
    both = one + other

    assert both.balanced
    assert both.delivered == one.delivered + other.delivered
    assert both.pending == one.pending + other.pending
    assert both.capture.count == one.capture.count + other.capture.count
    assert sum(host.calls for host in both.hosts) == sum(host.calls for host in (*one.hosts, *other.hosts))
    for merged in both.inspectors:
        parts = [part for part in (*one.inspectors, *other.inspectors) if part.label == merged.label]
        assert ["closed", "half-open", "open"].index(merged.breaker) == max(
            ["closed", "half-open", "open"].index(part.breaker) for part in parts
        )
        assert merged.degraded == deepest(part.degraded for part in parts)
        assert merged.oldest_age == max((age for part in parts if (age := part.oldest_age) is not None), default=None)


def test_reading_the_figures_is_a_short_step(pipeline):
    """
    With a hundred destinations the lock that callers need is held for a few milliseconds at most.
    """
    inspectors = [
        WebhookInspector(f"http://127.0.0.1:9/{number}", lane=LanePolicy(records=1), **AT_ONCE) for number in range(100)
    ]
    adapter = CurlInterceptor(inspectors=[*inspectors, LoggingInspector()], pipeline=pipeline)
    with pytest.raises(requests.ConnectionError):
        adapter.send(requests.Request("GET", "http://127.0.0.1:9/").prepare())
    until(lambda: sum(one.routed for one in pipeline.stats().inspectors) == 101)

    took = []
    for _ in range(20):
        began = time.perf_counter()
        pipeline.stats()
        took.append(time.perf_counter() - began)
    assert min(took) < 0.01


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_counts_its_own_calls_only(api):
    """
    What the parent called is the parent's; the child's figures begin at 0.
    """
    ended = run(
        """
        import os, requests, curl_interceptor
        session = requests.Session()
        session.trust_env = False
        adapter = curl_interceptor.mount(session, "http://127.0.0.1:9/hook", match=curl_interceptor.Match(statuses=418))
        for _ in range(3):
            session.get(url)
        pid = os.fork()
        if not pid:
            session.get(url)
        (host,) = adapter.stats().hosts
        print("child" if not pid else "parent", host.calls, host.last_minute.total, flush=True)
        if pid:
            os.waitpid(pid, 0)
        """,
        url=api.url("/status/500"),
    )

    assert sorted(ended.out.splitlines()) == ["child 1 1", "parent 3 3"], ended.err


def test_while_the_process_ends_only_its_own_thread_logs(receiver, api):
    """
    A lock of stderr that a daemon thread holds at the end aborts the process, so none of ours writes then.
    """
    receiver.script("/hook", [], then=status(503))
    ended = run(
        """
        import atexit, logging, requests, sys, curl_interceptor
        logging.basicConfig(stream=sys.stdout, format="%(threadName)s %(name)s %(message)s", level=logging.DEBUG)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        adapter = curl_interceptor.CurlInterceptor(inspectors=[hook])
        session = requests.Session()
        session.trust_env = False
        session.mount("http://", adapter)
        for number in range(50):
            session.get(f"{url}?{number}")
        print("the end begins", flush=True)
        """,
        url=api.url("/status/500"),
        hook=receiver.url("/hook"),
    )

    assert (ended.status, ended.err) == (0, "")
    said = ended.out.partition("the end begins")[2].strip().splitlines()
    assert any("were not delivered at the end" in line for line in said), ended.out
    assert all(line.startswith("MainThread curl_interceptor.") for line in said), said
    assert "/hook" not in ended.out


def test_adapters_that_come_and_go_do_not_disturb_who_looks(pipeline):
    """
    The figures can be read while other threads make adapters and forget them.
    """
    stop = threading.Event()

    def make() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            CurlInterceptor(inspectors=[f"http://127.0.0.1:9/{number % 50}", None], pipeline=pipeline)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            pipeline.stats()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_paused_adapter_goes_on_counting_the_apps_calls(session, receiver, pipeline, api):
    """
    Nothing is captured in a pause, yet the share of failures stays true.
    """
    adapter = mount(session, WebhookInspector(receiver.url("/hook")), pipeline=pipeline)
    adapter.pause()
    session.get(api.url("/status/500"))
    adapter.resume()
    adapter.configure(cooldown=None)
    session.get(api.url("/status/200"))

    (host,) = pipeline.stats().hosts
    assert host.last_minute == Rate(2, 1)
    assert pipeline.stats().accepted == 0
