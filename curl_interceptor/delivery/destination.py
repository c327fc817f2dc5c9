"""An inspector with everything decided: what it wants, what is hidden for it, and what governs its lane."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple

from ..errors import ConfigurationError
from ..inspectors.base import Entry, Inspector
from ..inspectors.given import is_dotted_path, load
from ..inspectors.lazy import LazyInspector
from ..inspectors.options import listed
from ..inspectors.recognise import inspector_for
from ..inspectors.shaped import has_shape, shaped
from ..policies import (
    BatchPolicy,
    BreakerPolicy,
    Cooldown,
    LanePolicy,
    RateLimit,
    RetryPolicy,
    TransportPolicy,
)
from ..records.match import Matcher
from ..records.redaction import Redaction, own
from ..records.screen import Screen
from .making import Making
from .transport import check_scheme

__all__ = ["Destination", "Fallbacks", "LanePolicies", "Route", "plan_route"]

Fallbacks = tuple["Destination | Callable[[Entry], object]", ...]

_plans = count(1)


@dataclass(frozen=True)
class LanePolicies:
    """Every number that governs the lane of one address."""

    batch: BatchPolicy = BatchPolicy()
    cooldown: Cooldown | None = Cooldown()
    rate_limit: RateLimit | None = None
    retry: RetryPolicy = RetryPolicy()
    breaker: BreakerPolicy = BreakerPolicy()
    transport: TransportPolicy = TransportPolicy()
    lane: LanePolicy = LanePolicy()
    fallback_after: float = 30.0


@dataclass(frozen=True, eq=False)
class Destination:
    """One inspector of one adapter."""

    inspector: Inspector
    match: Matcher
    redaction: Redaction
    policies: LanePolicies
    fallbacks: Fallbacks = ()
    """Who takes what its lane gives up, in turn."""
    making: Making[Destination] | None = None
    """The way to what its factory makes; None where the inspector is there."""
    planned: int = 0
    """Number of the plan that it belongs to: of two plans for an address the later one counts."""

    @property
    def labels(self) -> set[str]:
        """The names by which it is known: its own, and of what a factory has made, that one's."""
        made = self.making.found if self.making is not None else None
        return {self.inspector.label} | (made.labels if made is not None else set())

    @property
    def inner(self) -> list[Destination]:
        """Its fallbacks that are destinations."""
        return [one for one in self.fallbacks if isinstance(one, Destination)]


@dataclass(frozen=True, eq=False)
class Route:
    """Where the exchanges of one adapter go."""

    destinations: tuple[Destination, ...]
    """What is critical comes first: of two inspectors of one address it decides about an entry that both want."""
    screen: Screen
    recovery: float | None = None
    """How many seconds a host has to fail until they are told that it answers again; None if they are not."""

    @property
    def everywhere(self) -> tuple[Destination, ...]:
        """All destinations, those that are only fallbacks last: of two for an address the first one gives the label."""
        return (*self.destinations, *(one for each in self.destinations for one in each.inner))


def plan_route(
    inspectors: Sequence[Inspector],
    *,
    match: Matcher,
    redaction: Redaction,
    options: Mapping[str, Any],
    recovery: float | None = None,
) -> Route:
    """Decide everything about the destinations of an adapter.

    Parameters
    ----------
    inspectors: The destinations.
    match, redaction: For inspectors without their own.
    options: Delivery keywords of the adapter, checked; those of an inspector win.
    recovery: See `Route`.

    Raises
    ------
    ConfigurationError
        If a fallback cannot be used.
    """
    asked = _Asked(match, redaction, options, next(_plans))
    destinations = [_destination(inspector, asked) for inspector in inspectors]
    destinations.sort(key=lambda destination: not destination.inspector.critical)
    screen = Screen()
    for destination in destinations:
        screen |= destination.match.screen()
    return Route(tuple(destinations), screen, recovery)


class _Asked(NamedTuple):
    """What is meant where an inspector says nothing of its own."""

    match: Matcher
    redaction: Redaction
    options: Mapping[str, Any]
    planned: int


def _destination(inspector: Inspector, asked: _Asked) -> Destination:
    if isinstance(inspector, LazyInspector):
        return _lazy(inspector, asked)
    check_scheme(inspector.address)
    own.remember(inspector.address)
    chosen = {**inspector.defaults, **asked.options, **inspector.options}
    fallbacks = chosen.pop("fallbacks", ())
    match = asked.match if inspector.match is None else inspector.match
    redaction = asked.redaction if inspector.redaction is None else inspector.redaction
    inner = asked._replace(match=match, redaction=redaction)
    found = tuple(one for one in _fallbacks(fallbacks, inner) if not _leads_to(inspector, one))
    return Destination(inspector, match, redaction, LanePolicies(**chosen), found, planned=asked.planned)


def _lazy(inspector: LazyInspector, asked: _Asked) -> Destination:
    """Decide what is known already: the match, and who takes what comes while the inspector cannot be made."""
    match = asked.match if inspector.match is None else inspector.match

    def plan(made: Inspector) -> Destination:
        narrowed = match if made.match is None else match & made.match
        later = asked._replace(match=match, planned=next(_plans))
        return replace(_destination(made, later), match=narrowed)

    if inspector.initialized:
        return plan(inspector.make())
    chosen = dict(asked.options)
    fallbacks = chosen.pop("fallbacks", ())
    found = tuple(_fallbacks(fallbacks, asked._replace(match=match)))
    policies = LanePolicies(**chosen)
    making = Making(inspector, match, plan, policies.breaker)
    return Destination(inspector, match, asked.redaction, policies, found, making, asked.planned)


def _leads_to(inspector: Inspector, fallback: Any) -> bool:
    """Whether a fallback is the destination itself, as where an adapter's fallback is one of its inspectors too.

    It would refuse once more what it has just given up; while it is down, entries are to wait as without a fallback.
    """
    return isinstance(fallback, Destination) and fallback.inspector.address == inspector.address


def _fallbacks(given: Any, asked: _Asked) -> Iterator[Any]:
    for item in listed(given):
        is_path = isinstance(item, str) and is_dotted_path(item)
        for one in listed(load("fallbacks", item)) if is_path else (item,):
            yield _fallback(one, asked)


def _fallback(item: Any, asked: _Asked) -> Any:
    if isinstance(item, str):
        item = inspector_for(item)
    if not has_shape(item):
        return item
    item = shaped(item)
    if "fallbacks" in item.options:
        raise ConfigurationError(
            f"fallbacks: {item.label} has fallbacks of its own, which nobody would ask; "
            f"name them all in one list, in the order in which they are to be tried"
        )
    options = {name: value for name, value in asked.options.items() if name != "fallbacks"}
    return _destination(item, asked._replace(options=options))
