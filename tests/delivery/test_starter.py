"""A thread is started by another one, so that who asks for it never waits, and there is never a second one."""

from __future__ import annotations

import _thread
import json
import signal
import sys
import threading
import time

import pytest
from support.waiting import until

import curl_interceptor
from curl_interceptor import BatchPolicy, Pipeline
from curl_interceptor.delivery.dispatcher import Dispatcher
from curl_interceptor.delivery.starter import Starter
from curl_interceptor.policies import PipelinePolicy


@pytest.fixture
def dispatcher():
    one = Dispatcher(PipelinePolicy())
    yield one
    one.end()


def threads_of_ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "curl-interceptor-dispatcher"]


def strange_threads() -> list[threading.Thread]:
    """Those that threading met without having started them."""
    return [thread for thread in threading.enumerate() if isinstance(thread, threading._DummyThread)]


def test_who_asks_goes_on_while_busy_threads_hold_the_interpreter():
    """
    Whoever lets go of the interpreter beside four busy threads has to wait for their slices; asking lets go of nothing.
    """
    done, begun = threading.Event(), threading.Event()

    def busy() -> None:
        while not done.is_set():
            sum(range(1_000))

    def start() -> bool:
        threading.Thread(target=begun.set).start()
        return True

    crowd = [threading.Thread(target=busy) for _ in range(4)]
    for thread in crowd:
        thread.start()
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.2)
    try:
        began = time.perf_counter()
        assert Starter(start).ask()
        took = time.perf_counter() - began
    finally:
        sys.setswitchinterval(before)
        done.set()
    for thread in crowd:
        thread.join()

    assert begun.wait(5)
    assert took < 0.1


def test_two_hundred_threads_that_ask_at_once_start_one(dispatcher):
    """
    However many race, one dispatcher lives, under its name, as a daemon, and threading knows no stranger.
    """
    ready = threading.Barrier(201)

    def ask() -> None:
        ready.wait()
        for _ in range(20):
            dispatcher.start()

    known, strangers = len(threads_of_ours()), len(strange_threads())
    crowd = [threading.Thread(target=ask) for _ in range(200)]
    for thread in crowd:
        thread.start()
    ready.wait()
    for thread in crowd:
        thread.join()
    until(lambda: dispatcher.alive)

    assert len(threads_of_ours()) == known + 1
    assert dispatcher.thread.daemon
    assert dispatcher.stats().threads == 1
    assert len(strange_threads()) <= strangers


def test_where_no_thread_can_be_started_it_says_so_and_is_asked_again(dispatcher, monkeypatch):
    """
    The refusal is known at once, and the next one who asks tries again.
    """

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    assert not dispatcher.start()
    assert not dispatcher.start()
    monkeypatch.undo()

    assert dispatcher.start()
    until(lambda: dispatcher.alive)


def test_where_there_was_room_for_one_thread_only_it_is_tried_again(dispatcher, monkeypatch):
    """
    The thread in between may have been the last one; then nobody is told that a thread lives, and nothing is printed.
    """
    refused = []

    def refuse(thread: threading.Thread) -> None:
        refused.append(thread)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    dispatcher.start()
    until(lambda: refused and not dispatcher._starter._under_way)
    assert dispatcher.thread is None
    assert not dispatcher.start()
    monkeypatch.undo()

    until(lambda: dispatcher.start() and dispatcher.alive)


def test_the_first_exchange_waits_for_company(session, receiver, api):
    """
    The dispatcher lingers from its first moment on, so that a burst goes out together.
    """
    pipeline = Pipeline(linger=0.5)
    curl_interceptor.mount(session, receiver.url("/hook"), pipeline=pipeline, cooldown=None, batch=BatchPolicy(10, 0))
    began = time.monotonic()
    for _ in range(3):
        session.get(api.url("/status/500"))
    assert time.monotonic() - began < 0.4, "the machine is too busy to tell"
    receiver.wait(1)
    assert pipeline.close(5)

    assert [len(json.loads(body)) for body in receiver.bodies()] == [3]


def test_a_start_that_takes_its_time_is_not_made_twice():
    """
    While one start is under way, whoever else asks is content with it.
    """
    calls, go_on = [], threading.Event()

    def start() -> bool:
        calls.append(1)
        return go_on.wait(5)

    starter = Starter(start)
    assert all(starter.ask() for _ in range(100))
    until(lambda: calls)
    go_on.set()
    until(lambda: not starter._under_way)

    assert calls == [1]
    assert starter.ask()
    until(lambda: len(calls) == 2)


def test_a_start_that_was_called_off_is_not_made(monkeypatch):
    """
    An exception out of a signal handler came before the new thread did: the thread finds that it is not wanted.
    """
    calls, waiting = [], []

    def interrupted(function, arguments):
        waiting.append((function, arguments))
        raise KeyboardInterrupt

    starter = Starter(lambda: calls.append(1) is None)
    monkeypatch.setattr(_thread, "start_new_thread", interrupted)
    with pytest.raises(KeyboardInterrupt):
        starter.ask()
    monkeypatch.undo()
    (function, arguments), *_ = waiting
    function(*arguments)
    assert calls == []

    assert starter.ask()
    until(lambda: calls == [1])


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers of signals here")
@pytest.mark.parametrize("raises", [False, True])
def test_signals_in_the_middle_of_starts(raises):
    """
    A handler that asks too, or leaves the start by an exception, leads neither to two at once nor to none any more.
    """
    at_once, most, calls = [0], [0], [0]

    def start() -> bool:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        calls[0] += 1
        at_once[0] -= 1
        return True

    starter = Starter(start)

    class Interrupted(BaseException):
        pass

    def handler(*_: object) -> None:
        starter.ask()
        if raises:
            raise Interrupted

    former = signal.signal(signal.SIGALRM, handler)
    end = time.monotonic() + 0.5
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        while time.monotonic() < end:
            try:
                for _ in range(50):
                    starter.ask()
            except Interrupted:
                pass
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Interrupted:
        signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, former)
    until(lambda: not starter._under_way)
    so_far = calls[0]

    assert starter.ask()
    until(lambda: calls[0] > so_far)
    assert most[0] == 1


def test_who_waits_does_the_work_where_no_thread_can_be_started(dispatcher, monkeypatch):
    """
    `help` takes turns until the dispatcher lives, and none beside it.
    """

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    turns = []
    monkeypatch.setattr(dispatcher, "_turn", lambda now: turns.append(threading.current_thread()))
    with monkeypatch.context() as starved:
        starved.setattr(_thread, "start_new_thread", refuse)
        dispatcher.help(0.1)
    assert turns == [threading.current_thread()]

    dispatcher.start()
    until(lambda: dispatcher.alive)
    until(lambda: len(turns) > 1)
    for _ in range(100):
        dispatcher.help(0.1)
        assert dispatcher.turn(helping=True) in (True, False)
    assert turns.count(threading.current_thread()) == 1


def test_the_dispatcher_begins_when_who_helps_has_ended_its_turn(dispatcher, monkeypatch):
    """
    Only one thread is at the lanes, also in the moment in which the dispatcher comes to life.
    """
    inside, most = [0], [0]
    go_on = threading.Event()

    def turn(now: float) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        if threading.current_thread() is threading.main_thread():
            dispatcher.start()
            until(lambda: dispatcher.alive)
            time.sleep(0.05)
            go_on.set()
        inside[0] -= 1

    def rest() -> bool:
        assert go_on.is_set(), "it looked at the lanes while another thread was at them"
        return False

    monkeypatch.setattr(dispatcher, "_turn", turn)
    monkeypatch.setattr(dispatcher, "_rest", rest)
    assert dispatcher.turn(helping=True)
    until(lambda: not dispatcher.alive)

    assert most == [1]
    assert not dispatcher.troubles.counts


def test_workers_are_daemons_whoever_starts_them(dispatcher):
    """
    Started by a thread that helps, a worker would otherwise hold up the end of the process until it is idle.
    """
    dispatcher._local.prepare(2)
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("curl-interceptor-worker")]

    assert workers
    assert all(thread.daemon for thread in workers)


def test_a_handler_in_the_middle_of_a_start_does_not_wait_for_it(monkeypatch):
    """
    The start that it has interrupted goes on only after it; to everybody else one is under way.
    """
    asked = []

    def interrupted(function, arguments):
        asked.append(starter.ask())
        other = threading.Thread(target=lambda: asked.append(starter.ask()))
        other.start()
        other.join()

    starter = Starter(lambda: True)
    monkeypatch.setattr(_thread, "start_new_thread", interrupted)
    assert starter.ask()

    assert asked == [False, True]
