"""The edges of a pipeline on real sockets: its bounds, what users' code may do to it, its threads and its ending."""

from __future__ import annotations

import _thread
import gc
import json
import random
import threading
import time
from collections.abc import Callable

import pytest
import requests
from support.receiver import Receiver, Reply, drip_body, garbage, hang, reset, slow, status, truncated
from support.records import documents
from support.waiting import books, until

import curl_interceptor
from curl_interceptor import (
    BatchPolicy,
    BreakerPolicy,
    ConfigurationError,
    Cooldown,
    CurlInterceptor,
    LanePolicy,
    Match,
    Pipeline,
    RateLimit,
    RetryPolicy,
    TransportPolicy,
    WebhookInspector,
)
from curl_interceptor.delivery import lanes, workers
from curl_interceptor.delivery import pipeline as pipeline_module

pytestmark = pytest.mark.usefixtures("_the_address_is_never_told")

SECRET = "/hook-s3cr3t-t0k3n"
QUICK = {
    "cooldown": None,
    "batch": BatchPolicy(1, 0),
    "retry": RetryPolicy(3, 0.05),
    "breaker": BreakerPolicy(5, 0.1, 0.4),
}


def numbers(receiver: Receiver, path: str | None = None) -> list[int]:
    """Which of the failures of `fail` were posted, in order."""
    return [int(document["url"].rpartition("=")[2]) for document in documents(receiver, path)]


def our_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("curl-interceptor")}


def mount(session, pipeline: Pipeline, *inspectors, **options):
    return curl_interceptor.mount(session, *inspectors, pipeline=pipeline, **{**QUICK, **options})


# -- bounds -----------------------------------------------------------------------------------------------------------


def test_a_lane_keeps_the_newest(session, receiver, pipeline, fail):
    """
    A webhook that hangs fills its lane; the oldest that wait are dropped and counted.
    """
    receiver.script(SECRET, [slow(0.4)])
    mount(session, pipeline, receiver.url(SECRET), lane=LanePolicy(records=5))
    fail(1)
    receiver.wait(1)
    for code in range(501, 521):  # no two are equal
        fail(1, code)
    until(lambda: books(pipeline).dropped.get("lane_full") == 16)
    assert pipeline.flush(3)

    assert numbers(receiver) == [0, 17, 18, 19, 20]
    assert books(pipeline).delivered == 5


def test_a_lane_is_bounded_in_bytes(session, receiver, pipeline, fail):
    """
    Large records fill it before their number does, and the figures say how much it holds.
    """
    receiver.script(SECRET, [slow(0.5)])
    mount(session, pipeline, receiver.url(SECRET), lane=LanePolicy(bytes=100_000))
    fail(1)
    receiver.wait(1)
    for code in range(501, 521):  # no two are equal
        fail(1, code, body=b"x" * 20_000)
    until(lambda: pipeline.stats().queued == 0)
    assert pipeline.stats().held_bytes <= 100_000
    assert pipeline.flush(3)

    assert books(pipeline).dropped["lane_full"] >= 16
    assert numbers(receiver)[-1] == 20
    assert pipeline.stats().held_bytes == 0


@pytest.mark.parametrize("overflow", ["newest", "oldest"])
def test_a_full_queue_drops_and_counts(session, receiver, fail, overflow):
    """
    What does not fit while the dispatcher lingers is dropped at the end that was asked for.
    """
    pipeline = Pipeline(queue_size=5, overflow=overflow, linger=10)
    mount(session, pipeline, receiver.url(SECRET), batch=BatchPolicy(100, 0))
    fail(21)
    stats = pipeline.stats()
    assert (stats.accepted, stats.queued) == (21, 5)
    assert stats.dropped == {"queue_full": 16}
    assert pipeline.close(3)

    assert numbers(receiver) == list(range(16, 21) if overflow == "oldest" else range(5))


def test_a_queue_is_bounded_in_bytes(session, receiver, fail):
    """
    A few large bodies fill it; small ones find room afterwards.
    """
    pipeline = Pipeline(queue_bytes=50_000, linger=10)
    mount(session, pipeline, receiver.url(SECRET))
    fail(5, body=b"x" * 20_000)
    stats = pipeline.stats()
    assert stats.dropped == {"bytes_full": 3}
    assert 40_000 < stats.held_bytes <= 50_000
    assert pipeline.close(3)

    assert numbers(receiver) == [0, 1]


def test_a_rate_limit_spreads_the_messages(session, receiver, pipeline, fail):
    """
    Two at once, then one for each 0.2 s; a flush waits for it and loses nothing.
    """
    mount(session, pipeline, receiver.url(SECRET), rate_limit=RateLimit(2, 0.4))
    fail(5)
    assert pipeline.flush(5)
    times = [request.time for request in receiver.requests]

    assert len(times) == 5
    assert times[-1] - times[0] >= 0.55
    assert all(later - first >= 0.15 for first, later in zip(times, times[2:], strict=False))


def test_equal_failures_are_told_once_and_summed_up(session, receiver, pipeline, api):
    """
    Forty equal failures: one message at once, one with the count of the others at the end of the window.
    """
    mount(session, pipeline, receiver.url(SECRET), cooldown=Cooldown(0.5))
    for _ in range(40):
        session.get(api.url("/status/500"))
    receiver.wait(2)
    until(lambda: books(pipeline).delivered == 2)
    first, last = documents(receiver)

    assert (first["suppressed"], last["suppressed"]) == (0, 38)
    assert first["id"] != last["id"]
    assert books(pipeline).suppressed == 38


def test_what_is_held_back_is_told_when_the_pipeline_ends(session, receiver, api):
    """
    Closing does not wait for the window and does not swallow the count.
    """
    pipeline = Pipeline()
    mount(session, pipeline, receiver.url(SECRET), cooldown=Cooldown(3_600))
    for _ in range(5):
        session.get(api.url("/status/500"))
    assert pipeline.close(3)

    assert [document["suppressed"] for document in documents(receiver)] == [0, 3]


# -- what users' code may do ------------------------------------------------------------------------------------------


class Cancelled(BaseException):
    """What some frameworks throw to end a task, such as `gevent.Timeout`."""


@pytest.mark.parametrize("error", [ZeroDivisionError(SECRET), SystemExit(SECRET), RecursionError(SECRET), Cancelled()])
def test_a_predicate_that_raises_leaves_its_record_out(session, receiver, pipeline, fail, error):
    """
    It is counted; another inspector gets the record; the next record is asked about again.
    """
    broken = [True]

    def predicate(record) -> bool:
        if broken[0]:
            raise error
        return True

    judged = WebhookInspector(receiver.url(f"{SECRET}/judged"), match=Match(predicate=predicate))
    mount(session, pipeline, judged, receiver.url(f"{SECRET}/plain"))
    fail(3)
    assert pipeline.flush(3)
    broken[0] = False
    fail(1)
    assert pipeline.flush(3)

    assert numbers(receiver, f"{SECRET}/plain") == [0, 1, 2, 3]
    assert numbers(receiver, f"{SECRET}/judged") == [3]
    assert pipeline.stats().errors["match"] == 3
    assert pipeline.stats().balanced


def test_a_predicate_that_blocks_delays_no_caller_and_loses_nothing(session, receiver, pipeline, fail):
    """
    The background waits for it, the app does not.
    """
    go_on = threading.Event()
    match = Match(predicate=lambda record: go_on.wait(20))
    mount(session, pipeline, WebhookInspector(receiver.url(SECRET), match=match))
    fail(1)
    until(lambda: pipeline.stats().queued == 1 and our_threads())
    time.sleep(0.1)
    began = time.monotonic()
    fail(20)
    assert time.monotonic() - began < 5
    assert not pipeline.flush(0.1)
    go_on.set()

    assert pipeline.flush(3)
    assert numbers(receiver) == list(range(21))


class Odd(WebhookInspector):
    """An inspector with mistakes in it."""

    mistake: Callable[[], None] | None = None

    def payloads(self, entries, *, plain=False):
        if self.mistake and any(entry.url.endswith("=1") for entry in entries):
            self.mistake()
        return super().payloads(entries, plain=plain)


class Misjudging(WebhookInspector):
    """An inspector that cannot read answers."""

    mistake: Callable[[], None]

    def verdict(self, answer):
        if b"odd" in answer.body:
            self.mistake()


def exits() -> None:
    raise SystemExit(SECRET)


def breaks() -> None:
    raise ZeroDivisionError(SECRET)


@pytest.mark.parametrize("mistake", [exits, breaks])
def test_a_rendering_that_raises_costs_its_record(session, receiver, pipeline, fail, mistake):
    """
    The others of its batch arrive, the one is counted as failed, and nothing is posted for it.
    """
    inspector = Odd(receiver.url(SECRET))
    inspector.mistake = mistake
    mount(session, pipeline, inspector, batch=BatchPolicy(4, 5.0))
    fail(4)
    until(lambda: books(pipeline).failed == 1)
    assert pipeline.flush(3)

    assert sorted(numbers(receiver)) == [0, 2, 3]
    assert (
        books(pipeline).last_error == f"payloads() raised {'SystemExit' if mistake is exits else 'ZeroDivisionError'}"
    )


@pytest.mark.parametrize("mistake", [exits, breaks])
def test_a_verdict_that_raises_costs_its_record_and_not_the_webhook(session, receiver, pipeline, fail, mistake):
    """
    It counts as a refusal: plain once more, then failed; the breaker stays closed and the next record arrives.
    """
    receiver.script(SECRET, [status(200, body=b"odd")] * 2)
    inspector = Misjudging(receiver.url(SECRET))
    inspector.mistake = mistake
    mount(session, pipeline, inspector)
    fail(1)
    until(lambda: books(pipeline).failed == 1)
    fail(1)
    assert pipeline.flush(3)

    assert (books(pipeline).delivered, books(pipeline).breaker) == (1, "closed")
    assert len(receiver.requests) == 3


def test_a_record_that_two_webhooks_give_up_reaches_their_common_fallback(session, receiver, pipeline, fail):
    """
    Both entries are accounted for in the fallback's lane.
    """
    receiver.script(f"{SECRET}/one", then=status(404))
    receiver.script(f"{SECRET}/two", then=status(404))
    spare = WebhookInspector(receiver.url(f"{SECRET}/spare"), label="spare", batch=BatchPolicy(10, 0.2))
    mount(session, pipeline, receiver.url(f"{SECRET}/one"), receiver.url(f"{SECRET}/two"), fallbacks=spare)
    fail(1)
    until(lambda: any(lane.label == "spare" and lane.delivered == 2 for lane in pipeline.stats().inspectors))

    assert pipeline.flush(1)
    assert pipeline.stats().balanced
    assert pipeline.stats().held_bytes == 0


def test_a_callable_that_exits_does_not_end_the_deliveries(session, receiver, pipeline, fail):
    """
    `sys.exit()` in a fallback is one more mistake to be counted.
    """
    receiver.script(SECRET, [status(404)])
    mount(session, pipeline, receiver.url(SECRET), fallbacks=lambda entry: exits())
    fail(1)
    until(lambda: pipeline.stats().errors.get("fallback"))
    fail(1)
    receiver.wait(2)

    until(lambda: books(pipeline).delivered == 1)


@pytest.mark.parametrize("place", ["predicate", "fallback", "payloads"])
def test_closing_ends_in_time_while_users_code_blocks(session, receiver, fail, place):
    """
    Whatever blocks, the deadline holds; and when it goes on at last, the books balance and nothing is posted.
    """
    pipeline, at_work, go_on = Pipeline(), threading.Event(), threading.Event()

    def block(*_: object) -> bool:
        at_work.set()
        return go_on.wait(5)

    inspector = Odd(receiver.url(SECRET), match=Match(predicate=block) if place == "predicate" else None)
    inspector.mistake = block if place == "payloads" else None
    receiver.script(SECRET, [status(404)])
    mount(session, pipeline, inspector, fallbacks=block if place == "fallback" else ())
    fail(5)
    assert at_work.wait(3)
    before = len(receiver.requests)
    began = time.monotonic()
    assert not pipeline.close(0.3)
    assert time.monotonic() - began < 0.8
    go_on.set()
    until(lambda: pipeline.stats().threads == 0)

    assert pipeline.stats().balanced
    assert (pipeline.stats().queued, pipeline.stats().pending) == (0, 0)
    assert len(receiver.requests) == before


def test_a_callable_may_flush_and_close_without_waiting_for_itself(session, receiver, fail):
    """
    A fallback that flushes gets an answer at once; one that closes ends the pipeline.
    """
    pipeline, answers = Pipeline(), []

    def fallback(entry: object) -> None:
        answers.append(pipeline.flush(5))
        pipeline.close(5)

    receiver.script(SECRET, [status(404)])
    mount(session, pipeline, receiver.url(SECRET), fallbacks=fallback)
    fail(1)
    until(lambda: pipeline.closed and pipeline.stats().threads == 0, 2)

    assert answers == [False]
    assert pipeline.stats().balanced


def test_chaos_loses_nothing(session, receiver, fail):
    """
    Four webhooks that answer anything at random while an app fails and fails: in the end every record of every webhook
    is delivered or counted, and at no moment do the books disagree.
    """
    dice = random.Random(20)
    answers = [
        *[status(200)] * 6,
        status(500),
        status(503, headers={"Retry-After": "0.1"}),
        status(429, headers={"Retry-After": "0"}),
        status(400),
        status(413),
        hang(),
        drip_body(),
        reset(),
        garbage(),
        truncated(),
    ]
    lost: list[object] = []
    pipeline = Pipeline(workers=3)
    mount(
        session,
        pipeline,
        *(receiver.url(f"{SECRET}/{number}") for number in range(4)),
        batch=BatchPolicy(5, 0.05),
        transport=TransportPolicy(total=0.15),
        retry=RetryPolicy(1, 0.02),
        fallbacks=lost.append,
    )
    for number in range(4):
        receiver.script(f"{SECRET}/{number}", [dice.choice(answers) for _ in range(30)])
    for _ in range(60):
        fail(2)
        assert pipeline.stats().balanced
        time.sleep(0.01)
    until(lambda: pipeline.flush(0.1), 15)
    stats = pipeline.stats()

    assert stats.balanced
    assert [lane.routed for lane in stats.inspectors] == [120] * 4
    assert stats.delivered + len(lost) == 480
    assert stats.errors == {}
    assert stats.held_bytes == 0
    for number in range(4):
        assert len(set(numbers(receiver, f"{SECRET}/{number}"))) == 120
    assert pipeline.close(1)


# -- threads ----------------------------------------------------------------------------------------------------------


def test_no_thread_before_the_first_record(session, receiver, pipeline, api):
    """
    Adapters, sessions and successful calls start nothing.
    """
    before = our_threads()
    mount(session, pipeline, receiver.url(SECRET))
    session.get(api.url("/status/200"))

    assert our_threads() == before
    assert pipeline.stats().threads == 0


def test_workers_are_bounded_and_go_when_idle(session, receiver, fail, monkeypatch):
    """
    Eight busy webhooks share three workers; a moment later only the dispatcher is there.
    """
    monkeypatch.setattr(workers, "_IDLE", 0.15)
    before = our_threads()
    pipeline = Pipeline(workers=3)
    hooks = [receiver.url(f"{SECRET}/{number}") for number in range(8)]
    for number in range(8):
        receiver.script(f"{SECRET}/{number}", then=slow(0.03))
    mount(session, pipeline, *hooks)
    most = 0
    for _ in range(5):
        fail(1)
        most = max(most, len(our_threads() - before), pipeline.stats().threads)
        time.sleep(0.03)
    assert pipeline.flush(5)
    assert most <= 4
    assert len(receiver.requests) == 40

    until(lambda: pipeline.stats().threads == 1)
    until(lambda: len(our_threads() - before) == 1)
    fail(1)
    assert pipeline.flush(5)
    pipeline.close(1)


def test_one_webhook_needs_one_worker(session, receiver, pipeline, fail):
    """
    However many posts follow each other, an idle worker takes them and no other is started.
    """
    mount(session, pipeline, receiver.url(SECRET))
    for _ in range(5):
        fail(4)
        assert pipeline.flush(3)

    assert pipeline.stats().threads == 2


def test_the_dispatcher_rests_while_nothing_happens(session, receiver, pipeline, fail):
    """
    An open breaker, a pause and a full window cost no turns: a rest is a rest.
    """
    receiver.script(SECRET, then=status(503, headers={"Retry-After": "30"}))
    mount(
        session,
        pipeline,
        receiver.url(SECRET),
        breaker=BreakerPolicy(1, 0.05, 0.05),
        fallbacks=lambda entry: None,
        fallback_after=0.1,
    )
    fail(2)
    until(lambda: books(pipeline).pending == 0)
    fail(1)
    time.sleep(0.2)
    used = time.process_time()
    time.sleep(0.4)

    assert time.process_time() - used < 0.1
    assert len(receiver.requests) == 1


def test_an_idle_lane_is_let_go_with_its_connection(session, receiver, pipeline, fail, monkeypatch):
    """
    After its time a lane without trouble goes; the next record makes a new one, and the books go on.
    """
    monkeypatch.setattr(lanes, "_IDLE", 0.2)
    mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    assert pipeline.flush(2)
    until(lambda: not len(pipeline._dispatcher.lanes))
    assert pipeline.stats().delivered == 1
    fail(1)
    assert pipeline.flush(2)

    assert numbers(receiver) == [0, 1]
    assert receiver.accepted == 2
    assert pipeline.stats().delivered == 2


def test_a_lane_with_something_to_remember_stays(session, receiver, pipeline, fail, monkeypatch):
    """
    410 outlives the idle time: there is never a second post.
    """
    monkeypatch.setattr(lanes, "_IDLE", 0.05)
    receiver.script(SECRET, then=status(410))
    mount(session, pipeline, receiver.url(SECRET))
    for _ in range(3):
        fail(1)
        time.sleep(0.15)
    assert pipeline.flush(1)

    assert len(receiver.requests) == 1
    assert books(pipeline).dropped == {"endpoint_gone": 3}


# -- the ending -------------------------------------------------------------------------------------------------------


def test_closing_delivers_what_waits_and_ends_everything(session, receiver, fail):
    """
    A batch that would wait for a minute goes at once; threads and connections are gone afterwards.
    """
    before = our_threads()
    pipeline = Pipeline()
    closed = threading.Event()

    def watch(connection) -> bool:
        status().play(connection)
        if not connection.sock.recv(1):
            closed.set()
        return False

    receiver.script(SECRET, then=Reply(watch))
    mount(session, pipeline, receiver.url(SECRET), batch=BatchPolicy(10, 60.0))
    fail(3)
    assert pipeline.close(3)

    assert numbers(receiver) == [0, 1, 2]
    assert closed.wait(1), "the connection was kept"
    until(lambda: our_threads() == before, 1)
    assert pipeline.closed
    assert pipeline.stats().threads == 0


@pytest.mark.parametrize("ending", ["flush", "close"])
def test_a_hurry_makes_no_small_messages(session, receiver, fail, ending):
    """
    What waits in the queue at the end still goes in full batches: a webhook with a rate limit gets no more posts.
    """
    pipeline = Pipeline(linger=0.5)
    mount(session, pipeline, receiver.url(SECRET), batch=BatchPolicy(10, 60.0))
    fail(200)
    assert getattr(pipeline, ending)(5)
    pipeline.close(1)

    assert sorted(numbers(receiver)) == list(range(200))
    assert len(receiver.requests) <= 30


def test_closing_ends_idle_workers_too(session, receiver, fail):
    """
    Several workers that wait for work go at once, not when they are tired of waiting.
    """
    before = our_threads()
    pipeline = Pipeline()
    for number in range(6):
        receiver.script(f"{SECRET}/{number}", then=slow(0.05))
    mount(session, pipeline, *(receiver.url(f"{SECRET}/{number}") for number in range(6)))
    fail(1)
    receiver.wait(6)
    assert len(our_threads() - before) > 3
    assert pipeline.close(3)

    until(lambda: our_threads() == before, 1)


def test_after_closing_everything_is_refused_and_counted(session, receiver, fail):
    """
    The app's calls go on; what they would tell is counted as `shutdown`, without a thread.
    """
    pipeline = Pipeline()
    adapter = mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    assert pipeline.close(3)
    fail(4)

    assert pipeline.stats().dropped == {"shutdown": 4}
    assert pipeline.stats().balanced
    assert adapter.flush(1)
    assert numbers(receiver) == [0]
    assert pipeline.stats().threads == 0


def test_closing_twice_is_closing_once(session, receiver, fail):
    """
    A second close does nothing and says what the first one said.
    """
    pipeline = Pipeline()
    mount(session, pipeline, receiver.url(SECRET))
    fail(1)

    assert [pipeline.close(3), pipeline.close(3)] == [True, True]
    assert len(receiver.requests) == 1


def test_closing_a_pipeline_that_never_began(pipeline):
    """
    There is nothing to do, and it is done at once.
    """
    began = time.monotonic()

    assert pipeline.close(5)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("answer", [hang(), drip_body()], ids=["hang", "drip"])
def test_closing_ends_in_time_with_a_hung_webhook(session, receiver, fail, answer):
    """
    The deadline holds; what did not go out is counted, once, and nothing is posted afterwards.
    """
    pipeline = Pipeline()
    receiver.script(SECRET, then=answer)
    mount(session, pipeline, receiver.url(SECRET))
    fail(5)
    receiver.wait(1)
    began = time.monotonic()
    assert not pipeline.close(0.3)
    assert time.monotonic() - began < 0.8
    posts = len(receiver.requests)
    time.sleep(0.3)

    assert len(receiver.requests) == posts
    assert books(pipeline).dropped == {"shutdown": 5}
    assert pipeline.stats().pending == 0


def test_attempts_that_wait_for_a_worker_are_not_made_after_the_end(session, receiver, fail):
    """
    One worker, hung; the attempts behind it are dropped by the close and stay dropped.
    """
    pipeline = Pipeline(workers=1)
    receiver.script(f"{SECRET}/hung", then=hang())
    mount(
        session,
        pipeline,
        receiver.url(f"{SECRET}/hung"),
        receiver.url(f"{SECRET}/behind"),
        transport=TransportPolicy(total=0.4),
    )
    fail(1)
    receiver.wait(1)
    until(lambda: pipeline.stats().pending == 2)
    pipeline.close(0.05)
    time.sleep(0.6)

    assert [request.target for request in receiver.requests] == [f"{SECRET}/hung"]
    assert [lane.dropped for lane in pipeline.stats().inspectors] == [{"shutdown": 1}] * 2


def test_closing_while_a_formatter_is_at_work_counts_and_posts_nothing_twice(session, receiver, fail):
    """
    The deadline comes in the middle of somebody's slow `payloads()`; its result is not used any more.
    """
    pipeline, at_work, go_on = Pipeline(), threading.Event(), threading.Event()

    class Slow(WebhookInspector):
        def payloads(self, entries, *, plain=False):
            at_work.set()
            go_on.wait(5)
            return super().payloads(entries[1:], plain=plain)

    mount(session, pipeline, Slow(receiver.url(SECRET)), batch=BatchPolicy(2, 0.2))
    fail(2)
    assert at_work.wait(2)
    pipeline.close(0.05)
    go_on.set()
    time.sleep(0.2)

    assert receiver.requests == []
    assert books(pipeline).dropped == {"shutdown": 2}
    assert pipeline.stats().balanced


def test_a_lost_connection_between_two_posts_is_nobodys_failure(session, receiver, pipeline, fail):
    """
    A kept connection that the service closed meanwhile is replaced without a retry.
    """
    mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    assert pipeline.flush(2)
    receiver.drop_connections()
    session.close()
    fail(1)
    assert pipeline.flush(2)

    assert (books(pipeline).delivered, books(pipeline).retries, receiver.accepted) == (2, 0, 2)


# -- who may say what of an address ------------------------------------------------------------------------------------


def adapter(pipeline: Pipeline, url: str, **options) -> CurlInterceptor:
    return CurlInterceptor(inspectors=[url], pipeline=pipeline, **options)


def test_two_adapters_may_share_an_address_with_equal_policies(pipeline):
    """
    Equal values are the same policy, however often they are written down.
    """
    first = adapter(pipeline, f"http://hook.test{SECRET}", retry=RetryPolicy(2))
    second = adapter(pipeline, f"http://hook.test{SECRET}", retry=RetryPolicy(2))

    assert first.pipeline is second.pipeline


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("retry", RetryPolicy(7)),
        ("batch", BatchPolicy(3)),
        ("cooldown", None),
        ("rate_limit", RateLimit(1, 1)),
        ("breaker", BreakerPolicy(9)),
        ("transport", TransportPolicy(total=3)),
        ("lane", LanePolicy(7)),
        ("fallback_after", 7.0),
    ],
)
def test_different_policies_for_one_address_are_refused(pipeline, keyword, value):
    """
    The message names the keyword and the remedy, and not the address.
    """
    first = adapter(pipeline, f"http://hook.test{SECRET}")
    with pytest.raises(ConfigurationError) as refused:
        adapter(pipeline, f"http://hook.test{SECRET}", **{keyword: value})

    assert first is not None
    assert str(refused.value).startswith(keyword)
    assert "pipeline=Pipeline(...)" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_other_policies_may_come_when_the_last_adapter_has_gone(session, receiver, pipeline, fail):
    """
    The claim ends with its adapter; the next one's policies are those that hold.
    """
    first = mount(session, pipeline, receiver.url(SECRET), batch=BatchPolicy(2, 60.0))
    fail(2)
    assert pipeline.flush(2)
    session.adapters.clear()
    del first
    gc.collect()

    mount(session, pipeline, receiver.url(SECRET), batch=BatchPolicy(3, 60.0))
    fail(3)
    receiver.wait(2)
    assert [len(json.loads(body)) for body in receiver.bodies()] == [2, 3]


@pytest.mark.parametrize(
    "answer", [status(410), status(429, headers={"Retry-After": "4000"})], ids=["gone", "told to wait for hours"]
)
def test_other_policies_make_nobody_forget_what_a_webhook_said(session, receiver, pipeline, fail, answer):
    """
    A 410 and a `Retry-After` outlive the adapter that met them, and so do the books.
    """
    receiver.script(SECRET, [answer])
    first = mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    until(lambda: books(pipeline).pending == 0 and books(pipeline).last_error)
    session.adapters.clear()
    del first
    gc.collect()

    mount(session, pipeline, receiver.url(SECRET), retry=RetryPolicy(0))
    fail(1)
    assert pipeline.flush(2)
    assert len(receiver.requests) == 1
    assert books(pipeline).routed == pipeline.stats().routed == 2


def test_a_pipeline_of_ones_own_has_policies_of_its_own(pipeline):
    """
    The remedy of the message works.
    """
    other = Pipeline()
    adapter(pipeline, f"http://hook.test{SECRET}", retry=RetryPolicy(1))

    assert adapter(other, f"http://hook.test{SECRET}", retry=RetryPolicy(2)).pipeline is other
    other.close(0.1)


class Elsewhere(WebhookInspector):
    """An inspector for an address that nobody can post to."""

    def check_address(self, address):
        return address


@pytest.mark.parametrize("options", [{"inspectors": Elsewhere("ftp://x/y")}, {"fallbacks": Elsewhere("ftp://x/y")}])
def test_an_address_without_a_transport_is_refused_at_construction(pipeline, options):
    """
    Not at the first failure in the night, neither for an inspector nor for a fallback.
    """
    with pytest.raises(ConfigurationError, match="'ftp'"):
        CurlInterceptor(**{"inspectors": "http://hook.test/", **options}, pipeline=pipeline)


def test_a_refused_adapter_claims_nothing(pipeline):
    """
    An adapter whose construction failed does not fix the policies of any address.
    """
    first = adapter(pipeline, f"http://hook.test{SECRET}")
    with pytest.raises(ConfigurationError):
        CurlInterceptor(
            inspectors=["http://other.test/", f"http://hook.test{SECRET}"], pipeline=pipeline, retry=RetryPolicy(9)
        )
    gc.collect()

    assert adapter(pipeline, "http://other.test/", retry=RetryPolicy(8)) is not first


def test_other_numbers_for_the_default_pipeline_are_refused(monkeypatch):
    """
    The first adapter that names numbers makes the process's pipeline; another number names the remedy.
    """
    monkeypatch.setattr(pipeline_module, "_default", None)
    first = CurlInterceptor(inspectors=[f"http://hook.test{SECRET}"], queue_size=123)
    CurlInterceptor(inspectors=[f"http://hook.test{SECRET}"], queue_size=123)
    CurlInterceptor(inspectors=[f"http://hook.test{SECRET}"])
    with pytest.raises(ConfigurationError, match=r"queue_size.*pipeline=Pipeline\(queue_size=456\)"):
        CurlInterceptor(inspectors=[f"http://hook.test{SECRET}"], queue_size=456)

    assert first.pipeline.policy.queue_size == 123
    assert first.pipeline.close(1)


def test_numbers_and_a_pipeline_are_not_both_taken(pipeline):
    """
    A number beside `pipeline=` would be ignored, so it is refused.
    """
    with pytest.raises(ConfigurationError, match="workers"):
        adapter(pipeline, f"http://hook.test{SECRET}", workers=2)


def test_books_balance_under_load_from_many_threads(receiver, pipeline, api):
    """
    Whoever looks at the figures at any moment sees ledgers that add up, and in the end everything is delivered.
    """

    def call(number: int) -> None:
        with requests.Session() as one:
            one.trust_env = False
            mount(one, pipeline, receiver.url(SECRET), batch=BatchPolicy(10, 0.01))
            for step in range(25):
                one.get(api.url(f"/status/500?number={number * 25 + step}"))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    looks = 0
    while any(thread.is_alive() for thread in threads) or looks < 50:
        assert pipeline.stats().balanced
        looks += 1
    for thread in threads:
        thread.join()
    assert pipeline.flush(5)

    assert sorted(numbers(receiver)) == list(range(100))


def test_closing_says_that_something_was_lost(session, receiver, pipeline, fail):
    """
    A webhook that answers 503 to the last attempts has not taken everything.
    """
    receiver.script(SECRET, then=status(503))
    mount(session, pipeline, receiver.url(SECRET))
    fail(3)

    assert not pipeline.close(2)
    assert pipeline.stats().inspectors[0].dropped == {"shutdown": 3}
    assert not pipeline.flush(0.1) or pipeline.stats().pending == 0


def test_a_thread_that_cannot_be_started_is_tried_again(session, receiver, pipeline, fail, monkeypatch):
    """
    A process short of threads delivers once it has them again.
    """
    real, refusals = threading.Thread.start, [3]

    def start(self):
        if self.name.startswith("curl-interceptor-worker") and refusals[0]:
            refusals[0] -= 1
            raise RuntimeError("can't start new thread")
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    mount(session, pipeline, receiver.url(SECRET))
    fail(2)

    assert pipeline.flush(5)
    assert pipeline.stats().delivered == 2


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupted_start_of_the_dispatcher_is_made_up_for(session, receiver, pipeline, fail, monkeypatch, moment):
    """
    Ctrl-C in the middle of the first start leaves no pipeline without its thread, and none with two.
    """
    real, interrupts = _thread.start_new_thread, [1]

    def start(*arguments):
        if moment == "after":
            real(*arguments)
        if interrupts.pop():
            interrupts.append(0)
            raise KeyboardInterrupt
        if moment == "before":
            real(*arguments)

    monkeypatch.setattr(_thread, "start_new_thread", start)
    mount(session, pipeline, receiver.url(SECRET))
    with pytest.raises(KeyboardInterrupt):
        fail(1)
    monkeypatch.undo()
    fail(1)

    assert pipeline.flush(5)
    assert pipeline.stats().delivered == 2


def test_fallbacks_are_asked_in_turn_although_the_first_is_dead_too(session, receiver, pipeline, fail):
    """
    What waits for a dead fallback goes on to the next one.
    """
    taken = []
    receiver.script(SECRET, then=status(503))
    receiver.script(f"{SECRET}/two", then=status(503))
    mount(
        session,
        pipeline,
        receiver.url(SECRET),
        batch=BatchPolicy(1, 0),
        retry=RetryPolicy(retries=0),
        breaker=BreakerPolicy(failures=1, open_for=0.05, max_open_for=0.1),
        fallbacks=[receiver.url(f"{SECRET}/two"), taken.append],
        fallback_after=0.2,
    )
    fail(3)
    until(lambda: len(taken) >= 2, 5)

    assert pipeline.stats().balanced


def test_kept_connections_are_bounded_over_all_lanes(session, receiver, pipeline, fail):
    """
    `pool_size` idle connections are kept, the one that was used last among them.
    """
    policy = TransportPolicy(pool_size=1)
    for number in range(3):
        mount(session, pipeline, receiver.url(f"{SECRET}/{number}"), transport=policy)
        fail(1)
        assert pipeline.flush(2)

    kept = [lane.inspector.address for lane in pipeline._dispatcher.lanes if lane.transport.idle_since is not None]
    assert kept == [receiver.url(f"{SECRET}/2")]


def test_a_predicate_that_blocks_is_named(session, receiver, pipeline, fail, caplog):
    """
    One that holds up all deliveries is counted, and said whose it is.
    """
    mount(session, pipeline, receiver.url(SECRET), match=Match(predicate=lambda record: time.sleep(1.1) or True))
    fail(1)
    assert pipeline.flush(5)

    assert pipeline.stats().errors == {"slow_match": 1}
    assert "the predicate of webhook:" in caplog.text


def test_a_fallback_that_only_promises_to_take_it_has_not(session, receiver, pipeline, fail):
    """
    A lambda may return a coroutine that nobody runs: the next fallback gets the record.
    """
    kept = []

    async def later(record):
        raise AssertionError("nobody runs it")

    receiver.script(SECRET, then=status(400))
    mount(session, pipeline, receiver.url(SECRET), fallbacks=[lambda record: later(record), kept.append])
    fail()
    assert pipeline.flush(5)

    assert len(kept) == 1
    assert pipeline.stats().inspectors[0].fallbacks == {"raised": 1, "taken": 1}


def test_the_last_word_about_a_webhook_is_true(session, receiver, pipeline, fail, caplog):
    """
    It fails again soon after it was said to be well: that is left out for a while, and said while it lasts.
    """
    caplog.set_level("INFO", "curl_interceptor")
    receiver.script(SECRET, [status(503)], then=status(200))
    mount(
        session,
        pipeline,
        receiver.url(SECRET),
        retry=RetryPolicy(retries=0),
        batch=BatchPolicy(1, 0),
        breaker=BreakerPolicy(failures=1, open_for=0.05, max_open_for=0.2),
    )
    pipeline._current().troubles._every = 1.0
    fail()
    until(lambda: "succeed again" in caplog.text, 5)
    receiver.script(SECRET, then=status(503))
    fail()

    until(lambda: caplog.text.count("its records wait") == 2, 10)
    lines = [line for line in caplog.messages if "deliveries to" in line]
    assert ["fail" in line for line in lines] == [True, False, True]


def test_a_webhook_that_takes_nothing_is_told_once(session, receiver, pipeline, fail, caplog):
    """
    One line says that records wait and why, and one that they go again.
    """
    caplog.set_level("INFO", "curl_interceptor")
    receiver.script(SECRET, [status(503)] * 3, then=status(200))
    mount(
        session,
        pipeline,
        receiver.url(SECRET),
        retry=RetryPolicy(retries=0),
        batch=BatchPolicy(1, 0),
        breaker=BreakerPolicy(failures=1, open_for=0.05),
    )
    fail(5)
    until(lambda: pipeline.stats().delivered == 5, 5)

    lines = [line for line in caplog.messages if "deliveries to" in line]
    assert len(lines) == 2
    assert "fail (HTTP 503)" in lines[0]
    assert "succeed again" in lines[1]
