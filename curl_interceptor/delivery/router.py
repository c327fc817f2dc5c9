"""From what the caller noted down or sent to the lanes that want it: exchange, match, lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import isawaitable
from time import monotonic
from typing import Any, Literal, Protocol, cast

from ..inspectors.options import nearest
from ..observe.calls import host_of
from ..observe.log import TroubleLog
from ..records.exchange import Exchange
from ..records.fingerprint import fingerprint
from ..records.match import Predicate
from ..records.notice import notice_key
from ..records.record import Record
from .announcement import Addressees, Announcement
from .destination import Destination, Route
from .guard import is_for_us
from .lane import Lane
from .lanes import Lanes
from .recovery import Outages, Outcomes
from .redacted import Redactable, Redacted, RedactedNotice

__all__ = ["Draft", "Recorder", "Router"]


class Draft(Protocol):
    """An exchange as the caller's thread noted it down, perhaps with a body that the app still reads."""

    @property
    def ended(self) -> object:
        """Whether it was handed over already."""

    @property
    def recorder(self) -> object | None:
        """The `Recorder` that was there when the call was made."""

    @property
    def spent(self) -> float | None:
        """Seconds that noting it down cost the caller's thread; None if that is not known."""

    def end(self, state: Literal["missing"]) -> None:
        """Hand it over as it is, unless it was handed over already."""

    def exchange(self) -> Exchange:
        """Return what was noted down as plain facts."""


class Recorder(Protocol):
    """Stands in for every webhook while an app is tested."""

    def destination(self, destination: Destination) -> Destination:
        """Return where entries for this destination go instead."""


class Router:
    """Gives exchanges and notices to lanes. Belongs to the dispatcher.

    Parameters
    ----------
    lanes: Where lanes are found.
    troubles: Where a callable that raises or blocks is counted.
    outcomes: Looks up how many calls to a host succeeded and failed.
    """

    def __init__(self, lanes: Lanes, troubles: TroubleLog, outcomes: Outcomes = lambda host: None) -> None:
        self._lanes = lanes
        self._troubles = troubles
        self.outages = Outages(outcomes)

    def route(self, draft: Draft, route: Route) -> bool:
        """Give an exchange to every lane that wants it; False if none does."""
        try:
            redacted = Redacted(draft.exchange())
        except Exception as error:
            self._troubles.note("exchange", f"an exchange could not be made of a call: {type(error).__name__}")
            return False

        def choose(planned: Destination) -> Destination | None:
            destination = self._ready(planned, redacted.exchange)
            return destination if self._wants(destination, redacted) else None

        exchange, recorder = redacted.exchange, draft.recorder
        chosen = self._enter_all(redacted, fingerprint(exchange), route.destinations, choose, recorder)
        if chosen and route.recovery is not None:
            host = host_of(exchange.request.url)
            self.outages.note(host, exchange, chosen, route.recovery, monotonic(), recorder)
        return bool(chosen)

    def announce(self, announcement: Announcement, addressees: Addressees) -> bool:
        """Give a notice to every lane, or to those that it names; False if there is none. No match is asked."""
        destinations, to = addressees.destinations, announcement.to
        if to:
            for label in to:
                if not any(label in destination.labels for destination in destinations):
                    self._complain(label, destinations)
            destinations = [destination for destination in destinations if destination.labels & {*to}]
        redacted = RedactedNotice(announcement.raw)

        def choose(planned: Destination) -> Destination:
            made = planned.making.get(self._troubles) if planned.making is not None else None
            return made or planned

        return bool(self._enter_all(redacted, notice_key(redacted.raw), destinations, choose, announcement.recorder))

    def _complain(self, label: str, destinations: Sequence[Destination]) -> None:
        """Tell of a label that nobody has: whoever sent the notice is not there any more to be told."""
        known = frozenset(label for destination in destinations for label in destination.labels)
        hint = nearest(label, known) if known else ""
        why = f"no inspector has the label that was given{hint}"
        self._troubles.note("unknown_label", f"a notice did not go where it was to: {why}")

    def _enter_all(
        self,
        redacted: Redactable[Any],
        key: str,
        destinations: Sequence[Destination],
        choose: Callable[[Destination], Destination | None],
        recorder: object | None,
    ) -> list[Destination]:
        """Let each lane that is chosen have it once; return those who have it."""
        chosen: dict[int, Destination] = {}
        for planned in destinations:
            try:
                destination = choose(planned)
                if destination is None:
                    continue
                wanting = destination
                if recorder is not None:
                    destination = cast("Recorder", recorder).destination(destination)
                lane = self._lanes.of(destination)
                if id(lane) not in chosen:
                    chosen[id(lane)] = wanting
                    self._enter(lane, destination, redacted, key)
            except Exception as error:  # one inspector's trouble does not cost another its entry
                label = planned.inspector.label
                self._troubles.note("routing", f"an entry could not be given to {label}: {type(error).__name__}")
        redacted.forget_records()
        return list(chosen.values())

    def _enter(self, lane: Lane, destination: Destination, redacted: Redactable[Any], key: str) -> None:
        try:
            lane.route(destination, redacted, key, monotonic())
        except Exception as error:
            self._troubles.note("redaction", f"redaction raised {type(error).__name__}; the entry was not sent")

    def _ready(self, destination: Destination, exchange: Exchange) -> Destination:
        """Return a destination whose inspector is there; if this exchange may be the first one, it is made now."""
        if destination.making is None or not destination.match.wants(exchange, sampled=False):
            return destination
        return destination.making.get(self._troubles) or destination

    def _wants(self, destination: Destination, redacted: Redacted) -> bool:
        def ask(predicate: Predicate) -> bool | None:
            asked = id(predicate), id(destination.redaction)
            if asked not in redacted.answers:
                redacted.answers[asked] = self._answer(predicate, redacted.by(destination.redaction), label)
            return redacted.answers[asked]

        label = destination.inspector.label
        try:
            return destination.match.wants(redacted.exchange, ask, sampled=not destination.inspector.critical)
        except Exception as error:
            self._blame(label, error)
            return False

    def _answer(self, predicate: Predicate, record: Record, label: str) -> bool | None:
        """Ask a predicate; None if it raises."""
        try:
            with self._troubles.timing("match", f"the predicate of {label}"):
                answer = predicate(record)
            if isawaitable(answer):
                getattr(answer, "close", lambda: None)()
                raise TypeError("a predicate has to answer at once")
            return bool(answer)
        except BaseException as error:
            if is_for_us(error):
                raise
            self._blame(label, error)
            return None

    def _blame(self, label: str, error: BaseException) -> None:
        self._troubles.note("match", f"the match of {label} raised {type(error).__name__}; its record is left out")
