"""All lanes of a pipeline: found by their address, made when first wanted, let go when nobody needs them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from math import inf
from time import monotonic
from typing import Any

from ..observe.stats import InspectorStats, joined
from .destination import Destination
from .lane import Lane
from .transport import NoTransport, open_transport

__all__ = ["Lanes"]

_IDLE = 600.0  # seconds after which a lane goes that nothing happens to
_MOST_LEDGERS = 1_000


class Lanes:
    """The lanes of one dispatcher, and the books of those that have gone.

    Only the dispatcher changes anything here; everybody may read, with the lock held.

    Parameters
    ----------
    lock: The pipeline's re-entrant lock.
    """

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self._lock = lock
        self._lanes: dict[str, Lane] = {}
        self._gone: OrderedDict[str, InspectorStats] = OrderedDict()

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    def of(self, destination: Destination) -> Lane:
        """Return the lane of a destination's address."""
        address, making = destination.inspector.address, destination.making
        lane = self._lanes.get(address)
        if lane is None:
            transport = NoTransport() if making else open_transport(address, destination.policies.transport)
            lane = Lane(destination, transport, self._lock)
            with self._lock:
                self._lanes = {**self._lanes, address: lane}
        elif destination.planned > lane.destination.planned:
            lane.adopt(destination, monotonic())
        if making is not None:
            lane.refuses = making.why
        return lane

    def adopt(self, destinations: Iterable[Destination]) -> None:
        """Let the lanes that exist go on as these destinations say."""
        for destination in destinations:
            if destination.inspector.address in self._lanes:
                self.of(destination)

    def tidy(self, lane: Lane, now: float) -> None:
        """Let go what is not used any more: a connection, and at last the lane, whose books stay."""
        if self.next_tidy(lane) > now:
            return
        lane.transport.close()
        if self._lane_goes_at(lane) <= now:
            with self._lock:
                address = lane.inspector.address
                self._lanes = {key: other for key, other in self._lanes.items() if key != address}
                if not lane.transport.abandoned:
                    self._remember(lane.stats(now))

    def next_tidy(self, lane: Lane) -> float:
        """When there will be something to let go."""
        if lane.in_flight is not None:
            return inf
        since = lane.transport.idle_since
        return min(self._lane_goes_at(lane), inf if since is None else since + lane.policies.transport.idle)

    def _lane_goes_at(self, lane: Lane) -> float:
        if lane.transport.abandoned and not lane.pending and not lane.lost:
            return -inf
        return lane.opens_at(lane.last_used + _IDLE) if lane.forgettable else inf

    def _remember(self, books: InspectorStats) -> None:
        known = self._gone.pop(books.label, None)
        self._gone[books.label] = books if known is None else known + books
        while len(self._gone) > _MOST_LEDGERS:
            self._gone.popitem(last=False)

    def bound_connections(self, most: int) -> None:
        """Close the connections that were idle for longest, down to so many over all lanes."""
        kept = [lane for lane in self if lane.in_flight is None and lane.transport.idle_since is not None]
        if len(kept) > most:
            kept.sort(key=lambda lane: lane.transport.idle_since or 0.0)
            for lane in kept[: len(kept) - most]:
                lane.transport.close()

    def stats(self, now: float) -> tuple[InspectorStats, ...]:
        """Return the books of every destination that was wanted at least once, each as it stood at one moment.

        Call it without the lock: it is taken for one lane at a time, since callers need it and lanes may be many.
        """
        with self._lock:
            gone, lanes = tuple(self._gone.values()), tuple(self)
        return joined((*gone, *(lane.stats(now) for lane in lanes)))

    @property
    def labels(self) -> set[str]:
        """The names of these destinations; to be asked with the lock held."""
        return {*self._gone, *(lane.inspector.label for lane in self)}
