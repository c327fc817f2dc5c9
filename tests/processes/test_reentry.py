"""Being entered again: by a signal handler, a destructor, an exception, in the middle of our own hand-over."""

from __future__ import annotations

import pytest
from support.api import Api
from support.process import run
from support.receiver import Receiver


@pytest.fixture(scope="module")
def api():
    with Api() as server:
        yield server


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server


SET_UP = """
    import gc, os, signal, sys, threading, time
    import requests, curl_interceptor
    from curl_interceptor import BatchPolicy
    from curl_interceptor.delivery.queue import ExchangeQueue
    session, other = requests.Session(), requests.Session()
    adapter = curl_interceptor.mount(session, hook, cooldown=None, batch=BatchPolicy(100, 0.05))
    other.mount("http://", adapter)
"""


def test_a_request_from_a_signal_handler_inside_our_enqueue(api, receiver):
    """
    A handler that sends a failing request while one is being enqueued neither deadlocks nor loses a record.
    """
    ended = run(
        SET_UP
        + """
    made = 0
    def handler(*_):
        global made
        other.get(url)
        made += 1
    signal.signal(signal.SIGALRM, handler)
    real = ExchangeQueue._append
    def append(self, item, size):                     # in the middle of it, the lock held
        if threading.current_thread() is threading.main_thread() and not getattr(append, "inside", False):
            append.inside = True
            signal.raise_signal(signal.SIGALRM)
            append.inside = False
        real(self, item, size)
    ExchangeQueue._append = append
    for _ in range(50):
        session.get(url)
    assert made == 50, made
    assert adapter.flush(5)
    stats = adapter.stats()
    assert stats.balanced and stats.accepted == stats.delivered == 100, stats
    print("fine")
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err, ended.out) == (0, "", "fine\n")


def test_signals_at_any_moment(api, receiver):
    """
    A timer whose handler sends failing requests, some of them ending in an exception of the handler's own, leaves
    nothing locked and the books balanced.
    """
    ended = run(
        SET_UP
        + """
    class Soft(Exception): pass
    calls = 0
    armed = True
    def handler(*_):
        global calls
        calls += 1
        if armed and calls % 3 == 0:
            raise Soft
        if armed:
            other.get(url)
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0021, 0.0021)
    ended = time.monotonic() + 3
    while time.monotonic() < ended:
        try:
            session.get(url)
        except (Soft, requests.RequestException):
            pass
        except Exception:                              # the handler's exception may break requests' own state
            session = requests.Session(); session.mount("http://", adapter)
    armed = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(0.05)
    assert adapter.flush(10), adapter.stats()
    stats = adapter.stats()
    assert stats.balanced and stats.queued == 0 and stats.pending == 0, stats
    assert stats.accepted == stats.delivered > 50, stats
    print("fine", calls)
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("fine")


def test_a_request_from_a_destructor_inside_our_enqueue(api, receiver):
    """
    A destructor that sends a failing request, run by the garbage collector while the lock is held, is harmless.
    """
    ended = run(
        SET_UP
        + """
    class Telling:
        def __init__(self): self.ring = self
        def __del__(self): other.get(url)
    real = ExchangeQueue._append
    def append(self, item, size):
        if threading.current_thread() is threading.main_thread() and not getattr(append, "inside", False):
            append.inside = True
            Telling(); gc.collect()
            append.inside = False
        real(self, item, size)
    ExchangeQueue._append = append
    for _ in range(20):
        session.get(url)
    assert adapter.flush(5)
    stats = adapter.stats()
    assert stats.balanced and stats.accepted == stats.delivered == 40, stats
    print("fine")
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err, ended.out) == (0, "", "fine\n")


def test_dropped_streams_are_captured_by_their_finalisers(api, receiver):
    """
    A streamed failure that the app never reads is told when it is collected, wherever that happens.
    """
    ended = run(
        SET_UP
        + """
    for _ in range(20):
        session.get(url, stream=True)
        gc.collect()
    assert adapter.flush(5)
    stats = adapter.stats()
    assert stats.balanced and stats.accepted == stats.delivered == 20, stats
    print("fine")
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err, ended.out) == (0, "", "fine\n")


def test_a_handler_that_flushes_inside_a_flush(api, receiver):
    """
    Waiting inside of a wait ends; both say what is true.
    """
    ended = run(
        SET_UP
        + """
    signal.signal(signal.SIGALRM, lambda *_: inner.append(adapter.flush(3)))
    inner = []
    session.get(url)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    outer = adapter.flush(5)
    time.sleep(0.1)
    print(outer, inner)
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err, ended.out) == (0, "", "True [True]\n")
