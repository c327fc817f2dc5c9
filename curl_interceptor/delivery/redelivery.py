"""Sending once more what was kept: a batch at a time, by a pipeline like any other, and knowing what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from time import monotonic
from typing import Any, Literal, NamedTuple

from ..inspectors.base import Entry, Inspector
from ..inspectors.restore import Raw
from ..policies import MB, BatchPolicy, LanePolicy
from ..records.exchange import Exchange
from ..records.match import Match
from ..records.notice import RawNotice
from ..records.record import Record
from ..records.redaction import Redaction, redact_notice
from .destination import plan_route
from .item import Item
from .lane import Lane
from .pipeline import Pipeline
from .redacted import Redacted
from .settlement import TOO_LONG

__all__ = ["Outcome", "Redelivery", "size_of"]

_LANE = LanePolicy(records=10_000, bytes=256 * MB, age=604_800)


class Outcome(NamedTuple):
    """What became of a batch, by the ids of its entries."""

    delivered: frozenset[str]
    refused: dict[str, str]
    """Why each of these will not be delivered."""
    pending: frozenset[str]
    alone: frozenset[str]
    """Those that are pending and have failed all by themselves, so that no other one can be the trouble."""


class Redelivery:
    """Sends restored exchanges and notices to one webhook.

    All is as it is for what is captured: the gate, the batches, the limits of the service, its `Retry-After`, retries
    and breaker. Only the cooldown is off. Whoever makes one closes it.

    Parameters
    ----------
    inspector: Where to.
    redaction: What is hidden, of what the documents still show.
    batch: Most exchanges that are sent together; None means as many as the service has by default.
    """

    def __init__(self, inspector: Inspector, redaction: Redaction, *, batch: int | None = None) -> None:
        options: dict[str, Any] = {
            "cooldown": None,
            "lane": _LANE,
            "fallbacks": [self._refused],
            "fallback_after": 86_400,  # whoever waits decides how long
        }
        if batch is not None:
            options["batch"] = BatchPolicy(size=batch)
        # A predicate is asked about everything, and only with what has passed the gate.
        match = Match(predicate=self._sees)
        route = plan_route([inspector], match=match, redaction=redaction, options=options)
        self.batch = route.destinations[0].policies.batch.size
        self._pipeline = Pipeline(queue_bytes=1_000 * MB)
        self._claims = self._pipeline.register(route)
        self._sink = self._pipeline.sink(route)
        self._route, self._redaction = route, redaction
        self._round = _Round({})
        self._progress = (0, monotonic())

    @property
    def given(self) -> Mapping[str, Raw]:
        """What was given last."""
        return self._round.given

    def give(self, batch: Mapping[str, Raw]) -> None:
        """Begin with the next batch, by ids; the one before has to be settled."""
        self._round = _Round(batch)  # in one step: Ctrl-C may come in between
        self._progress = (self._ended(), monotonic())
        for name, raw in batch.items():
            if not isinstance(raw, RawNotice):
                self._sink.offer(_Restored(raw), size_of(raw))
            elif self._passes(name, raw):
                self._pipeline.announce(raw, addressees=self._route)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the batch, and return whether it came."""
        settled = self._pipeline.flush(seconds)
        now = monotonic()
        asked_to_wait = any(lane.opens_at(now) > now for lane in self._lanes())
        if asked_to_wait or self._ended() != self._progress[0]:
            self._progress = (self._ended(), now)
        return settled

    def outcome(self) -> Outcome:
        """What is known of the batch by now; what is on its way is pending."""
        dispatcher = self._pipeline._current()
        with dispatcher.lock:
            on_the_way = dispatcher.stats().queued > 0
            items = [item for lane in dispatcher.lanes for item in _items(lane)]
            alone = frozenset(item.entry.id for item in items if item.struck_at < inf)
            pending = {item.entry.id for item in items}
        given, seen, refused = self._round.given.keys(), self._round.seen, dict(self._round.why)
        if on_the_way:  # somewhere between queue and lane: better twice than never
            pending |= given - refused.keys()
        else:
            refused |= dict.fromkeys(given - seen, "it could not be redacted")
        return Outcome(frozenset(given - refused.keys() - pending), refused, frozenset(pending), alone)

    @property
    def dead(self) -> str:
        """Why the webhook will take nothing, whatever is sent; empty as long as it may."""
        for lane in self._lanes():
            if lane.dead:
                return lane.dead
            if lane.not_before - monotonic() > TOO_LONG:
                return f"{lane.books.last_error}, and to be left alone for hours"
        return ""

    @property
    def idle(self) -> float:
        """Seconds for which nothing came of it, those not counted that the service asked for."""
        return monotonic() - self._progress[1]

    @property
    def last_error(self) -> str:
        """What the last attempt that failed met."""
        return next((lane.books.last_error for lane in self._lanes() if lane.books.last_error), "no answer")

    def close(self) -> None:
        """End at once; what is on its way is cut."""
        self._pipeline.close(0)

    def _passes(self, name: str, raw: RawNotice) -> bool:
        """Whether a notice gets through the gate; no predicate will tell."""
        try:
            redact_notice(raw, self._redaction, id=name)
        except Exception:
            return False
        self._round.seen.add(name)
        return True

    def _sees(self, record: Record) -> bool:
        self._round.seen.add(record.id)
        return True

    def _refused(self, entry: Entry) -> None:
        self._round.why[entry.id] = self.last_error

    def _ended(self) -> int:
        return sum(lane.books.delivered + lane.books.failed for lane in self._lanes())

    def _lanes(self) -> list[Lane]:
        dispatcher = self._pipeline._current()
        with dispatcher.lock:
            return list(dispatcher.lanes)


class _Round:
    """A batch, and what is known of it: who has passed the gate, and why some were refused."""

    def __init__(self, given: Mapping[str, Raw]) -> None:
        self.given = given
        self.seen: set[str] = set()
        self.why: dict[str, str] = {}


class _Restored:
    """An exchange on its way through the queue that no call of this process made."""

    recorder = None
    spent = None
    ended = True

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def end(self, state: Literal["missing"]) -> None:
        """It was handed over already."""

    def exchange(self) -> Exchange:
        """Return it."""
        return self._exchange


def size_of(raw: Raw) -> int:
    """Return the approximate memory in bytes, as the bounds of a lane count it."""
    return raw.size if isinstance(raw, RawNotice) else Redacted(raw).size


def _items(lane: Lane) -> list[Item]:
    """What a lane has not ended with; to be asked with the lock held."""
    flying = lane.in_flight.items if lane.in_flight else []
    return [*lane.waiting, *flying, *(lost.item for lost in lane.lost)]
