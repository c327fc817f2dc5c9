"""
The one thread that owns the lanes: it takes exchanges from the queue, routes and renders them, and hears the outcomes.

A turn of its work is a plain method, so the thread that waits for the end of a process can do turns itself where no
other thread lives or can be started.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from math import inf
from queue import Empty, SimpleQueue
from typing import Literal, Protocol, cast
from uuid import uuid4

from ..observe.log import TroubleLog
from ..observe.stats import Stats
from ..policies import PipelinePolicy
from ..records.exchange import Exchange
from ..records.fingerprint import fingerprint
from ..records.record import Record
from ..records.redaction import Redaction, redact
from .destination import Destination, Route
from .fallback import FallbackStage
from .guard import delivering, in_delivery
from .lane import Job, Lane
from .outcome import Outcome
from .queue import ExchangeQueue
from .transport import open_transport
from .workers import Workers

__all__ = ["PATIENCE", "Dispatcher", "Draft", "Recorder", "Waiting"]

_CHUNK = 64  # exchanges in hand at a time, so that the bound of the queue stays the bound
PATIENCE = 5.0  # seconds after the headers until an exchange goes without its body
_LANE_IDLE = 600.0


class Draft(Protocol):
    """An exchange as the caller's thread noted it down, perhaps with a body that the app still reads."""

    @property
    def ended(self) -> object:
        """Whether it was handed over already."""

    @property
    def recorder(self) -> object | None:
        """The `Recorder` that was there when the call was made."""

    def end(self, state: Literal["missing"]) -> None:
        """Hand it over without its body, unless it was handed over already."""

    def exchange(self) -> Exchange:
        """Return what was noted down as plain facts."""


class Recorder(Protocol):
    """Stands in for every webhook while an app is tested."""

    def destination(self, destination: Destination) -> Destination:
        """Return where entries for this destination go instead."""


Waiting = tuple[Draft, Route]
"""What lies in the queue: a draft, and where its adapter sends exchanges."""


class _Redacted:
    """An exchange and the records made of it, one for each distinct redaction, all with one id."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._records: dict[int, tuple[Redaction, Record]] = {}
        self._id = ""

    def by(self, rules: Redaction) -> Record:
        """Return the record, made on first use."""
        known = self._records.get(id(rules))
        if known is None:
            self._id = self._id or str(uuid4())
            known = self._records[id(rules)] = (rules, redact(self.exchange, rules, id=self._id))
        return known[1]


class Dispatcher:
    """Everything of a pipeline that belongs to one process: queue, lanes, books, threads.

    A forked child gets a new one; nothing of the old one is touched there.

    Parameters
    ----------
    policy: The numbers of the pipeline.
    """

    def __init__(self, policy: PipelinePolicy) -> None:
        self.policy = policy
        self.pid = os.getpid()
        self.troubles = TroubleLog()
        self.gate: SimpleQueue[None] = SimpleQueue()
        self.queue = ExchangeQueue(
            policy.queue_size,
            policy.queue_bytes,
            drop_oldest=policy.overflow == "oldest",
            gate=self.gate,
        )
        self.lock = self.queue.mutex
        self.lanes: dict[Hashable, Lane] = {}
        self.hurry: list[object] = []
        """One token for each flush under way: batches do not wait, and nobody lingers."""
        self.deadline: float | None = None
        """When the end of the pipeline is over; None while nobody ends it."""
        self.ended = False
        self.open: deque[tuple[float, Draft]] = deque()
        """Wanted exchanges whose body the app still reads, and when each goes without it."""
        self._outcomes: deque[tuple[Job, Outcome]] = deque()
        self._workers = Workers(policy.workers, lock=self.lock, done=self._hear)
        self._fallbacks = FallbackStage(self._lane_for, self.troubles)
        self._take_at = 0.0
        self._in_hand = 0
        self._taken = self._unmatched = self._routed = 0
        self._starting = threading.Lock()
        self._turning = threading.Lock()
        self.thread: threading.Thread | None = None

    # -- the callers' threads -----------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the thread lives."""
        thread = self.thread
        return thread is not None and thread.is_alive()

    def start(self) -> bool:
        """Start the thread if there is none. Whoever finds another one at it leaves it at that."""
        if self.alive:
            return True
        if self.ended or not self._starting.acquire(blocking=False):
            return False
        try:
            if not self.alive:
                self.thread = threading.Thread(target=self.run, name="curl-interceptor-dispatcher", daemon=True)
                self.thread.start()
        except RuntimeError:  # no thread can be started any more; whoever waits for the end does the turns
            self.thread = None
            return False
        finally:
            self._starting.release()
        return True

    def wake(self) -> None:
        """End a sleep or a linger of the dispatcher."""
        self.gate.put(None)

    def _hear(self, job: Job, outcome: Outcome) -> None:
        self._outcomes.append((job, outcome))
        self.gate.put(None)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Take turns until the pipeline ends."""
        while not self.ended:
            try:
                self.turn()
                if not self._rest():
                    return
            except Exception as error:  # a mistake of ours must not end the deliveries
                self.troubles.note("internal", f"the dispatcher met {type(error).__name__}: please report this")
                time.sleep(0.05)
        with self.lock:  # what was in hand when the end came
            for lane in self.lanes.values():
                lane.abandon("shutdown", flying=True)
        self.thread = None

    def _rest(self) -> bool:
        """Sleep until something is due, something comes, or the linger is over; False if the thread is not needed."""
        now = time.monotonic()
        until = self._next_due(now)
        with self.lock:
            if self._outcomes or self.ended or (self._hurried and (self.queue.queue or self._in_hand)):
                return True
            if self._take_at > now:
                until = min(until, self._take_at)
            elif self.queue.queue:
                return True
            elif until == inf and not self.lanes and not self._hurried:
                self.thread = None  # the next exchange starts another one
                return False
            else:
                self.queue.asleep = True
        if self.queue.asleep and self._next_due(now) < until:  # an open exchange came in between
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

    def turn(self) -> None:
        """Do what can be done now. Only one thread is ever in here: a second one, or a second time, does nothing."""
        if self._turning.acquire(blocking=False):
            try:
                with delivering():
                    self._turn(time.monotonic())
            finally:
                self._turning.release()

    def _turn(self, now: float) -> None:
        self._hear_outcomes(now)
        if (self._hurried or now >= self._take_at) and self._take_all():
            self._take_at = time.monotonic() + self.policy.linger
        self._end_open(now)
        self._serve_all(time.monotonic())

    def _take_all(self) -> bool:
        took = False
        while True:
            with self.lock:
                chunk = self.queue.take(_CHUNK)
                self._taken += len(chunk)
                self._in_hand += len(chunk)
            if not chunk:
                return took
            took = True
            for waiting in chunk:
                self._route(waiting)
                time.sleep(0)  # the app's threads first
                if self._outcomes:  # a lane that waits for its next batch does not wait for the rest of the queue
                    now = time.monotonic()
                    for lane in self._hear_outcomes(now):
                        self._serve(lane, now, more_to_come=True)
            del chunk
            self._serve_all(time.monotonic())

    def _route(self, waiting: Waiting) -> None:
        """Give an exchange to every lane that wants it."""
        draft, route = waiting
        wanted = False
        try:
            redacted = _Redacted(draft.exchange())
            chosen: dict[int, Lane] = {}
            for destination in route.destinations:
                if self._wants(destination, redacted):
                    if draft.recorder is not None:
                        destination = cast("Recorder", draft.recorder).destination(destination)
                    lane = self._lane_for(destination)
                    if id(lane) not in chosen:
                        chosen[id(lane)] = lane
                        wanted = True
                        self._enter(lane, destination, redacted)
        except Exception as error:
            self.troubles.note("routing", f"an exchange could not be routed: {type(error).__name__}")
        finally:
            with self.lock:
                self._in_hand -= 1
                self._routed += wanted
                self._unmatched += not wanted

    def _enter(self, lane: Lane, destination: Destination, redacted: _Redacted) -> None:
        exchange = redacted.exchange
        try:
            lane.route(exchange, fingerprint(exchange), lambda: redacted.by(destination.redaction), time.monotonic())
        except Exception as error:
            self.troubles.note("redaction", f"redaction raised {type(error).__name__}; the exchange was not sent")

    def _wants(self, destination: Destination, redacted: _Redacted) -> bool:
        match = destination.match
        try:
            if not match.wants(redacted.exchange, sampled=not destination.inspector.critical):
                return False
            return match.predicate is None or bool(match.predicate(redacted.by(destination.redaction)))
        except BaseException as error:  # somebody's code
            label = destination.inspector.label
            self.troubles.note("match", f"the match of {label} raised {type(error).__name__}; its record is left out")
            return False

    def _lane_for(self, destination: Destination) -> Lane:
        address = destination.inspector.address
        former = self.lanes.get(address)
        if former is not None and (former.policies == destination.policies or former.pending):
            return former
        lane = Lane(destination, open_transport(address, destination.policies.transport), self.lock)
        with self.lock:
            if former is not None:
                lane.succeed(former)
            self.lanes[address] = lane
        return lane

    def _end_open(self, now: float) -> None:
        while self.open and (self.open[0][1].ended or self.open[0][0] <= now):
            self.open.popleft()[1].end("missing")

    # -- the lanes ----------------------------------------------------------------------------------------------------

    def _hear_outcomes(self, now: float) -> list[Lane]:
        heard = []
        while self._outcomes:
            job, outcome = self._outcomes.popleft()
            job.lane.settle(job, outcome, now, draining=self.deadline is not None)
            self._hand_on(job.lane, now)
            heard.append(job.lane)
        return heard

    def _serve_all(self, now: float) -> None:
        for lane in sorted(self.lanes.values(), key=lambda lane: lane.breaker.is_open):  # the healthy ones first
            self._serve(lane, now)

    def _serve(self, lane: Lane, now: float, *, more_to_come: bool = False) -> None:
        """Let a lane do what is due. While there is more to come, even in a hurry only full batches go."""
        hurried, draining = bool(self.hurry), self.deadline is not None
        if draining:
            lane.release_suppressed(now)
        lane.tick(now)
        if draining and lane.not_before > (self.deadline or 0.0):
            lane.abandon("shutdown")
        self._hand_on(lane, now)
        if more_to_come:
            hurried = draining = False
        while not self.ended and lane.due(now, hurried=hurried, draining=draining) <= now:
            self._begin(lane, now)
            self._hand_on(lane, now)
        self._tidy(lane, now)

    def _begin(self, lane: Lane, now: float) -> None:
        timeout = lane.policies.transport.total
        if self.deadline is not None:
            timeout = max(0.05, min(timeout, self.deadline - now))
        part = lane.begin(now, draining=self.deadline is not None)
        job = lane.launch(part, lane.render(part), now, timeout=timeout) if part else None
        if job is not None:
            self._workers.hand_over(job, local=not lane.inspector.address.startswith("http"))

    def _hand_on(self, lane: Lane, now: float) -> None:
        while lane.lost:
            try:
                self._fallbacks.take(lane, lane.lost[0], now)
            except Exception as error:  # what cannot be handed on must not hold up the others
                self.troubles.note("fallback", f"an entry could not be handed on: {type(error).__name__}")
            lane.lost.popleft()  # only now: in between it would be nowhere, and `quiet` would not see it

    def _tidy(self, lane: Lane, now: float) -> None:
        """Let go what is not used any more: a connection, and at last the lane."""
        if lane.in_flight is not None:
            return
        since = lane.transport.idle_since
        if since is not None and now - since >= lane.policies.transport.idle:
            lane.transport.close()
        if lane.forgettable and (lane.transport.abandoned or now - lane.last_used >= _LANE_IDLE):
            lane.transport.close()
            with self.lock:
                self.lanes = {address: other for address, other in self.lanes.items() if other is not lane}

    def _next_tidy(self, lane: Lane) -> float:
        since = lane.transport.idle_since
        if lane.in_flight is not None:
            return inf
        forgotten = lane.last_used + _LANE_IDLE if lane.forgettable else inf
        return min(forgotten, inf if since is None else since + lane.policies.transport.idle)

    def _next_due(self, now: float) -> float:
        hurried, draining = bool(self.hurry), self.deadline is not None
        dues = [lane.next_due(now, hurried=hurried, draining=draining) for lane in self.lanes.values()]
        due = min([inf, *dues, *map(self._next_tidy, self.lanes.values())])
        if self.open:
            due = min(due, self.open[0][0])
        return due

    # -- the end ------------------------------------------------------------------------------------------------------

    @property
    def quiet(self) -> bool:
        """Whether nothing waits and nothing is on its way; at the end, whether the cooldowns have told all, too."""
        with self.lock:
            if self.queue.queue or self._in_hand:
                return False
            ending = self.deadline is not None
            return not any(lane.pending or lane.lost or (ending and lane.holding) for lane in self.lanes.values())

    def wait(self, until: Callable[[], bool], deadline: float) -> bool:
        """Wait for something to become true, doing the work that no other thread does; False if it did not in time.

        It looks every few milliseconds instead of waiting for an event: an event's lock would hold a signal handler
        that waits inside of this wait for ever.
        """
        if in_delivery():  # a callable of the user's that waits for its own thread
            return until()
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if not self.start() and not self.alive:
                self.turn()
            if not self._workers.run_one(left):
                time.sleep(min(0.002, left))
        return True

    def drain(self, deadline: float, *, exiting: bool) -> None:
        """From now on deliver against a deadline: no batch, no backoff, no second chance."""
        self._workers.inline = exiting
        self.deadline = deadline
        while self.open:  # bodies that are still read go without
            try:
                self.open.popleft()[1].end("missing")
            except IndexError:
                break
        self.wake()

    def end(self) -> bool:
        """Take nothing any more, drop what is left, and let the threads go; whether nothing had to be dropped."""
        with self.lock:
            complete = self.quiet
            self.queue.close()
            for lane in self.lanes.values():
                lane.abandon("shutdown", flying=True)
                lane.transport.close()
            self.ended = True
        self._workers.close()
        self.wake()
        return complete

    # -- what is told -------------------------------------------------------------------------------------------------

    def stats(self) -> Stats:
        """The books at this moment."""
        with self.lock:
            dropped = self.queue.fold()
            queued = len(self.queue.queue) + self._in_hand
            waiting = len(self.queue.queue)
            return Stats(
                accepted=self._taken + waiting + sum(dropped.values()),
                unmatched=self._unmatched,
                dropped=dict(dropped),
                queued=queued,
                routed=self._routed,
                inspectors=tuple(lane.stats() for lane in self.lanes.values()),
                errors=dict(self.troubles.counts),
                held_bytes=self.queue.held_bytes + sum(lane.held_bytes for lane in self.lanes.values()),
                threads=self._workers.threads + self.alive,
            )
