"""
The one thread that owns the lanes: it takes exchanges from the queue, routes and renders them, and hears the outcomes.

A turn of its work is a plain method, so the thread that waits for the end of a process can do turns itself where no
other thread lives or can be started.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from logging import ERROR, INFO
from math import inf
from queue import Empty
from typing import Any

from ..observe.degradation import deepest
from ..observe.histogram import CAPTURE_BUCKETS, Histogram
from ..observe.log import TroubleLog
from ..observe.stats import QueueStats, Stats
from ..policies import PipelinePolicy
from . import uwsgi
from .announcement import Addressees, Announcement
from .destination import Route
from .fallback import FallbackStage
from .guard import delivering, in_delivery
from .lane import Job, Lane
from .lanes import Lanes
from .outcome import Outcome
from .queue import ExchangeQueue
from .recovery import Outcomes
from .rendering import render
from .router import Draft, Router
from .starter import Starter
from .workers import Workers

__all__ = ["EVERYBODY", "PATIENCE", "Dispatcher", "Offer"]

_CHUNK = 64  # exchanges in hand at a time, so that the bound of the queue stays the bound
_STAY = 5.0  # seconds the thread stays when it is not needed
_LOCAL_WORKERS = 4
_NO_THREAD = 1.0  # seconds until another try to start a thread
# Seconds of routing after which the app's threads come first. Not after each record: to sleep for no time at all costs
# the process 50 µs from Python 3.11 on, a third of what a record costs.
_STINT = 0.0002
EVERYBODY = ""  # no destination's label
PATIENCE = 5.0  # seconds after the headers until an exchange goes without its body


Offer = tuple[Draft, Route] | tuple[Announcement, Addressees]
"""What lies in the queue: a draft or a notice, and where its sender wants it."""


class Dispatcher:
    """Everything of a pipeline that belongs to one process: queue, lanes, books, threads.

    A forked child gets a new one; nothing of the old one is touched there.

    Parameters
    ----------
    policy: The numbers of the pipeline.
    paused: Labels of the destinations to which nothing is sent at the moment; `EVERYBODY` for all.
    outcomes: Looks up how many of the app's calls to a host succeeded and failed.
    """

    def __init__(
        self, policy: PipelinePolicy, paused: Collection[str] = (), outcomes: Outcomes = lambda host: None
    ) -> None:
        self.policy = policy
        self.paused = paused
        self.pid = os.getpid()
        self.troubles = TroubleLog()
        self.gate: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.queue = ExchangeQueue(
            policy.queue_size,
            policy.queue_bytes,
            drop_oldest=policy.overflow == "oldest",
            gate=self.gate,
        )
        self.lock = self.queue.mutex
        self.lanes = Lanes(self.lock)
        self.hurry: list[object] = []
        """One token for each flush under way: batches do not wait, and nobody lingers."""
        self.deadline: float | None = None
        """When the end of the pipeline is over; None while nobody ends it."""
        self.hopeless = False
        """Set shortly before the deadline: what fallbacks can take is theirs now."""
        self.ended = False
        self.open: dict[Draft, float] = {}
        """Wanted exchanges whose body the app still reads, and when each goes without it."""
        self._requests: deque[Callable[[], object]] = deque()
        self._resets: deque[str | None] = deque()
        self._outcomes: deque[tuple[Job, Outcome]] = deque()
        self._workers = Workers(policy.workers, lock=self.lock, done=self._hear)
        # What stays in the process waits for no webhook that hangs.
        self._local = Workers(_LOCAL_WORKERS, lock=self.lock, done=self._hear)
        self._router = Router(self.lanes, self.troubles, outcomes)
        self._fallbacks = FallbackStage(self.lanes, self.troubles)
        self._leave_at = inf
        self._take_at = 0.0
        self._in_hand = 0
        self._capture = Histogram(CAPTURE_BUCKETS)
        self._capture_told = 0
        self._taken = self._unmatched = self._routed = 0
        self._starter = Starter(self._start)
        self._turning = threading.Lock()
        self.thread: threading.Thread | None = None

    # -- the callers' threads -----------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the thread lives."""
        thread = self.thread
        return thread is not None and thread.is_alive()

    def start(self) -> bool:
        """Have the thread started if there is none, and wait for nothing; False where it cannot be started."""
        if self.alive:
            return True
        return not (self.ended or uwsgi.in_master()) and self._starter.ask()

    def _start(self) -> bool:
        """Start the thread, in one that nobody waits for; False if it cannot be."""
        if self.alive or self.ended:
            return True
        self._suit()
        try:
            self.thread = threading.Thread(target=self.run, name="curl-interceptor-dispatcher", daemon=True)
            self.thread.start()
        except Exception:  # the last thread that could be started is this one; whoever waits for the end does the turns
            self.thread = None
            return False
        return True

    def _suit(self) -> None:
        """Take queues that belong to the threads which start now: gevent may have replaced both since the import.

        A preloaded app is imported before gunicorn's gevent workers patch anything; a queue of then would stop the
        whole loop.
        """
        if type(self.gate) is not queue.SimpleQueue:
            self.gate = self.queue.gate = queue.SimpleQueue()
            self._workers.suit()
            self._local.suit()

    def wake(self) -> None:
        """End a sleep or a linger of the dispatcher."""
        self.gate.put(None)

    def ask(self, request: Callable[[], object]) -> None:
        """Have something done by the thread that owns the lanes, to them and to those of what waits in the queue."""
        if (self.lanes or self.queue.queue or self._in_hand) and not self.ended:
            self._requests.append(request)
            self.wake()

    def govern(self, policy: PipelinePolicy) -> None:
        """Go on with other numbers."""
        self.policy = policy
        self.queue.allow(policy.queue_size, policy.queue_bytes, drop_oldest=policy.overflow == "oldest")
        self._workers.allow(policy.workers)

    def reset(self, label: str | None) -> None:
        """Have the webhooks of a label tried at once, or all: before anything else, so that what comes now finds it."""
        if self.lanes and not self.ended:
            self._resets.append(label)
            self.wake()

    def _reset(self, label: str | None) -> None:
        for lane in self.lanes:
            if label in (None, lane.inspector.label):
                lane.reset()
                self.troubles.counts["reset"] += 1
                self.troubles.say(f"reset {lane.inspector.label}", f"{lane.inspector.label} was reset", level=INFO)

    def _hear(self, job: Job, outcome: Outcome) -> None:
        self._outcomes.append((job, outcome))
        self.gate.put(None)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Take turns until the pipeline ends, or nothing is left to do."""
        if uwsgi.complain():
            self.troubles.counts["uwsgi_threads"] += 1
        self._take_at = time.monotonic() + self.policy.linger  # the first exchange waits for company, too
        try:
            while not self.ended:
                try:
                    if not self.turn():  # whoever waits for us has begun without us
                        time.sleep(0.001)
                    elif not self._rest():
                        break
                except Exception as error:  # a mistake of ours must not end the deliveries
                    self.troubles.note("internal", f"the dispatcher met {type(error).__name__}: please report this")
                    time.sleep(0.05)
            if self.ended:  # what was in hand when the end came
                self._abandon()
        finally:
            if self.thread is threading.current_thread():
                self.thread = None

    def _rest(self) -> bool:
        """Sleep until something is due, something comes, or the linger is over; False if the thread is not needed."""
        now = time.monotonic()
        until = self._next_due(now)
        if self.lanes or self._hurried or until < inf:
            self._leave_at = inf
        elif self._leave_at == inf:
            self._leave_at = now + _STAY
        with self.lock:
            if self._outcomes or self.ended or (self._hurried and (self.queue.queue or self._in_hand)):
                return True
            if self._take_at > now:
                until = min(until, self._take_at)
            elif self.queue.queue:
                return True
            elif self._leave_at <= now and not self.open:
                self.thread = None  # the next exchange starts another one
                return False
            else:
                until = min(until, self._leave_at)
                self.queue.asleep = True
        if self.queue.asleep and self._next_open() < until:  # an open exchange came in between
            self.queue.asleep = False
            return True
        try:
            self.gate.get(timeout=None if until == inf else min(max(0.0, until - now), 3_600.0))
        except Empty:
            return True
        finally:
            woken = not self.queue.asleep
            self.queue.asleep = False
        while True:  # one turn answers every knock
            try:
                self.gate.get_nowait()
            except Empty:
                break
        if woken and not self._hurried and self._take_at <= now:
            self._take_at = time.monotonic() + self.policy.linger
        return True

    @property
    def _hurried(self) -> bool:
        return bool(self.hurry) or self.deadline is not None

    def turn(self, *, helping: bool = False) -> bool:
        """Do what can be done now; False if somebody is at it: only one thread is ever in here, and only once.

        One that is `helping` does nothing where the dispatcher lives; that one begins with a turn, and so waits for it.
        """
        if not self._turning.acquire(blocking=False):
            return False
        try:
            if not (helping and self.alive):
                with delivering():
                    self._turn(time.monotonic())
        finally:
            self._turning.release()
        return True

    def _turn(self, now: float) -> None:
        self._tell_of_capture()
        self._hear_outcomes(now)
        for label in list(self._resets):
            self._carry_out(partial(self._reset, label), self._resets)
        requests = list(self._requests)
        if (self._hurried or requests or now >= self._take_at) and self._take_all():
            self._take_at = time.monotonic() + self.policy.linger
        for request in requests:  # after what came before them
            self._carry_out(request, self._requests)
        self._end_open(now)
        self._tell_of_recoveries(now)
        self._serve_all(time.monotonic())
        self._workers.prepare(sum(1 for lane in self.lanes if lane.pending and not lane.local))
        self._local.prepare(0)

    def _carry_out(self, request: Callable[[], object], asked: deque[Any]) -> None:
        try:
            request()
        finally:
            with suppress(IndexError):  # the pipeline ended meanwhile
                asked.popleft()  # only now, so that `quiet` waits for it

    def _take_all(self) -> bool:
        """Route what lies in the queue, a chunk at a time; False if there was nothing."""
        took = False
        while True:
            with self.lock:
                chunk = deque(self.queue.take(_CHUNK))
                self._taken += len(chunk)
                self._in_hand += len(chunk)
            if not chunk:
                return took
            took = True
            rest_at = time.monotonic() + _STINT
            try:
                while chunk:
                    self._route(chunk.popleft())
                    if time.monotonic() >= rest_at:
                        time.sleep(0)
                        rest_at = time.monotonic() + _STINT
                    if self._outcomes:  # a lane that waits for its next batch does not wait for the rest of the queue
                        now = time.monotonic()
                        for lane in self._hear_outcomes(now):
                            self._serve(lane, now, more_to_come=True)
            finally:
                with self.lock:  # empty, unless something left the loop
                    self._in_hand -= len(chunk)
                    self._unmatched += len(chunk)
            self._serve_all(time.monotonic(), more_to_come=bool(self.queue.queue))

    def _route(self, offer: Offer) -> None:
        wanted = False
        try:
            wanted = self._offer_to_lanes(*offer)
        finally:
            with self.lock:
                self._in_hand -= 1
                self._routed += wanted
                self._unmatched += not wanted

    def _offer_to_lanes(self, what: Draft | Announcement, where: Any) -> bool:
        if isinstance(what, Announcement):
            return self._router.announce(what, where)
        if what.spent is not None:
            self._capture.note(what.spent)
        return self._router.route(what, where)

    def _tell_of_recoveries(self, now: float) -> None:
        """Send the news that a host answers again like any other notice, so that the books know of it."""
        if now >= self._router.outages.next_look:
            for announcement, told in self._router.outages.ended(now, time.time()):
                self.queue.offer((announcement, told), announcement.raw.size)

    def _end_open(self, now: float) -> None:
        for draft, when in list(self.open.items()):
            if when > now:
                return
            draft.end("missing")

    # -- the lanes ----------------------------------------------------------------------------------------------------

    def _hear_outcomes(self, now: float) -> list[Lane]:
        heard = []
        while self._outcomes:
            job, outcome = self._outcomes.popleft()
            job.lane.settle(job, outcome, now, draining=self.deadline is not None)
            self._hand_on(job.lane, now)
            self._tell(job.lane)
            self.lanes.bound_connections(job.lane.policies.transport.pool_size)
            heard.append(job.lane)
        return heard

    def _serve_all(self, now: float, *, more_to_come: bool = False) -> None:
        for lane in sorted(self.lanes, key=lambda lane: lane.breaker.is_open):  # the healthy ones first
            self._serve(lane, now, more_to_come=more_to_come)

    def _serve(self, lane: Lane, now: float, *, more_to_come: bool = False) -> None:
        """Let a lane do what is due. While there is more to come, even in a hurry only full batches go."""
        hurried, draining = bool(self.hurry), self.deadline is not None
        if draining and not (self.queue.queue or self._in_hand):  # else more equals may come
            lane.release_suppressed(now)
        lane.paused = self._is_paused(lane)
        lane.tick(now)
        if self.hopeless or (draining and (lane.paused or lane.opens_at(now) > (self.deadline or 0.0))):
            lane.abandon("shutdown", flying=self.hopeless)
        self._hand_on(lane, now)
        if more_to_come:
            hurried = draining = False
        while not self.ended and lane.due(now, hurried=hurried, draining=draining) <= now:
            self._begin(lane, now)
            self._hand_on(lane, now)
        self.lanes.tidy(lane, now)

    def _tell(self, lane: Lane) -> None:
        """Tell an operator once of a webhook that takes nothing, and once when it does again."""
        state = "gone" if lane.closed else "open" if lane.breaker.is_open else ""
        if state == lane.told:
            return
        label, why, say = lane.inspector.label, lane.books.last_error, self.troubles.say
        if state == "gone":
            said = say(f"gone {label}", f"{label} is gone for good ({why}); its records are lost", level=ERROR)
        elif state == "open":
            said = say(f"open {label}", f"deliveries to {label} fail ({why}); its records wait")
        else:
            said = say(f"closed {label}", f"deliveries to {label} succeed again", level=INFO)
        if said:  # else again with the next outcome: the last line about a webhook is not to be wrong for long
            lane.told = state

    def _tell_of_capture(self) -> None:
        """Tell of calls that could not be captured, which their threads only count."""
        failed = self.troubles.counts["capture"]
        if failed > self._capture_told:
            self._capture_told = failed
            self.troubles.say("capture", f"calls could not be captured, {failed} so far: please report this")

    def _begin(self, lane: Lane, now: float) -> None:
        timeout = lane.policies.transport.total
        if self.deadline is not None:
            timeout = max(0.05, min(timeout, self.deadline - now))
        part = lane.begin(now, draining=self.deadline is not None)
        if part is None:
            return
        with self.troubles.timing("payloads", f"payloads() of {lane.inspector.label}"):
            rendered = render(lane.inspector, part)
        if isinstance(rendered, BaseException):
            why = f"payloads() of {lane.inspector.label} raised {type(rendered).__name__}"
            self.troubles.note("payloads", f"{why}; an entry that is alone in its message is sent plain")
        job = lane.launch(part, rendered, now, timeout=timeout)
        if job is not None:
            (self._local if lane.local else self._workers).hand_over(job)

    def _hand_on(self, lane: Lane, now: float) -> None:
        while lane.lost:
            try:
                self._fallbacks.take(lane, lane.lost[0], now)
            except Exception as error:  # what cannot be handed on must not hold up the others
                self.troubles.note("fallback", f"an entry could not be handed on: {type(error).__name__}")
            lane.lost.popleft()  # only now: in between it would be nowhere, and `quiet` would not see it

    def _next_due(self, now: float) -> float:
        hurried, draining = bool(self.hurry), self.deadline is not None
        due = [lane.next_due(now, hurried=hurried, draining=draining) for lane in self.lanes]
        due += map(self.lanes.next_tidy, self.lanes)
        if self._workers.starved or self._local.starved:
            due.append(now + _NO_THREAD)
        return min([self._next_open(), self._router.outages.next_look, *due])

    def _next_open(self) -> float:
        for when in list(self.open.values())[:1]:
            return when
        return inf

    # -- the end ------------------------------------------------------------------------------------------------------

    @property
    def quiet(self) -> bool:
        """Whether nothing waits and nothing is on its way; at the end, whether the cooldowns have told all, too."""
        with self.lock:
            if self.queue.queue or self._in_hand or self._requests or self._resets:
                return False
            ending = self.deadline is not None
            return not any(lane.pending or lane.lost or (ending and lane.holding) for lane in self.lanes)

    @property
    def held_up(self) -> bool:
        """Whether all that is left waits because somebody paused it, and the end will not change that."""
        with self.lock:
            if self.queue.queue or self._in_hand or self._requests or self._resets or self.deadline is not None:
                return False
            busy = [lane for lane in self.lanes if lane.pending or lane.lost]
            still = all(self._is_paused(lane) and lane.in_flight is None and not lane.lost for lane in busy)
            return bool(busy) and still

    def _is_paused(self, lane: Lane) -> bool:
        return EVERYBODY in self.paused or lane.inspector.label in self.paused

    def help(self, seconds: float) -> bool:
        """Do in this thread what no other thread does, for about so long; False if there was nothing to do."""
        if self.ended or in_delivery():  # a callable of the user's that waits for its own thread
            return False
        if not self.start():
            self.turn(helping=True)
        return self._local.run_one(seconds) or self._workers.run_one(seconds)

    @property
    def relays(self) -> bool:
        """Whether something waits that a fallback could take."""
        return any(lane.pending and lane.relays for lane in self.lanes)

    def drain(self, deadline: float, *, exiting: bool) -> None:
        """From now on deliver against a deadline: no batch, no backoff, no second chance."""
        self._local.inline = exiting
        self.deadline = deadline
        for draft in list(self.open):  # bodies that are still read go without
            draft.end("missing")
        self.wake()

    def end(self) -> bool:
        """Take nothing any more, drop what is left, and let the threads go; whether nothing was lost by the ending."""
        with self.lock:
            complete = self.quiet
            self.queue.close()
            self.ended = True
            self._requests.clear()
            self._resets.clear()
        self._abandon()
        self._workers.close()
        self._local.close()
        self.wake()
        refused = self.queue.fold()["shutdown"]
        cut = [books for books in self.lanes.stats(time.monotonic()) if books.dropped.get("shutdown")]
        self.troubles.silent = True
        for books in cut:
            lost = f"{books.dropped['shutdown']} records for {books.label} were not delivered at the end"
            why = books.last_error or "no time was left"
            self.troubles.say(f"shutdown {books.label}", f"{lost} ({why})", last_words=True)
        return complete and not refused and not cut

    def _abandon(self) -> None:
        for lane in self.lanes:
            lane.abandon("shutdown", flying=True)
            lane.write_off("shutdown")
            lane.lost.clear()  # counted; nobody is left who could hand it on
            lane.transport.close()

    def forget(self) -> None:
        """In a forked child: let go what the parent will deliver. No lock is taken, and nothing is closed."""
        self.queue.queue = deque()
        self.open = {}
        for lane in self.lanes:
            lane.forget()

    # -- what is told -------------------------------------------------------------------------------------------------

    def stats(self) -> Stats:
        """The books at this moment."""
        now = time.monotonic()
        with self.lock:  # what has to balance; so has each lane by itself
            dropped = self.queue.fold()
            waiting, in_hand, waiting_bytes = len(self.queue.queue), self._in_hand, self.queue.held_bytes
            taken, unmatched, routed = self._taken, self._unmatched, self._routed
        inspectors = self.lanes.stats(now)
        held_bytes = waiting_bytes + sum(lane.held_bytes for lane in self.lanes)
        return Stats(
            accepted=taken + waiting + sum(dropped.values()),
            unmatched=unmatched,
            dropped=dict(dropped),
            queued=waiting + in_hand,
            routed=routed,
            inspectors=inspectors,
            errors=dict(self.troubles.counts),
            held_bytes=held_bytes,
            threads=self._workers.threads + self._local.threads + self.alive,
            queue=QueueStats(waiting, self.policy.queue_size, waiting_bytes, self.policy.queue_bytes),
            capture=self._capture.latency(),
            degraded=deepest((self.queue.steps.current(now), *(one.degraded for one in inspectors))),
        )
