"""The threads that make the attempts: loops over what is due, run by an executor that holds up no exit."""

from __future__ import annotations

import concurrent.futures.thread as executors
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from queue import Empty
from typing import Any

from ..errors import BadPayload, DeliveryError, Transient
from ..inspectors.quota import Quota, quota
from .guard import delivering, is_for_us
from .lane import Job
from .outcome import Outcome
from .unseen import unseen

__all__ = ["Workers", "attempt"]

_IDLE = 10.0  # seconds a worker waits for another job before it goes; longer than a batch waits for company


class _Executor(ThreadPoolExecutor):
    """A ThreadPoolExecutor whose threads nobody waits for when the process ends.

    The interpreter joins every thread in `concurrent.futures.thread._threads_queues` before it runs `atexit` hooks, so
    one hung webhook would hold it. A thread that is taken out of there while `submit` holds its locks is never seen in
    it. The threads are daemons, since the one that submits is.
    """

    def _adjust_thread_count(self) -> None:
        super()._adjust_thread_count()
        known = getattr(executors, "_threads_queues", None)
        if known is not None:
            for thread in self._threads:
                known.pop(thread, None)


class Workers:
    """Hands jobs to threads, as many as there are jobs, up to a bound.

    A thread is started when a job finds none free, and goes when there was none for a while. `hand_over` belongs to the
    dispatcher's thread, and to the one that does its work while the process ends.

    Parameters
    ----------
    most: Most threads.
    lock: The re-entrant lock of the pipeline.
    done: Called with each job and its outcome, in the worker's thread.
    """

    def __init__(self, most: int, *, lock: AbstractContextManager[Any], done: Callable[[Job, Outcome], None]) -> None:
        self._most = most
        self._lock = lock
        self._done = done
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._set_aside: deque[Job] = deque()
        self._executor: ThreadPoolExecutor | None = None
        self._loops = 0
        self._unfinished = 0
        self._closed = False
        self.inline = False
        """Whether jobs wait for `run_one`: while the process ends, no thread but the exiting one may log."""

    def allow(self, most: int) -> None:
        """Change the bound; a thread too many goes when it finds nothing to do."""
        with self._lock:
            grows, self._most = most > self._most, most
        if grows:
            self._let_go()  # an executor keeps the bound that it was made with

    @property
    def threads(self) -> int:
        """Threads at work or waiting for a job."""
        return self._loops

    def suit(self) -> None:
        """Take a queue that belongs to the threads which start from now on."""
        with self._lock:
            if not self._loops:
                self._jobs = queue.SimpleQueue()

    def hand_over(self, job: Job) -> None:
        """Have an attempt made; the outcome comes back by itself."""
        if self.inline:
            self._set_aside.append(job)
            return
        with self._lock:
            if self._closed:
                return
            self._unfinished += 1
            self._jobs.put(job)
        self.prepare(self._unfinished)

    def prepare(self, jobs: int) -> None:
        """Have as many threads ready as there will be jobs, up to the bound.

        They are started before they are needed, since at the end of a process none can be.
        """
        while True:
            with self._lock:
                if self._closed or self._loops >= min(max(jobs, self._unfinished), self._most):
                    return
                self._loops += 1
            if not self._start():
                with self._lock:
                    self._loops -= 1
                return  # asked again at the next turn

    @property
    def starved(self) -> bool:
        """Whether a job waits although another thread may be started."""
        return self._loops < min(self._unfinished, self._most)

    def _start(self) -> bool:
        """Start a loop; False where no thread can be started any more.

        The executor's threads are daemons if the one that submits is. For those of any other, such as one that waits
        in `flush` and helps, the end of the process would wait.
        """
        if threading.current_thread().daemon and self._submit():
            return True
        try:
            threading.Thread(target=self._loop, name="curl-interceptor-worker", daemon=True).start()
        except RuntimeError:
            return False
        return True

    def _submit(self) -> bool:
        """Have a loop run by the executor; False where the interpreter ends, or the executor was let go just now."""
        with self._lock:
            if self._executor is None:
                self._executor = _Executor(self._most, thread_name_prefix="curl-interceptor-worker")
            executor = self._executor
        try:
            executor.submit(self._loop)
        except RuntimeError:
            self._let_go(executor)
            return False
        return True

    def _loop(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE)
            except Empty:
                job = None
            if job is not None and not self._closed:  # the end may have come while it was being taken
                self._run(job)
                continue
            with self._lock:
                if self._closed or self._jobs.empty():
                    self._loops -= 1
                    # Who has nothing to do either goes, too. It may even have to be woken: CPython's `get` waits for
                    # ever if its time is over when another thread takes what had come for it.
                    if self._loops > self._unfinished:
                        self._jobs.put(None)
                    break
        self._let_go()

    def _run(self, job: Job) -> None:
        outcome = attempt(job)
        with self._lock:
            self._unfinished -= 1
        self._done(job, outcome)

    def run_one(self, timeout: float) -> bool:
        """Make one attempt in this thread, if one waits that no worker takes; returns whether there was one."""
        try:
            job = self._set_aside.popleft()
        except IndexError:
            if self._loops:
                return False
            try:
                waiting = self._jobs.get_nowait()
            except Empty:
                return False
            if waiting is None:
                return False
            share = timeout / (1 + self._jobs.qsize())  # a hung webhook must not eat the time of the others
            self._run(Job(waiting.lane, waiting.payload, min(share, waiting.timeout), waiting.trial))
            return True
        self._done(job, attempt(job))
        return True

    def close(self) -> None:
        """Send the workers home, and make none of the attempts that still wait; waits for nobody."""
        with self._lock:
            self._closed = True
            self._set_aside.clear()
            with suppress(Empty):
                while True:
                    self._jobs.get_nowait()
            for _ in range(self._loops):
                self._jobs.put(None)
        self._let_go()

    def _let_go(self, executor: ThreadPoolExecutor | None = None) -> None:
        """Leave the executor: its running loops go on, and its idle threads, which it would keep for ever, end.

        With an executor named, only that one is left, and what it could not start is forgotten.
        """
        with self._lock:
            left = self._executor if executor is None else executor
            if left is self._executor:
                self._executor = None
        if left is not None:
            left.shutdown(wait=False, cancel_futures=executor is not None)


def attempt(job: Job) -> Outcome:
    """Make one attempt under the lane's breaker, and say how it ended. Raises nothing."""
    began = time.monotonic()
    lane = job.lane
    error: DeliveryError | None = None
    said: list[Quota | None] = [None]
    try:
        with delivering(), unseen():
            lane.breaker.call(lambda: _post(job, said), trial=job.trial)
    except DeliveryError as caught:
        error = caught
    except BaseException as caught:  # whatever it is: the loop goes on, and the lane gets its outcome
        if is_for_us(caught):
            raise
        error = Transient(_name(caught))
    if error is not None:  # its frames would keep the payload
        error.__traceback__ = error.__cause__ = error.__context__ = None
    return Outcome(error, time.monotonic() - began, said[-1])


def _post(job: Job, said: list[Quota | None]) -> None:
    """Post, and ask for the verdict. What the service says of its rate limit is put down, whatever the verdict."""
    answer = job.lane.transport.post(job.payload, job.timeout)
    said.append(quota(answer.headers, throttled=answer.status == 429))
    try:
        job.lane.inspector.verdict(answer)
    except DeliveryError:
        raise
    except BaseException as error:  # a mistake in an inspector costs its record, not the webhook
        if is_for_us(error):
            raise
        raise BadPayload(f"verdict() raised {_name(error)}") from None


def _name(error: BaseException) -> str:
    return type(error).__name__
