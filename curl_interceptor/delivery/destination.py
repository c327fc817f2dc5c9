"""An inspector with everything decided: what it wants, what is hidden for it, and the policies of its lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import ConfigurationError
from ..inspectors.base import Entry, Inspector
from ..inspectors.recognise import inspector_for
from ..policies import (
    BatchPolicy,
    BreakerPolicy,
    Cooldown,
    LanePolicy,
    RateLimit,
    RetryPolicy,
    TransportPolicy,
    check_number,
    check_policy,
)
from ..records.match import Match, Screen
from ..records.redaction import Redaction
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
    fallbacks: Fallbacks = field(default=(), compare=False)
    fallback_after: float = 30.0
    fallback_keys: tuple[object, ...] = ()
    """What the fallbacks are compared by: two inspectors of the same address are the same fallback."""

    @classmethod
    def keywords(cls) -> frozenset[str]:
        """Names of the delivery keywords."""
        return frozenset(field.name for field in fields(cls)) - {"fallback_keys"}


@dataclass(frozen=True, eq=False)
class Destination:
    """One inspector of one adapter."""

    inspector: Inspector
    match: Match
    redaction: Redaction
    policies: LanePolicies


@dataclass(frozen=True, eq=False)
class Route:
    """Where the exchanges of one adapter go."""

    destinations: tuple[Destination, ...]
    screen: Screen


_OPTIONAL = frozenset({"cooldown", "rate_limit"})
_CLASSES: Mapping[str, type] = {
    "batch": BatchPolicy,
    "cooldown": Cooldown,
    "rate_limit": RateLimit,
    "retry": RetryPolicy,
    "breaker": BreakerPolicy,
    "transport": TransportPolicy,
    "lane": LanePolicy,
}


def plan_route(
    inspectors: Sequence[Inspector], *, match: Match, redaction: Redaction, options: Mapping[str, Any]
) -> Route:
    """Decide everything about the destinations of an adapter.

    Parameters
    ----------
    inspectors: The destinations.
    match, redaction: For inspectors without their own.
    options: Delivery keywords of the adapter; those of an inspector win.

    Raises
    ------
    ConfigurationError
        If a value cannot be used; the message names its keyword.
    TypeError
        If a keyword of an inspector is unknown.
    """
    destinations = tuple(_destination(inspector, match, redaction, options) for inspector in inspectors)
    screen = Screen()
    for destination in destinations:
        screen |= destination.match.screen()
    return Route(destinations, screen)


def _destination(inspector: Inspector, match: Match, redaction: Redaction, options: Mapping[str, Any]) -> Destination:
    unknown = sorted(set(inspector.options) - LanePolicies.keywords())
    if unknown:
        raise TypeError(
            f"{type(inspector).__name__} got an unknown keyword {unknown[0]!r}; "
            f"besides its own it takes {', '.join(sorted(LanePolicies.keywords()))}"
        )
    check_scheme(inspector.address)
    chosen = {**options, **inspector.options}
    fallbacks = chosen.pop("fallbacks", ())
    for name, value in chosen.items():
        _check(name, value)
    own_match = inspector.match or match
    own_redaction = inspector.redaction or redaction
    found = tuple(_fallback(item, own_match, own_redaction, options) for item in _listed(fallbacks))
    keys = tuple(item.inspector.address if isinstance(item, Destination) else item for item in found)
    policies = LanePolicies(**chosen, fallbacks=found, fallback_keys=keys)
    return Destination(inspector, own_match, own_redaction, policies)


def _listed(fallbacks: Any) -> tuple[Any, ...]:
    if isinstance(fallbacks, (str, Inspector)) or callable(fallbacks):
        return (fallbacks,)
    if isinstance(fallbacks, Sequence):
        return tuple(fallbacks)
    raise ConfigurationError(f"fallbacks must be a list of inspectors, URLs or callables, got {fallbacks!r}")


def _fallback(item: Any, match: Match, redaction: Redaction, options: Mapping[str, Any]) -> Any:
    if isinstance(item, str):
        item = inspector_for(item)
    if isinstance(item, Inspector):
        own = {name: value for name, value in options.items() if name != "fallbacks"}
        return _destination(item, match, redaction, own)
    if callable(item):
        return item
    raise ConfigurationError(f"fallbacks must be inspectors, URLs or callables, got {item!r}")


def _check(name: str, value: Any) -> None:
    if name == "fallback_after":
        check_number("fallback_after", value, minimum=0, maximum=86_400, unit="seconds")
    elif not (value is None and name in _OPTIONAL):
        hint = "the retries of your own requests are max_retries=" if name == "retry" else ""
        check_policy(name, value, _CLASSES[name], hint=hint)
