"""
One address's part of the pipeline: what waits for it, what goes next, and what an outcome means.

A lane has no thread and no clock: the dispatcher owns it and tells it the time. It composes the cooldown, the batch,
the limiter, the retries and the breaker; each of them is a file of its own. The pipeline's lock is held for short steps
only, so that the books can be read at any moment, and never while a record is redacted or rendered.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, NamedTuple

from ..errors import BadPayload, DeadEndpoint, DeliveryError, Throttled
from ..inspectors.answers import seconds
from ..inspectors.base import Inspector, Payload
from ..observe.stats import InspectorStats
from ..policies import RetryPolicy
from ..records.exchange import Exchange
from ..records.record import Record
from .batch import Batch
from .breaker import Breaker
from .cooldown import CooldownWindows, Suppressed
from .destination import Destination
from .guard import is_for_us
from .item import Item, Part
from .limiter import Limiter
from .outcome import Outcome
from .transport import Transport, open_transport

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
        self._cooldown = _Windows(policies.cooldown) if policies.cooldown else None
        self._fresh: Batch[Item] = Batch(policies.batch)
        self._parts: list[Part] = []
        self._limiter = Limiter(policies.rate_limit)
        self._bytes = 0
        self._drain_failures = 0
        self._throttled = 0
        self._routed = self._delivered = self._suppressed = self._failed = self._attempts = self._retries = 0
        self._dropped: Counter[str] = Counter()
        self._last_success: float | None = None
        self._last_error: str | None = None

    def adopt(self, destination: Destination) -> None:
        """Go on under other policies, while nothing waits; what must not be forgotten stays."""
        former, policies = self.policies, destination.policies
        self.destination, self.policies = destination, policies
        self._fresh = Batch(policies.batch)
        self.breaker.govern(policies.breaker)
        if policies.rate_limit != former.rate_limit:
            self._limiter = Limiter(policies.rate_limit)
        if policies.cooldown != former.cooldown:
            self._cooldown = _Windows(policies.cooldown) if policies.cooldown else None
        if policies.transport != former.transport:
            self.transport.close()
            self.transport = open_transport(self.inspector.address, policies.transport)

    # -- what comes in ------------------------------------------------------------------------------------------------

    def route(
        self, destination: Destination, exchange: Exchange, key: str, redact: Callable[[], Record], now: float
    ) -> None:
        """Take an exchange that is wanted here: suppress it, or let it wait for its batch. `key` is its fingerprint."""
        critical = destination.inspector.critical
        with self._lock:
            self._routed += 1
            self.last_used = now
            if self.closed and not destination.fallbacks:
                self._dropped["endpoint_gone"] += 1
                return
            cooled = self._cooldown is not None and not critical and not self.closed
            if self._cooldown is not None and cooled and not self._cooldown.admits(key):
                room = self.policies.lane.bytes - self.held_bytes
                self._suppressed += 1
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
                    self._failed += 1
                    self._forget_key(key)
                else:
                    critical, fallbacks = destination.inspector.critical, destination.fallbacks
                    self._admit(Item(record, key=key, admitted=now, critical=critical, fallbacks=fallbacks), now)

    def take(self, item: Item, now: float) -> None:
        """Take what another lane gave up."""
        with self._lock:
            self._routed += 1
            self.last_used = now
            self._admit(item, now)

    def _admit(self, item: Item, now: float) -> None:
        if self.closed:
            self._drop([item], "endpoint_gone", waiting=False)
        elif self.not_before - now > _TOO_LONG:
            self._fail([item], "told to wait for hours", waiting=False)
        else:
            self.relays = self.relays or bool(item.fallbacks)
            self._fresh.add(item)
            self._bytes += item.size
            self._keep_bounds()

    def _keep_bounds(self) -> None:
        bounds = self.policies.lane
        while self.pending > bounds.records or self.held_bytes > bounds.bytes:
            oldest = self._take_oldest()
            if oldest is None:
                return  # all that is left is on its way
            self._drop([oldest], "lane_full")

    def _take_oldest(self) -> Item | None:
        """Take the oldest waiting item out, a critical one last; what was tried already is older than what is fresh."""

        def rank(item: Item) -> tuple[bool, float]:
            return item.critical, item.admitted

        part = min(self._parts, key=lambda part: min(map(rank, part.items)), default=None)
        item = min(part.items, key=rank) if part is not None else None
        if part is None or item is None or (item.critical and any(not other.critical for other in self._fresh)):
            return self._fresh.take_oldest()
        part.items.remove(item)
        part.payload = None
        if not part.items:
            self._parts.remove(part)
        return item

    # -- what goes out ------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Entries that wait or are on their way."""
        flying = len(self.in_flight.items) if self.in_flight else 0
        return self._redacting + len(self._fresh) + sum(len(part.items) for part in self._parts) + flying

    @property
    def local(self) -> bool:
        """Whether nothing leaves the process here."""
        return not self.inspector.address.lower().startswith(("http:", "https:"))

    @property
    def last_error(self) -> str | None:
        """What the last attempt that failed met."""
        return self._last_error

    @property
    def forgettable(self) -> bool:
        """Whether a new lane would do the same: nothing waits, and nothing has to be remembered."""
        trouble = self.closed or self.breaker.is_open or self.not_before > -inf
        return not (trouble or self.pending or self.lost or (self._cooldown is not None and len(self._cooldown)))

    def due(self, now: float, *, hurried: bool = False, draining: bool = False) -> float:
        """When there will be a job; inf while there is nothing to do.

        `hurried` waits for no batch to fill; `draining` waits for no backoff and no open breaker either.
        """
        if self.in_flight is not None or self.closed:
            return inf
        work = min(
            [self._fresh.due(hurried=hurried or draining), *(-inf if draining else part.due for part in self._parts)]
        )
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
            trial = self.breaker.is_open
            if trial:
                self._dissolve()
            self.in_flight = self._next_part(now, trial=trial, draining=draining)
            return self.in_flight

    def render(self, part: Part) -> list[Payload] | BaseException:
        """Return the payloads of a batch, or what went wrong. This runs a user's code, so nobody holds a lock."""
        if part.payload is not None:
            return [part.payload]
        try:
            payloads = list(self.inspector.payloads([item.entry for item in part.items], plain=part.plain))
            for payload in payloads:
                _check(payload)
        except BaseException as error:
            if is_for_us(error):
                raise
            return error
        return payloads

    def launch(self, part: Part, rendered: list[Payload] | BaseException, now: float, *, timeout: float) -> Job | None:
        """Return the attempt that is to be made now; None if rendering left nothing to send."""
        with self._lock:
            return self._launch(part, rendered, now, timeout)

    def _launch(self, part: Part, rendered: list[Payload] | BaseException, now: float, timeout: float) -> Job | None:
        if self.in_flight is not part:
            return None  # the pipeline ended meanwhile, and dropped it
        if isinstance(rendered, BaseException):
            self.in_flight = None
            self._last_error = f"payloads() raised {type(rendered).__name__}"
            self._refuse(part, self._last_error, now)
            return None
        if not self._divide(part, rendered, now):
            self.in_flight = None
            return None
        assert part.payload is not None
        self._limiter.spend(now)
        self.last_used = now
        self._attempts += 1
        self._retries += part.first_attempt != inf
        part.first_attempt = min(part.first_attempt, now)
        return Job(self, part.payload, timeout, self.breaker.is_open)

    def _next_part(self, now: float, *, trial: bool, draining: bool) -> Part | None:
        ready = [part for part in self._parts if draining or part.due <= now]
        if ready:
            part = min(ready, key=lambda part: part.due)
            self._parts.remove(part)
            return part
        items = self._fresh.take(1 if trial else None)
        return Part(items, self.policies.retry) if items else None

    def _dissolve(self) -> None:
        """The webhook is the trouble: what was under way waits with the rest."""
        items = sorted((item for part in self._parts for item in part.items), key=lambda item: item.admitted)
        self._parts.clear()
        self._fresh.put_back(items)

    def _divide(self, part: Part, payloads: list[Payload], now: float) -> bool:
        """Let the first payload go with its items; further ones become parts of their own. False if none is left."""
        left: dict[int, list[Item]] = {}
        for item in part.items:  # several items have one entry if several lanes gave it up
            left.setdefault(id(item.entry), []).append(item)
        pieces: list[Part] = []
        for payload in payloads:
            items = [item for entry in payload.entries for item in left.pop(id(entry), ())]
            if items:
                pieces.append(Part(items, self.policies.retry, due=now))
                pieces[-1].payload = payload
        self._fail([item for items in left.values() for item in items], "payloads() left it out")
        part.items = []
        for piece in pieces:
            if piece.payload and len(piece.payload.body) >= min(item.too_large for item in piece.items):
                self._refuse(piece, "too large", now)
            elif not part.items:
                part.payload, part.items = piece.payload, piece.items
            else:
                self._parts.append(piece)
        return bool(part.items)

    # -- what an outcome means ----------------------------------------------------------------------------------------

    def settle(self, job: Job, outcome: Outcome, now: float, *, draining: bool = False) -> None:
        """Take an attempt's end: deliver, wait, retry, halve or give up."""
        with self._lock:
            self._settle(job, outcome, now)
            trial_failed = job.trial and self.breaker.is_open
            if draining and (self._drain_failures >= 2 or trial_failed):
                self._drop(self._withdraw_all(), "shutdown")

    def _settle(self, job: Job, outcome: Outcome, now: float) -> None:
        part, self.in_flight = self.in_flight, None
        if part is None:
            return
        error = outcome.error
        self.breaker.after(error, now)
        if error is None:
            self._drain_failures = 0
            self._deliver(part, now)
            return
        self._last_error = _text(error)
        retry_after = seconds(getattr(error, "retry_after", None))
        if retry_after is not None:
            self.not_before = max(self.not_before, now + retry_after)
        if isinstance(error, Throttled):
            self._throttle(part, retry_after, now)
        elif isinstance(error, BadPayload):
            if error.too_large and part.payload is not None:
                for item in part.items:
                    item.too_large = min(item.too_large, len(part.payload.body))
            self._refuse(part, _text(error), now)
        elif isinstance(error, DeadEndpoint):
            self._bury(part, error, trial=job.trial)
        else:
            self._postpone(part, error, now, trial=job.trial)
        if self.not_before - now > _TOO_LONG:
            self._fail(self._withdraw_all(), "told to wait for hours")
        self._drain_failures += not isinstance(error, (BadPayload, Throttled))

    def _deliver(self, part: Part, now: float) -> None:
        self._delivered += len(part.items)
        self.last_delivered = now
        self._throttled = 0
        self._last_success = time.time()
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
        part.due = now
        self._parts.append(part)

    def _refuse(self, part: Part, reason: str, now: float) -> None:
        """The service will never take this payload: halve it until the poison is alone, send that plain, give up."""
        if len(part.items) > 1:
            self._halve(part, now)
        elif part.plain:
            self._fail(part.items, reason)
        else:
            part.items[0].plain = True
            self._parts.append(Part(part.items, _ONCE, due=now))

    def _halve(self, part: Part, now: float) -> None:
        middle = len(part.items) // 2
        for items in (part.items[:middle], part.items[middle:]):
            half = Part(items, _ONCE, due=now)
            half.first_attempt = part.first_attempt
            self._parts.append(half)

    def _bury(self, part: Part, error: DeadEndpoint, *, trial: bool) -> None:
        if error.gone:
            self.closed = True
            self._drop(part.items, "endpoint_gone")
            self._drop(self._withdraw_all(), "endpoint_gone")
        elif trial:
            self._wait_behind(part.items)
        else:
            self._fail(part.items, _text(error))

    def _postpone(self, part: Part, error: DeliveryError, now: float, *, trial: bool) -> None:
        """It may pass by itself: try again, unless the attempts are used up, or only trials may pass now."""
        if trial or self.breaker.is_open:
            if len(part.items) == 1 and trial and part.items[0].strike(now, self.last_delivered) >= _STRIKES:
                self._fail(part.items, _text(error))
            elif trial:
                self._wait_behind(part.items)
            else:
                self._fresh.put_back(part.items)
            return
        delay = part.plan.delay()
        if delay is not None:
            part.due = now + delay
            self._parts.append(part)
        elif self.last_delivered < part.first_attempt:
            self.breaker.trip(now)
            self._fresh.put_back(part.items)
        elif len(part.items) > 1:
            self._halve(part, now)
        else:
            self._fail(part.items, _text(error))

    def _wait_behind(self, items: Iterable[Item]) -> None:
        """The next trial gets another entry: the same poison again would keep the breaker open for ever."""
        for item in items:
            self._fresh.add(item)

    # -- what ends by itself ------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Let end what ends by itself: pauses, windows of the cooldown, old entries, patience with a breaker."""
        with self._lock:
            if self.not_before <= now:
                self.not_before = -inf
            if self._next_expiry() <= now:
                age = self.policies.lane.age
                old = [item for item in self._waiting() if item.admitted + age <= now]
                self._withdraw(old)
                self._drop(old, "expired")
            if self._takeover() <= now:
                items = [item for item in self._waiting() if item.fallbacks]
                self.relays = bool(items)
                if self.due(now) <= now:
                    items = items[1:]  # one stays for the trial that may end this
                self._withdraw(items)
                self._fail(items, self._last_error or "breaker open")
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
            self._suppressed -= len(released)
            self._redacting += len(released)
        for suppressed in released:
            try:
                self._tell(suppressed, now)
            except Exception as error:
                self._last_error = f"redaction raised {type(error).__name__}"

    def _tell(self, suppressed: Suppressed[_Again], now: float) -> None:
        destination, redact = suppressed.last
        record = partial(_telling, redact, suppressed.before, suppressed.since)
        self._redact(destination, record, suppressed.key, now)

    def _next_expiry(self) -> float:
        oldest = min([self._fresh.first_admitted, *(part.items[0].admitted for part in self._parts)])
        return oldest + self.policies.lane.age

    def _takeover(self) -> float:
        """When the fallbacks take over from an open breaker."""
        if not self.relays or self.breaker.open_since is None or not (self._fresh or self._parts):
            return inf
        return self.breaker.open_since + self.policies.fallback_after

    # -- leaving the lane ---------------------------------------------------------------------------------------------

    def abandon(self, reason: str, *, flying: bool = False) -> None:
        """Drop what waits, and what is on its way if `flying`: its outcome will not be heard any more."""
        with self._lock:
            items = self._withdraw_all()
            if flying and self.in_flight is not None:
                items += self.in_flight.items
                self.in_flight = None
            self._drop(items, reason)

    def forget(self) -> None:
        """In a forked child: let go what the parent will deliver, taking no lock."""
        self.in_flight = None
        self._fresh = Batch(self.policies.batch)
        self._parts = []
        self._cooldown = None

    def _waiting(self) -> list[Item]:
        return [*self._fresh, *(item for part in self._parts for item in part.items)]

    def _withdraw_all(self) -> list[Item]:
        items = self._waiting()
        self._withdraw(items)
        return items

    def _withdraw(self, items: list[Item]) -> None:
        """Take waiting items out of the batch and the parts; the caller settles them."""
        gone = {id(item) for item in items}
        self._fresh.remove(items)
        for part in self._parts:
            if any(id(item) in gone for item in part.items):
                part.items = [item for item in part.items if id(item) not in gone]
                part.payload = None
        self._parts = [part for part in self._parts if part.items]

    def _fail(self, items: list[Item], reason: str, *, waiting: bool = True) -> None:
        self._failed += len(items)
        self._give_up(items, reason, waiting=waiting)

    def _drop(self, items: list[Item], reason: str, *, waiting: bool = True) -> None:
        if items:
            self._dropped[reason] += len(items)
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

    def stats(self) -> InspectorStats:
        """The books of this lane; to be read with the lock held."""
        return InspectorStats(
            label=self.inspector.label,
            routed=self._routed,
            delivered=self._delivered,
            suppressed=self._suppressed,
            dropped=dict(self._dropped),
            failed=self._failed,
            pending=self.pending,
            attempts=self._attempts,
            retries=self._retries,
            breaker=self.breaker.state,
            last_success=self._last_success,
            last_error=self._last_error,
        )


def _telling(redact: Callable[[], Record], before: int, since: float) -> Record:
    return redact().telling(before, since)


def weight(exchange: Exchange) -> int:
    """Approximate memory of an exchange."""
    request, response = exchange.request, exchange.response
    size = 2_000 + len(request.url) + len(request.body or "")
    for header in (*request.headers, *(response.headers if response else ())):
        size += 100 + sum(map(len, header))
    return size + sum(map(len, response.body if response else ()))


def _text(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except Exception:
        return type(error).__name__


def _check(payload: object) -> None:
    """Refuse what no attempt can be made of: a mistake in an inspector costs its records, not the lane."""
    if not (
        isinstance(payload, Payload) and isinstance(payload.body, bytes) and isinstance(payload.entries, (tuple, list))
    ):
        raise TypeError("payloads() must return Payload values, with a tuple of entries and bytes as their body")
