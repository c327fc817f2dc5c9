"""
Hosts that fail, and the news that one answers again.

A wanted failure makes an outage. When it is over follows from what is counted anyway at every call of the app
(`observe/calls.py`), so a call that succeeds costs its caller nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

from ..records.context import with_origin
from ..records.exchange import Exchange
from ..records.notice import RawNotice
from .announcement import Announcement
from .destination import Destination

__all__ = ["Named", "Outages", "Outcomes"]

_OFTEN, _SELDOM = 1.0, 10.0  # seconds between two looks at a host, and where it is hardly called
_QUIET = 60.0  # seconds without a call after which a host is looked at seldom
_LONGEST = 3_600.0  # seconds without a call after which nobody is told any more

Outcomes = Callable[[str], tuple[int, int] | None]
"""How many calls to a host succeeded so far, and how many failed; None for a host that is not counted by itself."""


class Named(NamedTuple):
    """Those who are told."""

    destinations: tuple[Destination, ...]


class _Outage:
    """One host that fails. Times are in seconds since the epoch, but for `called`, which is on the monotonic clock."""

    def __init__(self, since: float, seen: tuple[int, int], called: float) -> None:
        self.since = since
        self.last = since
        """When it was last seen to fail."""
        self.seen = seen
        self.before = seen[1]
        self.called = called
        self.fine, self.failed = seen
        """The counts at its last failure, so that a success is known to be a later one."""
        self.wanted: dict[str, tuple[Destination, float]] = {}
        """Who wanted a failure, and after how long an outage they are to be told of its end, by address."""
        self.recorder: object | None = None

    def note_failures(self, seen: tuple[int, int]) -> None:
        """Take the counts of now for those at the last failure, if there was one since."""
        if seen[1] > self.failed:
            self.fine, self.failed = seen


class Outages:
    """Remembers the hosts that fail. Belongs to the dispatcher.

    Parameters
    ----------
    outcomes: Looks up what is counted.
    """

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        self._hosts: dict[str, _Outage] = {}
        self.next_look = inf
        """When to look again, on the monotonic clock."""

    def note(
        self,
        host: str,
        exchange: Exchange,
        wanted_by: Iterable[Destination],
        after: float,
        now: float,
        recorder: object | None,
    ) -> None:
        """Take note of an exchange that somebody wanted, if the host is what failed: no answer, or a 5xx."""
        if exchange.response is not None and exchange.response.status < 500:
            return
        seen = self._outcomes(host)
        if seen is None:
            return
        outage = self._hosts.get(host)
        if outage is None:
            outage = self._hosts[host] = _Outage(exchange.started, seen, now)
            self.next_look = min(self.next_look, now + _OFTEN)
        outage.note_failures(seen)
        outage.last = max(outage.last, exchange.started)
        outage.recorder = recorder
        for destination in wanted_by:
            outage.wanted[destination.inspector.address] = destination, after

    def ended(self, now: float, wall: float) -> list[tuple[Announcement, Named]]:
        """Look at all of them, and return what is to be told, and to whom.

        An outage has ended if calls succeeded after the last failure, and none has failed since the last look. `now` is
        on the monotonic clock, `wall` in seconds since the epoch.
        """
        found = []
        self.next_look = inf
        for host, outage in list(self._hosts.items()):
            seen = self._outcomes(host)
            if seen is None or now - outage.called > _LONGEST:
                del self._hosts[host]
                continue
            before, outage.seen = outage.seen, seen
            if seen != before:
                outage.called = now
            outage.note_failures(seen)
            if seen[1] > before[1]:
                outage.last = wall
            elif seen[0] > outage.fine:
                del self._hosts[host]
                found += _news(host, outage, wall)
                continue
            self.next_look = min(self.next_look, now + (_OFTEN if now - outage.called < _QUIET else _SELDOM))
        return found


def _news(host: str, outage: _Outage, wall: float) -> list[tuple[Announcement, Named]]:
    failing = outage.last - outage.since
    told = tuple(destination for destination, after in outage.wanted.values() if failing >= after)
    if not told:
        return []
    failed = outage.seen[1] - outage.before + 1
    calls = f"{failed:,} calls had failed" if failed > 1 else "a call had failed"
    text = f"{host} answers again after {_duration(wall - outage.since)}: {calls}"
    raw = RawNotice("recovery", text, wall, context=with_origin(()), key=host)
    return [(Announcement(raw, recorder=outage.recorder), Named(told))]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
