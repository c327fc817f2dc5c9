"""Being entered again: by a signal handler, a destructor, an exception, in the middle of our own hand-over."""

from __future__ import annotations

from support.process import run

SET_UP = """
    import gc, os, signal, sys, threading, time
    from collections import deque
    import requests, curl_interceptor
    from curl_interceptor import BatchPolicy
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
    inside = False
    class Waiting(deque):
        def append(self, item):                       # in the middle of our enqueue, the lock held
            global inside
            if threading.current_thread() is threading.main_thread() and not inside:
                inside = True
                signal.raise_signal(signal.SIGALRM)
                inside = False
            super().append(item)
    adapter.pipeline._dispatcher.queue.queue = Waiting()
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


def test_signals_at_any_moment_of_our_code(api, receiver):
    """
    Interrupted anywhere in our part of a call, by a handler that sends a failing request of its own or ends in an
    exception, nothing stays locked and the books balance.

    Only there: interrupted in the middle of urllib3's pool, requests itself would hang.
    """
    ended = run(
        SET_UP
        + """
    third = curl_interceptor.CurlInterceptor(inspectors=hook, cooldown=None, batch=BatchPolicy(100, 0.05))
    other.mount("http://", third)                     # connections of its own, the same pipeline
    class Soft(Exception): pass
    hits = {"request": 0, "exception": 0}
    busy = False
    def ours(frame):
        for _ in range(8):
            if frame is None:
                return False
            if "/curl_interceptor/capture/" in frame.f_code.co_filename or "/delivery/" in frame.f_code.co_filename:
                return frame.f_code.co_name not in ("_pass", "_pass_all", "read", "stream")   # these call urllib3
            frame = frame.f_back
        return False
    def handler(_, frame):
        global busy
        if busy or not ours(frame):
            return
        busy = True
        try:
            if (hits["request"] + hits["exception"]) % 2:
                hits["exception"] += 1
                raise Soft
            hits["request"] += 1
            other.get(url)
        finally:
            busy = False
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)
    ended = time.monotonic() + 20
    try:
        while sum(hits.values()) < 100 and time.monotonic() < ended:
            try:
                session.get(url)
            except Soft:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
    assert adapter.flush(10), adapter.stats()
    stats = adapter.stats()
    assert stats.balanced and stats.queued == 0 and stats.pending == 0, stats
    assert stats.accepted == stats.delivered >= 50, stats
    print("fine", hits)
""",
        timeout=60,
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
    inside = False
    class Waiting(deque):
        def append(self, item):                       # in the middle of our enqueue, the lock held
            global inside
            if threading.current_thread() is threading.main_thread() and not inside:
                inside = True
                Telling(); gc.collect()
                inside = False
            super().append(item)
    adapter.pipeline._dispatcher.queue.queue = Waiting()
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
