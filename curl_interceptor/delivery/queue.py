"""The bounded hand-over from the callers' threads to the dispatcher; entering it again harms nobody."""

from __future__ import annotations

import queue
import threading
from collections import Counter, deque
from time import monotonic
from typing import Any

from ..observe.degradation import Steps

__all__ = ["ExchangeQueue"]


class ExchangeQueue(queue.Queue[Any]):
    """A `queue.Queue` that a signal handler or a destructor may enter again while it is being entered.

    `offer` takes the place of `put_nowait`. The stock method holds a plain lock and runs a Condition written in Python:
    a request made by a signal handler at that moment waits for itself for ever, and an exception raised there leaves
    the lock taken. Here the lock is a C-level `RLock` held by one `with`, and the append is the only commit point.

    Nothing that a re-entered call may interleave with is counted by `+=`; only the byte sum is, and since it may drift
    it begins anew whenever the queue is seen empty.

    Parameters
    ----------
    size: Most items.
    max_bytes: Most bytes, as told by those who offer.
    drop_oldest: What happens when it is full: False refuses the new item, True drops the oldest.
    gate: Where a sleeping dispatcher is woken.
    """

    def __init__(self, size: int, max_bytes: int, *, drop_oldest: bool, gate: queue.SimpleQueue[None]) -> None:
        super().__init__(size)
        # The one lock of a pipeline: its queue, its hand-over and its books are guarded by it.
        self.mutex = threading.RLock()  # type: ignore[assignment]
        self.not_empty = threading.Condition(self.mutex)
        self.not_full = threading.Condition(self.mutex)
        self.all_tasks_done = threading.Condition(self.mutex)
        self.asleep = False
        """Whether the dispatcher sleeps until something comes; set by the dispatcher under the lock."""
        self.closed = False
        self.gate = gate
        self._max_bytes = max_bytes
        self._bytes = 0
        self._drop_oldest = drop_oldest
        self._refusals: deque[str] = deque()
        self._folding = [None]
        self._refused: Counter[str] = Counter()
        self.steps = Steps()
        """When something was refused last."""

    def offer(self, item: Any, size: int) -> bool:
        """Append an item, or refuse it at once; never waits. `size` is in bytes."""
        with self.mutex:
            waiting = self.queue
            if not waiting:
                self._bytes = 0
            if self.closed:
                reason = "shutdown"
            elif len(waiting) >= self.maxsize:
                reason = "queue_full"
            elif self._bytes + size > self._max_bytes:
                reason = "bytes_full"
            else:
                # As in _append, which costs the caller a call.
                self._bytes += size
                waiting.append((item, size))
                if self.asleep:
                    self.wake()
                return True
            self._refusals.append(reason)
            self.steps.take("counted", monotonic())
            taken = self._drop_oldest and reason != "shutdown" and size <= self._max_bytes
            if taken:
                self._make_room(size)
                self._append(item, size)
        if len(self._refusals) > 1_000:
            self.fold()
        return taken

    def allow(self, size: int, max_bytes: int, *, drop_oldest: bool) -> None:
        """Change the bounds; what waits already stays."""
        with self.mutex:
            self.maxsize, self._max_bytes, self._drop_oldest = size, max_bytes, drop_oldest

    def wake(self) -> None:
        """Wake the dispatcher. In this order: interrupted in between it is woken once too often, not too seldom."""
        self.gate.put(None)
        self.asleep = False

    def _append(self, item: Any, size: int) -> None:
        self._bytes += size
        self.queue.append((item, size))
        if self.asleep:
            self.wake()

    def _make_room(self, size: int) -> None:
        waiting, first = self.queue, True
        while waiting and (first or len(waiting) >= self.maxsize or self._bytes + size > self._max_bytes):
            self._bytes -= waiting.popleft()[1]
            if not first:
                self._refusals.append("queue_full")
            first = False

    def take(self, most: int) -> list[Any]:
        """Return up to `most` items, the oldest first. Call it with the lock held, in the step that notes it."""
        waiting = self.queue
        taken = []
        for _ in range(min(most, len(waiting))):
            item, size = waiting.popleft()
            self._bytes -= size
            taken.append(item)
        return taken

    def close(self) -> None:
        """Refuse everything from now on, and what waits too. Call it with the lock held."""
        self.closed = True
        while self.queue:
            self.queue.popleft()
            self._refusals.append("shutdown")

    def fold(self) -> Counter[str]:
        """Return how many were refused so far, by reason.

        Refusals are noted by an append and counted here. Only one thread counts at a time, and one that finds another
        at it, or itself further down its own stack, leaves it at that.
        """
        with self.mutex:
            try:
                token = self._folding.pop()
            except IndexError:
                return self._refused + Counter(self._refusals)
            try:
                while self._refusals:
                    self._refused[self._refusals.popleft()] += 1
            finally:
                self._folding.append(token)
            return Counter(self._refused)

    @property
    def held_bytes(self) -> int:
        """Approximate memory of what waits."""
        return self._bytes if self.queue else 0
