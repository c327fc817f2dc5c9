"""The hand-over from the callers: bounded, never waiting, and harmless to enter again."""

from __future__ import annotations

import queue as stock
import signal
import threading
import time
from types import FrameType

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from curl_interceptor.delivery import queue as queue_module
from curl_interceptor.delivery.queue import ExchangeQueue


def queue(size: int = 3, max_bytes: int = 1_000, *, drop_oldest: bool = False) -> ExchangeQueue:
    return ExchangeQueue(size, max_bytes, drop_oldest=drop_oldest, gate=stock.SimpleQueue())


def refused(one: ExchangeQueue) -> int:
    return sum(one.fold().values())


def test_it_is_a_queue_of_the_standard_library():
    """
    Whoever knows `queue.Queue` knows this one.
    """
    assert isinstance(queue(), stock.Queue)


def test_the_newest_is_refused_when_it_is_full():
    """
    A full queue refuses at once, keeps what it has, and counts.
    """
    one = queue(2)
    assert [one.offer(name, 1) for name in "abc"] == [True, True, False]

    assert one.take(10) == ["a", "b"]
    assert one.fold() == {"queue_full": 1}


def test_the_bound_of_bytes_holds():
    """
    What would exceed the bytes is refused; something smaller still fits.
    """
    one = queue(10, 100)
    assert one.offer("a", 60)
    assert not one.offer("b", 41)
    assert one.offer("c", 40)

    assert one.held_bytes == 100
    assert one.fold() == {"bytes_full": 1}


def test_the_oldest_goes_if_that_is_wanted():
    """
    `drop_oldest` takes the new one and counts the one that had to go.
    """
    one = queue(2, drop_oldest=True)
    assert all(one.offer(name, 1) for name in "abc")

    assert one.take(10) == ["b", "c"]
    assert one.fold() == {"queue_full": 1}


def test_as_many_of_the_oldest_go_as_the_bytes_need():
    """
    One large newcomer may cost several small ones, each of them counted.
    """
    one = queue(10, 100, drop_oldest=True)
    for name in "abcd":
        one.offer(name, 25)
    assert one.offer("large", 60)

    assert one.held_bytes == 85
    assert one.take(10) == ["d", "large"]
    assert refused(one) == 3


def test_one_that_could_never_fit_costs_nobody_else():
    """
    What is larger than all bytes together is refused, also where the oldest would have to go.
    """
    one = queue(10, 100, drop_oldest=True)
    one.offer("a", 50)
    assert not one.offer("giant", 101)

    assert one.take(10) == ["a"]
    assert one.fold() == {"bytes_full": 1}


def test_a_closed_queue_refuses_what_waits_and_what_comes():
    """
    The end drops and counts everything under `shutdown`, whichever way it overflows.
    """
    for drop_oldest in (False, True):
        one = queue(drop_oldest=drop_oldest)
        one.offer("a", 1)
        with one.mutex:
            one.close()
        assert not one.offer("b", 1)
        assert one.fold() == {"shutdown": 2}
        assert one.held_bytes == 0


@pytest.mark.parametrize("drop_oldest", [False, True])
def test_the_memory_of_refusals_is_bounded(drop_oldest):
    """
    A flood that nobody drains or looks at does not grow anything.
    """
    one = queue(2, drop_oldest=drop_oldest)
    for number in range(20_000):
        one.offer(number, 1)

    assert len(one._refusals) <= 2_000
    assert one.fold() == {"queue_full": 19_998}


def test_a_sleeping_dispatcher_is_woken_once():
    """
    The first one knocks, the others find it awake.
    """
    one = queue()
    one.asleep = True
    one.offer("a", 1)
    one.offer("b", 1)

    assert not one.asleep
    assert one.gate.qsize() == 1


def test_a_refusal_wakes_nobody():
    """
    A full queue has nothing new to tell.
    """
    one = queue(1)
    one.offer("a", 1)
    one.asleep = True
    one.offer("b", 1)

    assert one.asleep
    assert one.gate.empty()


def test_entering_it_again_waits_for_nobody():
    """
    A handler that offers while its own thread is inside neither hangs nor gets lost.
    """
    one, ended = queue(100), threading.Event()

    def inside() -> None:
        with one.mutex:
            assert one.offer("again", 1)
            one.fold()
        ended.set()

    threading.Thread(target=inside, daemon=True).start()
    assert ended.wait(2)
    assert one.take(1) == ["again"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_a_signal_handler_that_offers_and_raises_harms_nothing():
    """
    Interrupted inside of the hand-over again and again, it never hangs, and each call counts at most once.
    """
    one, offered, inner, interrupted, taken, safe = queue(50, 10_000), 0, 0, 0, 0, True

    def handler(_: int, frame: FrameType | None) -> None:
        nonlocal inner, safe
        inner += 1
        one.offer("signal", 1)
        one.fold()
        # Only out of the main offer: what was interrupted may be another handler, or the part of the dispatcher.
        if not safe and frame is not None and frame.f_code.co_filename == queue_module.__file__:
            safe = True
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    ends = time.monotonic() + 0.7
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        while time.monotonic() < ends:
            try:
                offered += 1
                safe = False
                one.offer("main", 1)
                safe = True
            except KeyboardInterrupt:
                interrupted += 1
            if offered % 40 == 0:
                with one.mutex:
                    taken += len(one.take(100))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert interrupted > 20
    accounted = taken + len(one.queue) + refused(one)
    assert 0 <= offered + inner - accounted <= interrupted
    free = threading.Event()

    def enter() -> None:
        with one.mutex:
            free.set()

    threading.Thread(target=enter, daemon=True).start()
    assert free.wait(2), "the lock was left taken"
    with one.mutex:
        one.take(1_000)
    one.offer("fresh", 7)
    assert one.held_bytes == 7


@pytest.mark.parametrize("drop_oldest", [False, True])
def test_many_threads_lose_and_double_nothing(drop_oldest):
    """
    Accepted is taken, waiting or refused, with callers, a taker and a reader of the books all at once.
    """
    one, each, callers = queue(50, 3_000, drop_oldest=drop_oldest), 2_000, 6
    taken: list[tuple[int, int]] = []
    stop = threading.Event()

    def call(caller: int) -> None:
        for number in range(each):
            one.offer((caller, number), 100)

    def drain() -> None:
        while not stop.is_set() or one.queue:
            with one.mutex:
                taken.extend(one.take(7))
            one.fold()

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    drainer = threading.Thread(target=drain)
    drainer.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    stop.set()
    drainer.join(20)

    assert len(taken) + refused(one) == each * callers
    assert len(set(taken)) == len(taken)
    for caller in range(callers):
        numbers = [number for who, number in taken if who == caller]
        assert numbers == sorted(numbers)


class QueueMachine(RuleBasedStateMachine):
    """A list beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.oldest = False
        self.queue = queue(4, 100)
        self.model: list[tuple[int, int]] = []
        self.offered = self.taken = 0
        self.closed = False

    @rule()
    def overflow_the_other_way(self) -> None:
        self.oldest = self.queue._drop_oldest = not self.oldest

    @rule(size=st.integers(0, 120))
    def offer(self, size: int) -> None:
        self.offered += 1
        fits = len(self.model) < 4 and sum(size for _, size in self.model) + size <= 100
        if not fits and self.oldest and size <= 100 and not self.closed:
            while self.model:
                self.model.pop(0)
                if len(self.model) < 4 and sum(size for _, size in self.model) + size <= 100:
                    break
            fits = True
        expected = fits and not self.closed
        assert self.queue.offer(self.offered, size) is expected
        if expected:
            self.model.append((self.offered, size))

    @rule(most=st.integers(0, 6))
    def take(self, most: int) -> None:
        with self.queue.mutex:
            assert self.queue.take(most) == [item for item, _ in self.model[:most]]
        self.taken += len(self.model[:most])
        self.model = self.model[most:]

    @rule(really=st.integers(0, 9))
    def close(self, really: int) -> None:
        if really == 0:
            with self.queue.mutex:
                self.queue.close()
            self.closed, self.model = True, []

    @invariant()
    def balanced(self) -> None:
        assert self.offered == self.taken + len(self.model) + refused(self.queue)
        assert self.queue.held_bytes == sum(size for _, size in self.model)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
