"""Who wants which policies for which address: one lane has one set of them, whoever sends there."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

from ..errors import ConfigurationError
from .destination import Destination, LanePolicies, Route
from .making import Making

__all__ = ["ClaimBook", "Claims"]


class _Claim:
    """The policies of an address, as long as some adapter wants them."""

    __slots__ = ("__weakref__", "label", "making", "owners", "policies")

    def __init__(self) -> None:
        self.owners: weakref.WeakSet[Claims] = weakref.WeakSet()
        self.label = ""
        self.making: Making[Destination] | None = None
        self.policies = LanePolicies()


class Claims:
    """What one adapter wants, to be kept as long as it lives: with its last claim, an address is free again."""

    __slots__ = ("__weakref__", "destinations", "held")

    def __init__(self) -> None:
        self.held: list[_Claim] = []
        self.destinations: tuple[Destination, ...] = ()
        """Where the adapter sends, without what is only a fallback."""


class ClaimBook:
    """The claims of all adapters of a pipeline. Whoever changes it holds the pipeline's lock."""

    def __init__(self) -> None:
        self._claims: weakref.WeakValueDictionary[str, _Claim] = weakref.WeakValueDictionary()
        self._owners: weakref.WeakSet[Claims] = weakref.WeakSet()

    @property
    def labels(self) -> set[str]:
        """The labels of all destinations that are wanted by somebody."""
        return {claim.label for claim in self._claims.values()}

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where all adapters send: one destination for each address, that of the latest plan; the critical first."""
        latest: dict[str, Destination] = {}
        for destination in (one for owner in self._owners for one in owner.destinations):
            other = latest.get(destination.inspector.address)
            if other is None or destination.planned > other.planned:
                latest[destination.inspector.address] = destination
        return tuple(sorted(latest.values(), key=lambda one: (not one.inspector.critical, one.planned)))

    @property
    def initialized(self) -> dict[str, bool]:
        """The labels of what is wanted, and whether it is made; what a factory has made stands under its own label."""
        claims = [claim for claim in self._claims.values() if claim.making is None or not claim.making.made]
        return {claim.label: claim.making is None for claim in claims}

    def exchange(self, claims: Claims, route: Route) -> None:
        """Let an adapter claim these destinations and no others any more; the first one of an address decides.

        Raises
        ------
        ConfigurationError
            If one wants other policies for an address than another inspector; then nothing has changed.
        """
        wanted: dict[str, Destination] = {}
        for destination in route.everywhere:
            address = destination.inspector.address
            _agree(wanted.setdefault(address, destination).policies, destination)
            claim = self._claims.get(address)
            if claim is not None and any(owner is not claims for owner in claim.owners):
                _agree(claim.policies, destination)
        former, claims.held, claims.destinations = claims.held, [], route.destinations
        self._owners.add(claims)
        for destination in wanted.values():
            self._note(claims, destination)
        for claim in former:
            if claim not in claims.held:
                claim.owners.discard(claims)

    def add(self, claims: Claims, destinations: Iterable[Destination]) -> None:
        """Let an adapter claim more.

        Raises
        ------
        ConfigurationError
            As `exchange`.
        """
        for destination in destinations:
            claim = self._claims.get(destination.inspector.address)
            if claim is not None:
                _agree(claim.policies, destination)
            self._note(claims, destination)

    def _note(self, claims: Claims, destination: Destination) -> None:
        address = destination.inspector.address
        claim = self._claims.get(address) or _Claim()
        self._claims[address] = claim
        claim.policies, claim.label = destination.policies, destination.inspector.label
        claim.making = destination.making
        claim.owners.add(claims)
        claims.held.append(claim)


def _agree(policies: LanePolicies, destination: Destination) -> None:
    if policies != destination.policies:
        names = sorted(LanePolicies.__dataclass_fields__)
        name = next(name for name in names if getattr(policies, name) != getattr(destination.policies, name))
        raise ConfigurationError(
            f"{name} of {destination.inspector.label} differs from what another inspector of the same address "
            f"said; give both the same value, or this one a pipeline=Pipeline(...) of its own"
        )
