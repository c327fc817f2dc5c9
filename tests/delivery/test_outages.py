"""A webhook in trouble: what it may cost, when it is tried again, and that everything arrives once it lives again.

On real sockets, through a mounted session; the address of the webhook is a secret in all of these tests.
"""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable

import pytest
from support.receiver import (
    HOST,
    Connection,
    Receiver,
    Reply,
    close,
    drip_body,
    drip_head,
    endless,
    endless_1xx,
    garbage,
    hang,
    huge,
    redirect,
    reset,
    status,
    truncated,
)
from support.waiting import books, until

import curl_interceptor
from curl_interceptor import (
    BatchPolicy,
    BreakerPolicy,
    LanePolicy,
    Pipeline,
    RetryPolicy,
    TransportPolicy,
    WebhookInspector,
)

pytestmark = pytest.mark.usefixtures("_the_address_is_never_told")

SECRET = "/hook-s3cr3t-t0k3n"
QUICK = {
    "cooldown": None,
    "batch": BatchPolicy(1, 0),
    "retry": RetryPolicy(3, 0.05),
    "breaker": BreakerPolicy(5, 0.1, 0.4),
}


class Hook:
    """A webhook that decides about each post by what is in it; None takes it."""

    def __init__(
        self,
        receiver: Receiver,
        decide: Callable[[list[dict]], Reply | None] = lambda documents: None,
        path: str = SECRET,
    ) -> None:
        self.decide = decide
        self.taken: list[dict] = []
        self.posts: list[tuple[float, list[dict]]] = []
        self.url = receiver.url(path)
        receiver.script(path, then=Reply(self._play))

    def _play(self, connection: Connection) -> bool:
        documents = documents_of(connection.request.body)
        self.posts.append((time.monotonic(), documents))
        reply = self.decide(documents)
        if reply is None:
            self.taken.extend(documents)
        return (reply or status()).play(connection)

    @property
    def numbers(self) -> list[int]:
        """Which of the failures of `fail` arrived, in the order of their arrival."""
        return [number_of(document) for document in self.taken]


def documents_of(body: bytes) -> list[dict]:
    document = json.loads(body)
    return document if isinstance(document, list) else [document]


def number_of(document: dict) -> int:
    return int(document["url"].rpartition("=")[2])


def mount(session, pipeline: Pipeline, *inspectors, **options):
    return curl_interceptor.mount(session, *inspectors, pipeline=pipeline, **{**QUICK, **options})


def test_everything_arrives_once_after_an_outage(session, receiver, pipeline, fail):
    """
    Two seconds of 503 with a hundred records waiting: few attempts, and each record once soon after recovery.
    """
    recovers = time.monotonic() + 2.0
    hook = Hook(receiver, lambda documents: status(503) if time.monotonic() < recovers else None)
    mount(session, pipeline, hook.url, batch=BatchPolicy(10, 0.05))
    fail(100)
    until(lambda: len(hook.taken) >= 100)

    assert time.monotonic() - recovers < 10
    assert sorted(hook.numbers) == list(range(100))
    assert len(hook.posts) < 60
    until(lambda: books(pipeline).delivered == 100)


@pytest.mark.parametrize("trouble", [hang(), reset(), close(), garbage()], ids=["hang", "reset", "close", "garbage"])
def test_everything_arrives_after_any_kind_of_outage(session, receiver, pipeline, fail, trouble):
    """
    A webhook that hangs, resets or talks nonsense for half a second loses nothing.
    """
    recovers = time.monotonic() + 0.5
    hook = Hook(receiver, lambda documents: trouble if time.monotonic() < recovers else None)
    mount(session, pipeline, hook.url, transport=TransportPolicy(total=0.2), batch=BatchPolicy(5, 0.05))
    fail(20)
    until(lambda: len(set(hook.numbers)) == 20)

    until(lambda: books(pipeline).delivered == 20)
    assert books(pipeline).failed == 0


def test_a_server_that_appears_later_gets_everything(session, pipeline, fail):
    """
    Connections are refused until somebody listens; then all records arrive.
    """

    class Late(Receiver):
        def __enter__(self):
            self.port = port
            self._listener = reserved
            self._listener.listen(64)
            self._start(self._accept)
            return self

    reserved = socket.socket()
    reserved.bind((HOST, 0))
    port = reserved.getsockname()[1]
    late = Late()
    late.port = port
    mount(session, pipeline, late.url(SECRET))
    fail(10)
    until(lambda: books(pipeline).breaker == "open")
    assert books(pipeline).last_error == "ConnectionRefusedError"
    with late:
        hook = Hook(late)
        until(lambda: len(hook.taken) == 10)
        until(lambda: books(pipeline).delivered == 10)
        assert sorted(hook.numbers) == list(range(10))


@pytest.mark.parametrize("code", [429, 503])
def test_nothing_goes_before_the_retry_after_is_over(session, receiver, pipeline, fail, code):
    """
    `Retry-After: 1` holds for retries, new records and a flush, which answers False; then it resumes at once.
    """
    receiver.script(SECRET, [status(code, headers={"Retry-After": "1"})])
    adapter = mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    receiver.wait(1)
    fail(3)
    assert not adapter.flush(0.3)
    requests = receiver.wait(5)
    adapter.flush(1)

    assert requests[1].time - requests[0].time >= 1.0
    assert requests[-1].time - requests[0].time < 3.0
    assert (books(pipeline).delivered, books(pipeline).breaker) == (4, "closed")


def test_closing_waits_for_a_retry_after_that_ends_in_time(session, receiver, fail):
    """
    A pause of 0.3 s fits into a close of 3 s: what waits in a long backoff is delivered after it, and not earlier.
    """
    pipeline = Pipeline()
    receiver.script(SECRET, [status(503, headers={"Retry-After": "0.3"})])
    mount(session, pipeline, receiver.url(SECRET), retry=RetryPolicy(3, 60.0, jitter=False))
    fail(1)
    receiver.wait(1)
    assert pipeline.close(3)

    first, second = receiver.requests
    assert 0.3 <= second.time - first.time < 2.5


def test_closing_drops_at_once_what_lies_past_its_deadline(session, receiver, fail):
    """
    A pause of a minute is not waited for: the entries are dropped, counted, and nothing is posted.
    """
    pipeline = Pipeline()
    receiver.script(SECRET, [status(429, headers={"Retry-After": "60"})])
    mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    until(lambda: books(pipeline).last_error == "HTTP 429")
    fail(3)
    began = time.monotonic()
    pipeline.close(3)

    assert time.monotonic() - began < 1.5
    assert len(receiver.requests) == 1
    assert books(pipeline).dropped == {"shutdown": 4}


def test_equal_failures_of_a_long_outage_arrive_as_one_that_counts_them(session, receiver, pipeline, fail):
    """
    A lane over half full folds equals; after the outage the books, and what arrived, tell of every failure.
    """
    hook = Hook(receiver, lambda documents: status(503))
    mount(session, pipeline, hook.url, lane=LanePolicy(records=20))
    fail(60)
    fail(3, 404)
    until(lambda: pipeline.stats().queued == 0 and pipeline.stats().degraded == "digest")
    until(lambda: books(pipeline).breaker == "open")
    assert books(pipeline).pending <= 20
    hook.decide = lambda documents: None
    until(lambda: pipeline.stats().pending == 0)

    told = {code: [document for document in hook.taken if document["status"] == code] for code in (404, 500)}
    assert sum(1 + document["suppressed"] for document in told[500]) == 60
    assert sum(1 + document["suppressed"] for document in told[404]) == 3
    summary = max(told[500], key=lambda document: document["suppressed"])
    assert summary["suppressed"] > 10
    assert summary["suppressed_since"] <= summary["started"]
    lane = books(pipeline)
    assert (lane.routed, lane.delivered + lane.suppressed) == (63, 63)
    assert not lane.dropped
    assert (lane.opened, lane.closed) == (1, 1)
    assert lane.trials >= 1


def test_a_poison_record_costs_only_itself(session, receiver, pipeline, fail):
    """
    One record of eight that the service refuses: seven arrive, the one is tried once more as plain text, then failed.
    """
    hook = Hook(receiver, lambda documents: status(400) if 5 in map(number_of, documents) else None)
    mount(session, pipeline, hook.url, batch=BatchPolicy(8, 5.0))
    fail(8)
    until(lambda: books(pipeline).failed == 1)

    assert sorted(hook.numbers) == [0, 1, 2, 3, 4, 6, 7]
    assert [len(documents) for _, documents in hook.posts if 5 in map(number_of, documents)] == [8, 4, 2, 1, 1]
    assert ["request" in documents[0] for _, documents in hook.posts if [*map(number_of, documents)] == [5]] == [
        True,
        False,
    ]
    assert (books(pipeline).delivered, books(pipeline).breaker) == (7, "closed")


def test_a_record_that_always_breaks_the_server_costs_only_itself(session, receiver, pipeline, fail):
    """
    An eternal 500 for one record looks like an outage at first; the others arrive all the same, and the one is failed.
    """
    hook = Hook(receiver, lambda documents: status(500) if 2 in map(number_of, documents) else None)
    mount(session, pipeline, hook.url, batch=BatchPolicy(4, 0.1), retry=RetryPolicy(1, 0.05))
    fail(4)
    while books(pipeline).failed == 0:
        fail(1)
        time.sleep(0.05)
        assert len(hook.posts) < 200
    assert pipeline.flush(5)

    assert 2 not in hook.numbers
    assert (books(pipeline).failed, books(pipeline).breaker) == (1, "closed")
    assert books(pipeline).delivered == books(pipeline).routed - 1 == len(hook.taken)


def test_what_the_service_says_of_its_limit_is_kept_without_a_429(session, receiver, pipeline, fail):
    """
    An answer that takes the record, and says that it was the last one for half a second, is believed.
    """
    hook = Hook(
        receiver,
        lambda documents: status(200, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "0.5"}),
    )
    mount(session, pipeline, hook.url)
    fail(3)
    until(lambda: len(hook.posts) == 3)

    times = [when for when, _ in hook.posts]
    assert all(later - earlier >= 0.5 for earlier, later in itertools.pairwise(times))
    assert books(pipeline).retries == 0


def test_gone_ends_after_one_post(session, receiver, pipeline, fail):
    """
    410: never a second post; everything of before and after is counted as `endpoint_gone`.
    """
    receiver.script(SECRET, then=status(410))
    adapter = mount(session, pipeline, receiver.url(SECRET))
    fail(5)
    until(lambda: books(pipeline).dropped.get("endpoint_gone") == 5)
    fail(5)
    assert adapter.flush(2)

    assert len(receiver.requests) == 1
    assert books(pipeline).dropped == {"endpoint_gone": 10}


def test_a_404_pauses_and_comes_back(session, receiver, pipeline, fail):
    """
    The batch goes to the fallback, the others wait for a trial of one entry a second later; then all is well again.
    """
    hook, rescued = Hook(receiver, lambda documents: status(404)), []
    mount(session, pipeline, hook.url, batch=BatchPolicy(2, 0.05), fallbacks=rescued.append)
    fail(2)
    until(lambda: len(rescued) == 2)
    hook.decide = lambda documents: None
    fail(4)
    assert not pipeline.flush(0.3)
    until(lambda: len(hook.taken) == 4)

    assert [len(documents) for _, documents in hook.posts][:2] == [2, 1]
    assert 0.95 <= hook.posts[1][0] - hook.posts[0][0] < 5
    assert (books(pipeline).failed, books(pipeline).breaker) == (2, "closed")


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(session, receiver, pipeline, fail, code):
    """
    The webhook has moved: its batch is given up, and nobody goes where it points.
    """
    receiver.script(SECRET, then=redirect(receiver.url("/elsewhere"), code))
    mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    until(lambda: books(pipeline).failed == 1)

    assert [request.target for request in receiver.requests] == [SECRET]
    assert books(pipeline).last_error == f"HTTP {code}"


@pytest.mark.parametrize("answer", [huge(50_000_000), endless()], ids=["huge", "endless"])
def test_an_answer_without_end_is_cut_and_judged_by_its_status(session, receiver, pipeline, fail, answer):
    """
    200 and a flood of bytes: delivered, at once, after 64 KB of it.
    """
    receiver.script(SECRET, then=answer)
    mount(session, pipeline, receiver.url(SECRET))
    fail(3)
    took = until(lambda: books(pipeline).delivered == 3)

    assert took < 5
    assert len(receiver.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [drip_head(), drip_body(), endless_1xx(0.01), endless(0.05), garbage(), truncated(), reset(), close()],
    ids=["drip_head", "drip_body", "1xx", "slow endless", "garbage", "truncated", "reset", "close"],
)
def test_a_dreadful_answer_costs_one_deadline_and_is_tried_again(session, receiver, pipeline, fail, answer):
    """
    Whatever stands in the place of an answer, the next attempt follows in time, with the same id.
    """
    receiver.script(SECRET, [answer])
    mount(session, pipeline, receiver.url(SECRET), transport=TransportPolicy(total=0.3))
    fail(1)
    first, second = receiver.wait(2)
    until(lambda: books(pipeline).delivered == 1)

    assert second.time - first.time < 2.5
    assert json.loads(first.body)["id"] == json.loads(second.body)["id"]
    assert books(pipeline).retries == 1


def test_the_same_size_is_not_sent_again_after_a_413(session, receiver, pipeline, fail):
    """
    A limit of the service on the size: smaller and smaller payloads until each of them fits, none of a refused size.
    """
    refused: dict[int, int] = {}

    def decide(connection: Connection) -> bool:
        size = len(connection.request.body)
        for number in map(number_of, documents_of(connection.request.body)):
            assert size < refused.get(number, 10**9)
            if size > 5_000:
                refused[number] = size
        return status(413 if size > 5_000 else 200).play(connection)

    receiver.script(SECRET, then=Reply(decide))
    mount(session, pipeline, receiver.url(SECRET), batch=BatchPolicy(8, 5.0))
    fail(16)
    assert pipeline.flush(5)

    assert len(refused) == 16
    assert books(pipeline).delivered == 16


def test_a_record_that_is_too_large_by_itself_is_sent_once_smaller(session, receiver, pipeline, fail, api):
    """
    One large record: 413, the plain form, 413 again, then the fallback. No size twice.
    """
    rescued = []
    receiver.script(SECRET, then=status(413))
    mount(session, pipeline, receiver.url(SECRET), fallbacks=rescued.append)
    session.post(api.url("/status/500"), data=b"x" * 20_000)
    until(lambda: rescued)

    first, second = (len(body) for body in receiver.bodies())
    assert second < first
    assert books(pipeline).failed == 1


def test_ids_are_constant_over_all_attempts(session, receiver, pipeline, fail):
    """
    A receiver can tell a repeat by the id of the record.
    """
    receiver.script(SECRET, [status(503), reset(), status(500)])
    mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    requests = receiver.wait(4)

    assert len({json.loads(request.body)["id"] for request in requests}) == 1


def test_a_lane_needs_one_connection(session, receiver, pipeline, fail):
    """
    Many posts, one after the other, over one connection, failures with a proper answer included.
    """
    receiver.script(SECRET, [status(503), status(400), status(200, body=b"fine")])
    mount(session, pipeline, receiver.url(SECRET))
    for _ in range(5):
        fail(4)
        assert pipeline.flush(3)

    assert len(receiver.requests) >= 20
    assert {request.connection for request in receiver.requests} == {1}
    assert receiver.accepted == 1


def test_a_healthy_webhook_is_not_delayed_by_hung_ones(session, receiver, fail):
    """
    With `workers - 1` webhooks hanging the healthy one gets its records within a second.
    """
    pipeline = Pipeline(workers=4)
    hung = [receiver.url(f"{SECRET}/{number}") for number in range(3)]
    for number in range(3):
        receiver.script(f"{SECRET}/{number}", then=hang())
    hook = Hook(receiver)
    mount(session, pipeline, *hung, hook.url)
    fail(1)
    until(lambda: len(receiver.requests) >= 4)
    for count in range(2, 6):
        fail(1)
        assert until(lambda count=count: len(hook.taken) == count) < 1.0
    pipeline.close(0.1)

    assert pipeline.stats().balanced


def test_an_inspector_is_never_its_own_fallback(session, receiver, pipeline, fail):
    """
    Where an adapter's fallback is one of its inspectors too, that one gets what the other gave up, and its own once.
    """
    receiver.script(f"{SECRET}/first", then=status(400))
    receiver.script(f"{SECRET}/second", then=status(400))
    second = WebhookInspector(receiver.url(f"{SECRET}/second"), label="second", batch=BatchPolicy(1, 0))
    first = WebhookInspector(receiver.url(f"{SECRET}/first"), label="first", batch=BatchPolicy(1, 0))
    mount(session, pipeline, first, second, fallbacks=receiver.url(f"{SECRET}/second"))
    fail(1)
    until(lambda: sum(lane.failed for lane in pipeline.stats().inspectors) == 3)
    assert pipeline.flush(1)
    stats = pipeline.stats()

    assert {lane.label: (lane.routed, lane.failed, lane.fallbacks.get("taken", 0)) for lane in stats.inspectors} == {
        "first": (1, 1, 1),
        "second": (2, 2, 0),
    }
    assert stats.balanced


def test_fallbacks_are_asked_in_turn(session, receiver, pipeline, fail):
    """
    An inspector that is refused too, a callable that raises, a callable that takes it; each step is counted.
    """
    receiver.script(SECRET, then=status(404))
    receiver.script(f"{SECRET}/second", then=status(400))
    rescued = []

    def breaks(entry: object) -> None:
        raise LookupError(SECRET)

    mount(
        session,
        pipeline,
        WebhookInspector(receiver.url(SECRET), label="first"),
        fallbacks=[WebhookInspector(receiver.url(f"{SECRET}/second"), label="second"), breaks, rescued.append],
    )
    fail(1)
    until(lambda: rescued)
    stats = pipeline.stats()

    assert {lane.label: (lane.routed, lane.failed, lane.delivered) for lane in stats.inspectors} == {
        "first": (1, 1, 0),
        "second": (1, 1, 0),
    }
    assert stats.errors["fallback"] == 1
    assert stats.balanced
    assert rescued[0].status == 500


def test_a_second_inspector_takes_over_when_the_breaker_stays_open(session, receiver, pipeline, fail):
    """
    After `fallback_after` seconds of an open breaker the entries go to the fallback, but the webhook is still tried.
    """
    receiver.script(SECRET, then=status(500))
    second = Hook(receiver, path=f"{SECRET}/second")
    mount(
        session,
        pipeline,
        receiver.url(SECRET),
        retry=RetryPolicy(0),
        breaker=BreakerPolicy(1, 0.1, 0.1),
        fallbacks=second.url,
        fallback_after=0.3,
    )
    fail(5)
    until(lambda: len(second.taken) >= 4)
    receiver.script(SECRET, then=status(200))
    fail(1)

    until(lambda: sum(lane.delivered for lane in pipeline.stats().inspectors) == 6)
    assert len(receiver.requests) > 6
    assert len(set(second.numbers)) == len(second.numbers)


def test_what_nobody_takes_is_one_line_in_the_log(session, receiver, pipeline, fail, caplog):
    """
    Without fallbacks a record that is given up is an ERROR line with its command on `curl_interceptor.undelivered`.
    """
    receiver.script(SECRET, then=status(404))
    mount(session, pipeline, receiver.url(SECRET))
    fail(1)
    until(lambda: books(pipeline).failed == 1)
    until(lambda: "curl_interceptor.undelivered" in caplog.text)

    (line,) = [record for record in caplog.records if record.name == "curl_interceptor.undelivered"]
    assert line.levelname == "ERROR"
    assert "curl" in line.getMessage()
    assert "/status/500" in line.getMessage()


def test_what_the_last_fallback_refuses_is_one_line_in_the_log_too(session, receiver, pipeline, fail, caplog):
    """
    A callable that raises is no place for a record to vanish in.
    """

    def breaks(entry: object) -> None:
        raise LookupError(SECRET)

    receiver.script(SECRET, then=status(404))
    mount(session, pipeline, receiver.url(SECRET), fallbacks=[breaks])
    fail(1)
    until(lambda: "curl_interceptor.undelivered" in caplog.text)

    assert pipeline.stats().errors == {"fallback": 1}


def test_our_own_deliveries_are_not_captured(session, receiver, pipeline, fail):
    """
    A callable that fails with the very session it serves does not feed itself.
    """
    receiver.script(SECRET, then=status(404))
    hook = receiver.url(SECRET)
    called = []

    def fallback(entry: object) -> None:
        called.append(session.get(receiver.url(f"{SECRET}/of-mine")).status_code)

    receiver.script(f"{SECRET}/of-mine", then=status(500))
    mount(session, pipeline, hook, fallbacks=fallback)
    fail(1)
    until(lambda: called)
    assert pipeline.flush(1)

    assert called == [500]
    assert pipeline.stats().accepted == 1
