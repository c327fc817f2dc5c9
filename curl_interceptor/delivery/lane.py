"""
One address's part of the pipeline: what waits for it, what goes next, and what an outcome means.

A lane has no thread and no clock: the dispatcher owns it and tells it the time. It composes the cooldown, the batch,
the limiter, the retries and the breaker; each of them is a file of its own. The pipeline's lock is held for short steps
only, so that the books can be read at any moment, and never while a record is redacted or rendered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, NamedTuple

from ..errors import BadPayload, CircuitOpen, DeadEndpoint, Throttled
from ..inspectors.answers import seconds
from ..inspectors.base import Inspector, Payload
from ..observe.stats import InspectorStats
from ..policies import RetryPolicy
from ..records.exchange import Exchange
from ..records.record import Record
from .books import Books
from .breaker import Breaker
from .cooldown import CooldownWindows, Suppressed
from .destination import Destination
from .item import Item, Part
from .limiter import Limiter
from .outcome import Outcome
from .rendering import divide
from .transport import Transport, open_transport
from .waiting import Waiting

__all__ = ["Job", "Lane", "Lost"]

_TOO_LONG = 3_600.0  # seconds of Retry-After from which entries go to the fallback instead of waiting
_STRIKES = 3
_ONCE = RetryPolicy(retries=0)


class _Again(NamedTuple):
    """What the cooldown holds back: where it goes, and the way to redact it once it goes out after all."""

    destination: Destination
    redact: Callable[[], Record]


_Windows = CooldownWindows[_Again]


class Lost(NamedTuple):
    """An item that a lane gives up."""

    item: Item
    reason: str


@dataclass(frozen=True, eq=False)
class Job:
    """One attempt that a lane wants made now.

    Parameters
    ----------
    lane: Whose attempt it is; it has the inspector, the transport and the breaker.
    payload: What is posted.
    timeout: Seconds after which the attempt has to end, whatever happens.
    trial: Whether this is the one trial of an open breaker.
    """

    lane: Lane
    payload: Payload
    timeout: float
    trial: bool


class Lane:
    """Everything that waits for one address.

    Times called `now` are on the monotonic clock.

    Parameters
    ----------
    destination: The inspector and its policies.
    transport: What makes the attempts.
    lock: The pipeline's re-entrant lock.
    """

    def __init__(
        self, destination: Destination, transport: Transport, lock: AbstractContextManager[Any] | None = None
    ) -> None:
        policies = destination.policies
        self._lock = nullcontext() if lock is None else lock
        self._redacting = 0
        self.relays = False
        """Whether something came that has fallbacks."""
        self.destination = destination
        self.inspector: Inspector = destination.inspector
        self.policies = policies
        self.transport = transport
        self.breaker = Breaker(policies.breaker)
        self.lost: deque[Lost] = deque()
        """What was given up and not yet handed on; the dispatcher empties it."""
        self.closed = False
        """The service called the endpoint gone: nothing is ever sent again."""
        self.in_flight: Part | None = None
        self.not_before = -inf
        self.last_used = -inf
        self.last_delivered = -inf
        self.told = ""
        """What an operator was last told of this lane's state."""
        self.paused = False
        """Whether somebody wants nothing to be sent: what comes waits, within the bounds of the lane."""
        self.refuses = ""
        """Why nothing can be sent here, so that fallbacks take what comes; empty for a lane like any other."""
        self._cooldown = _Windows(policies.cooldown) if policies.cooldown else None
        self.waiting = Waiting(policies.batch)
        self._limiter = Limiter(policies.rate_limit)
        self._bytes = 0
        self._drain_failures = 0
        self._throttled = 0
        self.books = Books()

    def adopt(self, destination: Destination, now: float) -> None:
        """Go on as a later plan for this address says; what must not be forgotten stays, and what waits if it fits."""
        former, policies = self.policies, destination.policies
        self.destination, self.policies, self.inspector = destination, policies, destination.inspector
        self.waiting.govern(policies.batch)
        self.breaker.govern(policies.breaker)
        if policies.rate_limit != former.rate_limit:
            self._limiter = Limiter(policies.rate_limit)
        if policies.cooldown is None:
            self.release_suppressed(now)
            self._cooldown = None
        elif self._cooldown is None:
            self._cooldown = _Windows(policies.cooldown)
        elif policies.cooldown != former.cooldown:
            self._cooldown.govern(policies.cooldown, now)
        if policies.transport != former.transport and destination.making is None:
            self.transport.close()
            self.transport = open_transport(self.inspector.address, policies.transport)
        with self._lock:
            self._keep_bounds()

    def reset(self) -> None:
        """Somebody says that the webhook is well: try at once. Only a time that the service named is kept."""
        with self._lock:
            self.breaker.reset()
            self.closed = False
            self.told = ""
            self._drain_failures = 0
        if self.destination.making is not None:
            self.destination.making.reset()

    # -- what comes in ------------------------------------------------------------------------------------------------

    def route(
        self, destination: Destination, exchange: Exchange, key: str, redact: Callable[[], Record], now: float
    ) -> None:
        """Take an exchange that is wanted here: suppress it, or let it wait for its batch. `key` is its fingerprint."""
        critical = destination.inspector.critical
        with self._lock:
            self.books.routed += 1
            self.last_used = now
            if self.closed and not destination.fallbacks:
                self.books.dropped["endpoint_gone"] += 1
                self.books.steps.take("counted", now)
                return
            cooled = self._cooldown is not None and not critical and not self.closed
            if self._cooldown is not None and cooled and not self._cooldown.admits(key):
                room = self.policies.lane.bytes - self.held_bytes
                self.books.suppressed += 1
                again = _Again(destination, redact)
                self._cooldown.suppress(key, again, weight(exchange), room, exchange.started)
                return
            self._redacting += 1
        self._redact(destination, redact, key if cooled else None, now)

    def _redact(self, destination: Destination, redact: Callable[[], Record], key: str | None, now: float) -> None:
        """Redact one that is counted as pending already, and let it wait for its batch."""
        record: Record | None = None
        try:
            record = redact()
        finally:
            with self._lock:
                self._redacting -= 1
                if record is None:
                    self.books.failed += 1
                    self._forget_key(key)
                else:
                    critical, fallbacks = destination.inspector.critical, destination.fallbacks
                    self._admit(Item(record, key=key, admitted=now, critical=critical, fallbacks=fallbacks), now)

    def take(self, item: Item, now: float) -> None:
        """Take what another lane gave up."""
        with self._lock:
            self.books.routed += 1
            self.last_used = now
            self._admit(item, now)

    def _admit(self, item: Item, now: float) -> None:
        if self.refuses:
            self.books.last_error = self.refuses
            self._fail([item], self.refuses, waiting=False)
        elif self.closed:
            self._drop([item], "endpoint_gone", waiting=False)
        elif self.not_before - now > _TOO_LONG:
            self._fail([item], "told to wait for hours", waiting=False)
        else:
            self.relays = self.relays or bool(item.fallbacks)
            self.waiting.add([item])
            self._bytes += item.size
            self._keep_bounds()

    def _keep_bounds(self) -> None:
        bounds = self.policies.lane
        while self.pending > bounds.records or self.held_bytes > bounds.bytes:
            oldest = self.waiting.take_oldest()
            if oldest is None:
                return  # all that is left is on its way
            self._drop([oldest], "lane_full")

    # -- what goes out ------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Entries that wait or are on their way."""
        flying = len(self.in_flight.items) if self.in_flight else 0
        return self._redacting + len(self.waiting) + flying

    @property
    def local(self) -> bool:
        """Whether nothing leaves the process here."""
        return not self.inspector.address.lower().startswith(("http:", "https:"))

    @property
    def forgettable(self) -> bool:
        """Whether a new lane would do the same: nothing waits, and nothing has to be remembered."""
        trouble = self.closed or self.breaker.is_open or self.not_before > -inf
        return not (trouble or self.pending or self.lost or (self._cooldown is not None and len(self._cooldown)))

    def due(self, now: float, *, hurried: bool = False, draining: bool = False) -> float:
        """When there will be a job; inf while there is nothing to do.

        `hurried` waits for no batch to fill; `draining` waits for no backoff and no open breaker either.
        """
        if self.in_flight is not None or self.closed or self.paused:
            return inf
        work = self.waiting.due(hurried=hurried, draining=draining)
        if work == inf:
            return inf
        gate = max(self.not_before, self._limiter.ready_at(now))
        if self.breaker.is_open:
            return max(gate, -inf if draining else self.breaker.trial_at)
        return max(gate, work)

    def next_due(self, now: float, *, hurried: bool = False, draining: bool = False) -> float:
        """When this lane wants to be looked at again: for a job, to let something end, or to hand on what it lost."""
        if self.lost:
            return -inf
        ends = self._cooldown.next_due() if self._cooldown is not None else inf
        return min(self.due(now, hurried=hurried, draining=draining), ends, self._next_expiry(), self._takeover())

    def begin(self, now: float, *, draining: bool = False) -> Part | None:
        """Return the batch that is due and mark the lane busy with it; what follows is `render` and `launch`."""
        with self._lock:
            retry = self.policies.retry
            trial = self.breaker.is_open
            part = self.waiting.take_one(retry) if trial else self.waiting.take(now, retry, draining=draining)
            self.in_flight = part
            return part

    def launch(self, part: Part, rendered: list[Payload] | BaseException, now: float, *, timeout: float) -> Job | None:
        """Return the attempt that is to be made now; None if rendering left nothing to send."""
        with self._lock:
            if self.in_flight is not part:
                return None  # the pipeline ended meanwhile, and dropped it
            if isinstance(rendered, BaseException):
                self._refuse(part, self.books.err(f"payloads() raised {type(rendered).__name__}"), now)
                self.in_flight = None
                return None
            payload = self._first_payload(part, rendered, now)
            if payload is None:
                self.in_flight = None
                return None
            self._limiter.spend(now)
            self.last_used = now
            self.books.attempts += 1
            self.books.retries += part.first_attempt != inf
            part.first_attempt = min(part.first_attempt, now)
            return Job(self, payload, timeout, self.breaker.is_open)

    def _first_payload(self, part: Part, payloads: list[Payload], now: float) -> Payload | None:
        """Let the part go with the first payload, and return it; further ones wait as parts of their own."""
        pieces, left = divide(part, payloads, self.policies.retry)
        self._fail(left, "payloads() left it out")
        first = None
        for piece in pieces:
            if piece.payload and len(piece.payload.body) >= min(item.too_large for item in piece.items):
                self._refuse(piece, "too large", now)
            elif first is None:
                first = part.payload = piece.payload
                part.items = piece.items
            else:
                self.waiting.keep(piece, now)
        return first

    # -- what an outcome means ----------------------------------------------------------------------------------------

    def settle(self, job: Job, outcome: Outcome, now: float, *, draining: bool = False) -> None:
        """Take an attempt's end: deliver, wait, retry, halve or give up."""
        with self._lock:
            self._settle(job, outcome, now)
            trial_failed = job.trial and self.breaker.is_open
            if draining and (self._drain_failures >= 2 or trial_failed):
                self._drop(self.waiting.withdraw(self.waiting), "shutdown")
            self._keep_bounds()  # they may have become narrower while the batch was on its way

    def _settle(self, job: Job, outcome: Outcome, now: float) -> None:
        part, self.in_flight = self.in_flight, None
        if part is None:
            return
        error = outcome.error
        if not isinstance(error, CircuitOpen):
            self.books.attempted(outcome.seconds, now, failed=error is not None)
        self.breaker.after(error, now)
        if error is None:
            self._drain_failures = 0
            self._deliver(part, now)
            return
        text = self.books.err(error)
        retry_after = seconds(getattr(error, "retry_after", None))
        if retry_after is not None:
            self.not_before = max(self.not_before, now + retry_after)
        if isinstance(error, Throttled):
            self._throttle(part, retry_after, now)
        elif isinstance(error, BadPayload):
            if error.too_large and part.payload is not None:
                for item in part.items:
                    item.too_large = min(item.too_large, len(part.payload.body))
            self._refuse(part, text, now)
        elif isinstance(error, DeadEndpoint):
            self._bury(part, text, gone=error.gone, trial=job.trial)
        else:
            self._postpone(part, text, now, trial=job.trial)
        if self.not_before - now > _TOO_LONG:
            self._fail(self.waiting.withdraw(self.waiting), "told to wait for hours")
        self._drain_failures += not isinstance(error, (BadPayload, Throttled))

    def _deliver(self, part: Part, now: float) -> None:
        self.books.deliver(len(part.items))
        self.last_delivered = now
        self._throttled = 0
        if part.plain:
            self.books.steps.take("plain", now)
        for item in part.items:
            self._bytes -= item.size
            if self._cooldown is not None and item.key is not None:
                self._cooldown.delivered(item.key, now)

    def _throttle(self, part: Part, retry_after: float | None, now: float) -> None:
        if not retry_after:  # a service that says 0 would be asked without a pause
            policy = self.policies.retry
            wait = min(policy.max_wait, policy.wait * policy.factor ** min(self._throttled, 64))
            self.not_before = max(self.not_before, now + wait)
        self._throttled += 1
        self.waiting.keep(part, now)

    def _refuse(self, part: Part, reason: str, now: float) -> None:
        """The service will never take this payload: halve it until the poison is alone, send that plain, give up."""
        if len(part.items) > 1:
            self._halve(part, now)
        elif part.plain:
            self._fail(part.items, reason)
        else:
            part.items[0].plain = True
            self.waiting.keep(Part(part.items, _ONCE), now)

    def _halve(self, part: Part, now: float) -> None:
        middle = len(part.items) // 2
        for items in (part.items[:middle], part.items[middle:]):
            half = Part(items, _ONCE)
            half.first_attempt = part.first_attempt
            self.waiting.keep(half, now)

    def _bury(self, part: Part, why: str, *, gone: bool, trial: bool) -> None:
        if gone:
            self.closed = True
            self._drop(part.items, "endpoint_gone")
            self._drop(self.waiting.withdraw(self.waiting), "endpoint_gone")
        elif trial:
            self.waiting.add(part.items)  # at the end: the next trial gets another one
        else:
            self._fail(part.items, why)

    def _postpone(self, part: Part, why: str, now: float, *, trial: bool) -> None:
        """It may pass by itself: try again, unless the attempts are used up, or only trials may pass now."""
        if trial or self.breaker.is_open:
            if len(part.items) == 1 and trial and part.items[0].strike(now, self.last_delivered) >= _STRIKES:
                self._fail(part.items, why)
            elif trial:
                self.waiting.add(part.items)  # at the end: the same poison again would keep the breaker open for ever
            else:
                self.waiting.put_back(part.items)
            return
        delay = part.plan.delay()
        if delay is not None:
            self.waiting.keep(part, now + delay)
        elif self.last_delivered < part.first_attempt:
            self.breaker.trip(now)
            self.waiting.put_back(part.items)
        elif len(part.items) > 1:
            self._halve(part, now)
        elif part.items[0].strike(now, self.last_delivered) >= _STRIKES:
            self._fail(part.items, why)
        else:  # a webhook that fails every other time had bad luck with it; only one that takes others tells of poison
            self.waiting.keep(Part(part.items, self.policies.retry), now + self.policies.retry.wait)

    # -- what ends by itself ------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Let end what ends by itself: pauses, windows of the cooldown, old entries, patience with a breaker."""
        with self._lock:
            if self.not_before <= now:
                self.not_before = -inf
            if self._next_expiry() <= now:
                age = self.policies.lane.age
                old = [item for item in self.waiting if item.admitted + age <= now]
                self._drop(self.waiting.withdraw(old), "expired")
            if self._takeover() <= now:
                items = [item for item in self.waiting if item.fallbacks]
                self.relays = bool(items)
                if self.due(now) <= now:
                    items = items[1:]  # one stays for the trial that may end this
                self._fail(self.waiting.withdraw(items), self.books.last_error or "breaker open")
        if self._cooldown is not None and self._cooldown.next_due() <= now:
            self._send_after_all(lambda windows: windows.due(now), now)

    def release_suppressed(self, now: float) -> None:
        """The pipeline ends: what the cooldown holds back is told now or never."""
        if self.holding:
            self._send_after_all(lambda windows: windows.release_all(), now)

    @property
    def holding(self) -> bool:
        """Whether the cooldown holds something back that is still to be told."""
        return self._cooldown is not None and self._cooldown.holding

    def _send_after_all(self, choose: Callable[[_Windows], list[Suppressed[_Again]]], now: float) -> None:
        with self._lock:
            released = choose(self._cooldown) if self._cooldown is not None else []
            self.books.suppressed -= len(released)
            self._redacting += len(released)
        for suppressed in released:
            try:
                self._tell(suppressed, now)
            except Exception as error:
                self.books.err(f"redaction raised {type(error).__name__}")

    def _tell(self, suppressed: Suppressed[_Again], now: float) -> None:
        destination, redact = suppressed.last
        record = partial(_telling, redact, suppressed.before, suppressed.since)
        self._redact(destination, record, suppressed.key, now)

    def _next_expiry(self) -> float:
        return self.waiting.oldest + self.policies.lane.age

    def _takeover(self) -> float:
        """When the fallbacks take over from an open breaker."""
        if not self.relays or self.breaker.open_since is None or not len(self.waiting) or self.paused:
            return inf
        return self.breaker.open_since + self.policies.fallback_after

    # -- leaving the lane ---------------------------------------------------------------------------------------------

    def abandon(self, reason: str, *, flying: bool = False) -> None:
        """Drop what waits, and what is on its way if `flying`: its outcome will not be heard any more."""
        with self._lock:
            items = self.waiting.withdraw(self.waiting)
            if flying and self.in_flight is not None:
                items += self.in_flight.items
                self.in_flight = None
            self._drop(items, reason)

    def forget(self) -> None:
        """In a forked child: let go what the parent will deliver, taking no lock."""
        self.in_flight = None
        self.waiting = Waiting(self.policies.batch)
        self._cooldown = None

    def _fail(self, items: list[Item], reason: str, *, waiting: bool = True) -> None:
        self.books.failed += len(items)
        self._give_up(items, reason, waiting=waiting)

    def _drop(self, items: list[Item], reason: str, *, waiting: bool = True) -> None:
        if items:
            self.books.dropped[reason] += len(items)
        self._give_up(items, reason, waiting=waiting)

    def _give_up(self, items: list[Item], reason: str, *, waiting: bool) -> None:
        for item in items:
            if waiting:
                self._bytes -= item.size
            self._forget_key(item.key)
            self.lost.append(Lost(item, reason))

    def _forget_key(self, key: str | None) -> None:
        if self._cooldown is not None and key is not None:
            self._cooldown.lost(key)

    # -- what is told -------------------------------------------------------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """Approximate memory of what waits here, the cooldown's included."""
        return self._bytes + (self._cooldown.bytes if self._cooldown is not None else 0)

    @property
    def _oldest(self) -> float | None:
        """When the oldest pending entry came; None while nothing is pending."""
        flying = (item.admitted for item in self.in_flight.items) if self.in_flight else ()
        oldest = min(flying, default=inf)
        oldest = min(oldest, self.waiting.oldest)
        return None if oldest == inf else oldest

    def snapshot(self, now: float) -> Callable[[], InspectorStats]:
        """Take down, with the lock held, what has to fit together; the figures are made of it without the lock."""
        label, pending, oldest, breaker = self.inspector.label, self.pending, self._oldest, self.breaker.state
        make, making = self.books.copy().stats, self.destination.making
        made = making is None or making.made
        return lambda: make(label=label, pending=pending, breaker=breaker, oldest=oldest, initialized=made, now=now)

    def stats(self, now: float = 0.0) -> InspectorStats:
        """The books of this lane; to be read with the lock held."""
        return self.snapshot(now)()


def _telling(redact: Callable[[], Record], before: int, since: float) -> Record:
    return redact().telling(before, since)


def weight(exchange: Exchange) -> int:
    """Approximate memory of an exchange."""
    request, response = exchange.request, exchange.response
    size = 2_000 + len(request.url) + len(request.body or "")
    for header in (*request.headers, *(response.headers if response else ())):
        size += 100 + sum(map(len, header))
    return size + sum(map(len, response.body if response else ()))
