"""
One address's part of the pipeline: what waits for it, what goes next, and when.

A lane has no thread and no clock: the dispatcher owns it and tells it the time. It composes parts that are files of
their own: what comes in passes the admission (cooldown, redactor), what is here and what became of it is the stock
(batch, bounds, books), and what an attempt's outcome means is the settlement (retries, breaker). The pipeline's lock
is held for short steps only, so that the books can be read at any moment, and never while something is redacted or
rendered.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

from ..inspectors.base import Inspector, Payload
from ..observe.stats import InspectorStats
from .admission import Admission
from .books import Books
from .breaker import Breaker
from .destination import Destination, LanePolicies
from .item import Item, Part
from .limiter import Limiter
from .outcome import Outcome
from .redacted import Redactable
from .rendering import divide
from .settlement import TOO_LONG, Settlement
from .stock import Lost, Stock
from .transport import Transport, open_transport
from .waiting import Waiting

__all__ = ["Job", "Lane", "Lost"]


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
        self.relays = False
        """Whether something came that has fallbacks."""
        self.destination = destination
        self.inspector: Inspector = destination.inspector
        self.transport = transport
        self.breaker = Breaker(policies.breaker)
        self.last_used = -inf
        self.told = ""
        """What an operator was last told of this lane's state."""
        self.paused = False
        """Whether somebody wants nothing to be sent: what comes waits, within the bounds of the lane."""
        self.refuses = ""
        """Why nothing can be sent here, so that fallbacks take what comes; empty for a lane like any other."""
        self._stock = Stock(policies)
        self._admission = Admission(self._stock, self._lock, self._admit)
        self._settlement = Settlement(self._stock, self.breaker)
        self._limiter = Limiter(policies.rate_limit)

    def adopt(self, destination: Destination, now: float) -> None:
        """Go on as a later plan for this address says; what must not be forgotten stays, and what waits if it fits."""
        former, policies = self.policies, destination.policies
        self.destination, self.inspector = destination, destination.inspector
        with self._lock:
            self._stock.govern(policies, now)
        self.breaker.govern(policies.breaker)
        self._limiter.govern(policies.rate_limit)
        if policies.transport != former.transport and destination.making is None:
            self.transport.close()
            self.transport = open_transport(self.inspector.address, policies.transport)

    def reset(self) -> None:
        """Somebody says that the webhook is well: try at once. Only a time that the service named is kept."""
        with self._lock:
            self.breaker.reset()
            self._settlement.reset()
            self.told = ""
        if self.destination.making is not None:
            self.destination.making.reset()

    # -- what comes in ------------------------------------------------------------------------------------------------

    def route(self, destination: Destination, redacted: Redactable[Any], key: str, now: float) -> None:
        """Take what is wanted here: suppress it, or let it wait for its batch. `key` is its fingerprint."""
        with self._lock:
            self.books.routed += 1
            self.last_used = now
            if self.closed and not destination.fallbacks:
                self.books.dropped["endpoint_gone"] += 1
                self.books.fallbacks["counted"] += 1
                self.books.steps.take("counted", now)
                return
            cooled = not (self.closed or destination.inspector.critical)
            if cooled and self._admission.holds_back(destination, redacted, key):
                return
            self._stock.redacting += 1
        self._admission.enter(destination, redacted, key if cooled else None, now)

    def take(self, item: Item, now: float) -> None:
        """Take what another lane gave up."""
        with self._lock:
            self.books.routed += 1
            self.last_used = now
            self._admit(item, now)

    def _admit(self, item: Item, now: float) -> None:
        if self.refuses:
            self.books.last_error = self.refuses
            self._stock.fail([item], self.refuses, admitted=False)
        elif self.closed:
            self._stock.drop([item], "endpoint_gone", admitted=False)
        elif self.not_before - now > TOO_LONG:
            self._stock.fail([item], "told to wait for hours", admitted=False)
        else:
            self.relays = self.relays or bool(item.fallbacks)
            self._stock.admit(item, now)

    # -- what goes out ------------------------------------------------------------------------------------------------

    @property
    def local(self) -> bool:
        """Whether nothing leaves the process here."""
        return not self.inspector.address.lower().startswith(("http:", "https:", "apprise:"))

    @property
    def forgettable(self) -> bool:
        """Whether a new lane would do the same: nothing waits, and nothing has to be remembered."""
        trouble = self.closed or self.breaker.is_open or self.not_before > -inf
        cooldown = self._stock.cooldown
        return not (trouble or self.pending or self.lost or (cooldown is not None and len(cooldown)))

    def due(self, now: float, *, hurried: bool = False, draining: bool = False) -> float:
        """When there will be a job; inf while there is nothing to do.

        `hurried` waits for no batch to fill; `draining` waits for no backoff and no open breaker either.
        """
        if self.in_flight is not None or self.closed or self.paused:
            return inf
        work = self.waiting.due(hurried=hurried or self._stock.full, draining=draining)
        if work == inf:
            return inf
        gate = self.opens_at(now)
        if self.breaker.is_open:
            return max(gate, -inf if draining else self.breaker.trial_at)
        return max(gate, work)

    def opens_at(self, now: float) -> float:
        """When the service takes the next message, as far as it has said; never before this time, whatever happens."""
        return max(self.not_before, self._limiter.ready_at(now))

    def next_due(self, now: float, *, hurried: bool = False, draining: bool = False) -> float:
        """When this lane wants to be looked at again: for a job, to let something end, or to hand on what it lost."""
        if self.lost:
            return -inf
        due, told = self.due(now, hurried=hurried, draining=draining), self._admission.next_due()
        return min(due, told, self._next_expiry(), self._takeover())

    def begin(self, now: float, *, draining: bool = False) -> Part | None:
        """Return the batch that is due and mark the lane busy with it; what follows is `render` and `launch`."""
        with self._lock:
            retry = self.policies.retry
            trial = self.breaker.is_open
            part = self.waiting.take_one(retry) if trial else self.waiting.take(now, retry, draining=draining)
            self._stock.in_flight = part
            return part

    def launch(self, part: Part, rendered: list[Payload] | BaseException, now: float, *, timeout: float) -> Job | None:
        """Return the attempt that is to be made now; None if rendering left nothing to send."""
        with self._lock:
            if self.in_flight is not part:
                return None  # the pipeline ended meanwhile, and dropped it
            if isinstance(rendered, BaseException):
                self._settlement.refuse(part, self.books.err(f"payloads() raised {type(rendered).__name__}"), now)
                self._stock.in_flight = None
                return None
            payload = self._first_payload(part, rendered, now)
            if payload is None:
                self._stock.in_flight = None
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
        self._stock.fail(left, "payloads() left it out")
        first = None
        for piece in pieces:
            if why := _hopeless(piece):
                self._settlement.refuse(piece, why, now)
            elif first is None:
                first = part.payload = piece.payload
                part.items = piece.items
            else:
                self.waiting.keep(piece, now)
        return first

    def settle(self, job: Job, outcome: Outcome, now: float, *, draining: bool = False) -> None:
        """Take an attempt's end, and what follows from it."""
        with self._lock:
            self._limiter.answered(outcome.quota, now)
            self._settlement.settle(outcome, now, trial=job.trial, draining=draining)
            self._stock.keep_bounds()  # they may have become narrower while the batch was on its way

    # -- what ends by itself ------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Let end what ends by itself: pauses, windows of the cooldown, old entries, patience with a breaker."""
        with self._lock:
            if self.not_before <= now:
                self._settlement.not_before = -inf
            if self._next_expiry() <= now:
                age = self.policies.lane.age
                old = [item for item in self.waiting if item.admitted + age <= now]
                self._stock.drop(self.waiting.withdraw(old), "expired")
            if self._takeover() <= now:
                items = [item for item in self.waiting if item.fallbacks]
                self.relays = bool(items)
                if self.due(now) <= now:
                    items = items[1:]  # one stays for the trial that may end this
                self._stock.fail(self.waiting.withdraw(items), self.books.last_error or "breaker open")
        self._admission.end_windows(now)

    def release_suppressed(self, now: float) -> None:
        """The pipeline ends: what the cooldown holds back is told now or never."""
        self._admission.end_all(now)

    @property
    def holding(self) -> bool:
        """Whether the cooldown holds something back that is still to be told."""
        return self._admission.holding

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
            items = self._stock.withdraw()
            if flying and self.in_flight is not None:
                items += self.in_flight.items
                self._stock.in_flight = None
            self._stock.drop(items, reason)

    def write_off(self, reason: str) -> None:
        """Drop what the cooldown still holds back: nobody will tell of it any more."""
        self._admission.write_off(reason)

    def forget(self) -> None:
        """In a forked child: let go what the parent will deliver, taking no lock."""
        self._stock.forget()

    # -- what is told -------------------------------------------------------------------------------------------------

    @property
    def policies(self) -> LanePolicies:
        """The numbers that govern it."""
        return self._stock.policies

    @property
    def books(self) -> Books:
        """What became of every entry."""
        return self._stock.books

    @property
    def waiting(self) -> Waiting:
        """The entries that are not on their way."""
        return self._stock.waiting

    @property
    def in_flight(self) -> Part | None:
        """The batch that is on its way."""
        return self._stock.in_flight

    @property
    def lost(self) -> deque[Lost]:
        """What was given up and not yet handed on; the dispatcher empties it."""
        return self._stock.lost

    @property
    def pending(self) -> int:
        """Entries that wait or are on their way."""
        return self._stock.pending

    @property
    def held_bytes(self) -> int:
        """Approximate memory of what waits here, the cooldown's included."""
        return self._stock.held_bytes

    @property
    def closed(self) -> bool:
        """Whether the service called the endpoint gone: nothing is ever sent again."""
        return self._settlement.closed

    @property
    def dead(self) -> str:
        """What the endpoint said of itself when it took nothing, whatever it was; empty since it took something."""
        return self._settlement.dead

    @property
    def not_before(self) -> float:
        """The end of the service's `Retry-After`."""
        return self._settlement.not_before

    def stats(self, now: float = 0.0) -> InspectorStats:
        """The books of this lane: what has to fit together is taken down under the lock, the figures are made after."""
        with self._lock:
            making, breaker = self.destination.making, self.breaker
            make = partial(
                self.books.copy().stats,
                label=self.inspector.label,
                pending=self.pending,
                breaker=breaker.state,
                opened=breaker.opened,
                closed=breaker.closed,
                trials=breaker.trials,
                oldest=self._stock.oldest,
                initialized=making is None or making.made,
                now=now,
            )
        return make()


def _hopeless(part: Part) -> str:
    """Why a part need not be sent: the service has refused this size, or this very payload. Else nothing."""
    if part.payload is not None and len(part.payload.body) >= min(item.too_large for item in part.items):
        return "too large"
    same = part.form is not None and any(item.refused == part.form for item in part.items)
    return "refused in every form" if same else ""
