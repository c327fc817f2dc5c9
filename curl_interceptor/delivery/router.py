"""From what the caller noted down to the lanes that want it: exchange, match, lane."""

from __future__ import annotations

from inspect import isawaitable
from time import monotonic
from typing import Literal, Protocol, cast

from ..observe.log import TroubleLog
from ..records.exchange import Exchange
from ..records.fingerprint import fingerprint
from ..records.match import Predicate
from ..records.record import Record
from .destination import Destination, Route
from .guard import is_for_us
from .lane import Lane
from .lanes import Lanes
from .redacted import Redacted

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
    """Gives exchanges to lanes. Belongs to the dispatcher.

    Parameters
    ----------
    lanes: Where lanes are found.
    troubles: Where a callable that raises or blocks is counted.
    """

    def __init__(self, lanes: Lanes, troubles: TroubleLog) -> None:
        self._lanes = lanes
        self._troubles = troubles

    def route(self, draft: Draft, route: Route) -> bool:
        """Give an exchange to every lane that wants it; False if none does."""
        try:
            redacted = Redacted(draft.exchange())
        except Exception as error:
            self._troubles.note("exchange", f"an exchange could not be made of a call: {type(error).__name__}")
            return False
        chosen: set[int] = set()
        for planned in route.destinations:
            destination = planned
            try:
                destination = self._ready(planned, redacted.exchange)
                if self._wants(destination, redacted):
                    if draft.recorder is not None:
                        destination = cast("Recorder", draft.recorder).destination(destination)
                    lane = self._lanes.of(destination)
                    if id(lane) not in chosen:
                        chosen.add(id(lane))
                        self._enter(lane, destination, redacted)
            except Exception as error:  # one inspector's trouble does not cost another its record
                label = destination.inspector.label
                self._troubles.note("routing", f"an exchange could not be given to {label}: {type(error).__name__}")
        redacted.forget_records()
        return bool(chosen)

    def _enter(self, lane: Lane, destination: Destination, redacted: Redacted) -> None:
        try:
            lane.route(destination, redacted, fingerprint(redacted.exchange), monotonic())
        except Exception as error:
            self._troubles.note("redaction", f"redaction raised {type(error).__name__}; the exchange was not sent")

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
