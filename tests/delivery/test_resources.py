"""What is held and for how long: connections as the receiver counts them, and memory over 100,000 exchanges."""

from __future__ import annotations

import gc
import queue
import threading
import time
from collections import Counter, OrderedDict, deque
from types import SimpleNamespace

import pytest
from support.waiting import until

import curl_interceptor
from curl_interceptor import BatchPolicy, Cooldown, Match, Redaction, TransportPolicy, WebhookInspector
from curl_interceptor.delivery import dispatcher as dispatcher_module
from curl_interceptor.delivery import lanes, transport, workers
from curl_interceptor.delivery.destination import plan_route
from curl_interceptor.delivery.dispatcher import Dispatcher
from curl_interceptor.delivery.lane import Job
from curl_interceptor.delivery.workers import Workers
from curl_interceptor.inspectors import Answer, Inspector
from curl_interceptor.policies import PipelinePolicy
from curl_interceptor.records.exchange import Exchange, RequestFacts, ResponseFacts

QUICK = {"cooldown": None, "batch": BatchPolicy(1, 0)}


# -- connections ------------------------------------------------------------------------------------------------------


def test_a_webhook_has_one_connection_and_all_of_them_together_a_bound(session, receiver, pipeline, fail):
    """
    Twelve webhooks with five posts each are twelve connections at the receiver, of which the last three are kept.
    """
    hooks = [
        WebhookInspector(receiver.url(f"/{number}"), transport=TransportPolicy(pool_size=3)) for number in range(12)
    ]
    for hook in hooks:
        curl_interceptor.mount(session, hook, pipeline=pipeline, **QUICK)
        fail(5)
        assert pipeline.flush(5)

    assert receiver.accepted == 12
    assert len({(request.target, request.connection) for request in receiver.requests}) == 12
    until(lambda: receiver.connected == 3)


@pytest.mark.parametrize("policy", [TransportPolicy(idle=0.15), TransportPolicy(pool_size=0)])
def test_a_connection_that_is_not_used_is_dropped(session, receiver, pipeline, fail, policy):
    """
    The receiver sees its connection go, and another one with the next record.
    """
    curl_interceptor.mount(session, receiver.url("/hook"), pipeline=pipeline, transport=policy, **QUICK)
    fail(1)
    assert pipeline.flush(5)
    until(lambda: receiver.connected == 0, 2)
    fail(1)
    assert pipeline.flush(5)

    assert receiver.accepted == 2


def test_a_connection_in_use_is_kept(session, receiver, pipeline, fail):
    """
    One that is used more often than its idle time is one connection for ever.
    """
    policy = TransportPolicy(idle=0.2)
    curl_interceptor.mount(session, receiver.url("/hook"), pipeline=pipeline, transport=policy, **QUICK)
    for _ in range(6):
        fail(1)
        time.sleep(0.06)
    assert pipeline.flush(5)

    assert receiver.accepted == 1


# -- memory -----------------------------------------------------------------------------------------------------------


class Nowhere(WebhookInspector):
    """A webhook whose transport takes everything at once."""

    def check_address(self, address: str) -> str:
        return address


class NowhereTransport:
    idle_since = None
    abandoned = False

    def __init__(self, address, policy) -> None:
        pass

    def post(self, payload, timeout):
        return Answer(200, {"x-ratelimit-remaining": "9", "x-ratelimit-reset-after": "1"})

    def close(self) -> None:
        pass


class Draft:
    """A call that was never made."""

    recorder = None
    ended = True
    spent = None

    def __init__(self, host: str, number: int) -> None:
        self.host = host
        self.number = number

    def end(self, state: str) -> None:
        pass

    def exchange(self) -> Exchange:
        request = RequestFacts("GET", f"https://{self.host}/orders/{self.number}", (("Accept", "*/*"),), b"x" * 500)
        return Exchange(request, ResponseFacts(503, "", (), (b"y" * 500,)), None, time.time(), 0.1)


@pytest.fixture
def dispatcher(monkeypatch):
    """A dispatcher whose turns the test does itself, with a transport that posts nothing."""
    monkeypatch.setitem(transport._factories, "nowhere", NowhereTransport)
    monkeypatch.setattr(workers, "_IDLE", 0.05)
    # There is no app whose threads would come first.
    monkeypatch.setattr(
        dispatcher_module, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None)
    )
    made = Dispatcher(PipelinePolicy(linger=0))
    yield made
    made.end()


def route_to(*inspectors: Inspector, **options):
    return plan_route(inspectors, match=Match(), redaction=Redaction(), options=options)


def offer(dispatcher: Dispatcher, route, host: str, number: int) -> None:
    assert dispatcher.queue.offer((Draft(host, number), route), 1_500)


def settle(dispatcher: Dispatcher) -> None:
    """Do turns until nothing waits; in a hurry, so that no batch is waited for."""
    dispatcher.hurry.append(None)
    began = time.monotonic()
    while not dispatcher.quiet:
        dispatcher.turn()
        time.sleep(0.0005)
        assert time.monotonic() - began < 20
    dispatcher.hurry.clear()


def test_the_apps_threads_come_first_every_fifth_of_a_millisecond(dispatcher, monkeypatch):
    """
    While much is routed the dispatcher steps back, by the time that it took and not by the record.
    """
    clock = iter(number / 10_000 for number in range(10_000_000))  # each look at it takes 0.1 ms
    rests: list[float] = []
    fake = SimpleNamespace(time=time.time, monotonic=lambda: next(clock), sleep=rests.append)
    monkeypatch.setattr(dispatcher_module, "time", fake)
    route = route_to(Nowhere("nowhere:rest"), cooldown=None)
    for number in range(100):
        offer(dispatcher, route, "api.example.com", number)
    dispatcher.turn()

    assert 20 <= len(rests) < 90
    assert set(rests) == {0}


def test_a_worker_that_has_just_taken_a_job_when_the_end_comes_posts_nothing(dispatcher):
    """
    Who closed a pipeline may reuse the port of its webhook at once.
    """
    posted: list[Job] = []

    class Late(queue.SimpleQueue):
        def get(self, *args, **kwargs):
            job = super().get(*args, **kwargs)
            crew.close()
            return job

    crew = Workers(1, lock=threading.RLock(), done=lambda job, outcome: posted.append(job))
    crew._jobs = Late()
    crew.hand_over(Job(None, None, 1.0, False))
    until(lambda: crew.threads == 0)

    assert posted == []


def held() -> Counter:
    """How many objects there are, and how much is in all containers."""
    gc.collect()
    found: Counter = Counter()
    for thing in gc.get_objects():
        if type(thing) in (dict, list, set, deque, OrderedDict, Counter):
            found["inside"] += len(thing)
        found["objects"] += 1
    return found


def test_nothing_grows_over_100_000_exchanges_and_1_000_hosts(dispatcher):
    """
    Two webhooks, one with a cooldown of few keys; what is held after 20,000 exchanges is what is held after 100,000.
    """
    route = route_to(
        Nowhere("nowhere:a", cooldown=Cooldown(60.0, max_keys=50)),
        Nowhere("nowhere:b", match=Match(hosts="host-*0.test"), cooldown=Cooldown(0.02)),
    )
    early = None
    for host in range(1_000):
        for number in range(100):
            offer(dispatcher, route, f"host-{host}.test", number)
        dispatcher.turn()
        if host == 200:
            settle(dispatcher)
            early = held()
    settle(dispatcher)
    late = held()

    stats = dispatcher.stats()
    assert stats.balanced
    assert stats.accepted == stats.routed == 100_000
    assert early is not None
    growth = {name: late[name] - early[name] for name in late}
    assert growth["objects"] < 3_000, growth
    assert growth["inside"] < 3_000, growth
    assert stats.held_bytes < 50 * 5_000


def test_a_thousand_webhooks_leave_nothing_but_their_books(dispatcher, monkeypatch):
    """
    Lanes that nobody uses go with their keys and threads; what they delivered is still told, within bounds.
    """
    monkeypatch.setattr(lanes, "_IDLE", 0.1)
    before = held()
    for number in range(1_000):
        offer(dispatcher, route_to(Nowhere(f"nowhere:{number}"), cooldown=Cooldown(0.05)), "api.test", number)
        if number % 50 == 49:
            settle(dispatcher)

    def gone() -> bool:
        dispatcher.turn()
        return not len(dispatcher.lanes)

    until(gone, 10)
    until(lambda: dispatcher._workers.threads + dispatcher._local.threads == 0, 20)
    stats = dispatcher.stats()
    assert stats.balanced
    assert stats.delivered == 1_000
    assert stats.held_bytes == 0
    growth = held()["objects"] - before["objects"]
    assert growth < 10 * 1_000, "more than the books of the lanes is left"
