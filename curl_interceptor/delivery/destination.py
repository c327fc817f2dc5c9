"""An inspector with everything decided: what it wants, what is hidden for it, and what governs its lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from ..inspectors.base import Entry, Inspector
from ..inspectors.options import listed
from ..inspectors.recognise import inspector_for
from ..policies import (
    BatchPolicy,
    BreakerPolicy,
    Cooldown,
    LanePolicy,
    RateLimit,
    RetryPolicy,
    TransportPolicy,
)
from ..records.match import Match, Screen
from ..records.redaction import Redaction, own
from .transport import check_scheme

__all__ = ["Destination", "Fallbacks", "LanePolicies", "Route", "plan_route"]

Fallbacks = tuple["Destination | Callable[[Entry], object]", ...]


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
    match: Match
    redaction: Redaction
    policies: LanePolicies
    fallbacks: Fallbacks = ()
    """Who takes what its lane gives up, in turn."""


@dataclass(frozen=True, eq=False)
class Route:
    """Where the exchanges of one adapter go."""

    destinations: tuple[Destination, ...]
    screen: Screen


def plan_route(
    inspectors: Sequence[Inspector], *, match: Match, redaction: Redaction, options: Mapping[str, Any]
) -> Route:
    """Decide everything about the destinations of an adapter.

    Parameters
    ----------
    inspectors: The destinations.
    match, redaction: For inspectors without their own.
    options: Delivery keywords of the adapter, checked; those of an inspector win.

    Raises
    ------
    ConfigurationError
        If a fallback cannot be used.
    """
    destinations = tuple(_destination(inspector, match, redaction, options) for inspector in inspectors)
    screen = Screen()
    for destination in destinations:
        screen |= destination.match.screen()
    return Route(destinations, screen)


def _destination(inspector: Inspector, match: Match, redaction: Redaction, options: Mapping[str, Any]) -> Destination:
    check_scheme(inspector.address)
    own.remember(inspector.address)
    chosen = {"rate_limit": inspector.rate_limit, **options, **inspector.options}
    fallbacks = chosen.pop("fallbacks", ())
    own_match = inspector.match or match
    own_redaction = inspector.redaction or redaction
    found = tuple(_fallback(item, own_match, own_redaction, options) for item in listed(fallbacks))
    return Destination(inspector, own_match, own_redaction, LanePolicies(**chosen), found)


def _fallback(item: Any, match: Match, redaction: Redaction, options: Mapping[str, Any]) -> Any:
    if isinstance(item, str):
        item = inspector_for(item)
    if not isinstance(item, Inspector):
        return item
    if "fallbacks" in item.options:
        raise ConfigurationError(
            f"fallbacks: {item.label} has fallbacks of its own, which nobody would ask; "
            f"name them all in one list, in the order in which they are to be tried"
        )
    own = {name: value for name, value in options.items() if name != "fallbacks"}
    return _destination(item, match, redaction, own)
