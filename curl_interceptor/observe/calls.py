"""
How many calls the app makes to each host, and how many of them fail: counted in the caller's thread, for all of them.

A share needs the calls that nobody wants to see, too, so this is asked at every call. It costs 0.2 to 0.3 µs, most of
it for finding the host in the URL; `benchmarks/overhead.py` measures it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from time import perf_counter

from ..records.url import split
from .rates import WINDOW, Window
from .stats import HostStats

__all__ = ["EXCEPTION", "OTHER", "Calls", "host_of"]

EXCEPTION = 1_000
"""Stands for a status where there is none: the call ended in an exception."""

OTHER = "other"
"""The name of all hosts that have no place of their own."""

_MOST_HOSTS = 100
_MOST_SPELLINGS = 1_000  # of the part of a URL that names the host
_LOOK_AGAIN = 5.0  # seconds until hosts that are not called any more are looked for again
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class _Count:
    """Counts in one step that no other thread, signal handler or destructor can divide, as `+= 1` may be.

    `next(count.up)` adds one. Looking takes no lock either: one that another thread held at a fork would stay held.
    """

    __slots__ = ("up",)

    def __init__(self) -> None:
        self.up: Iterator[int] = itertools.count()

    @property
    def value(self) -> int:
        return int(repr(self.up)[6:-1])  # "count(7)": nothing else tells without counting on


class _Host:
    """The calls to one host."""

    __slots__ = ("_client_error", "_exception", "_fine", "_server_error", "counters", "ends", "name", "window")

    def __init__(self, name: str) -> None:
        self.name = name
        self.window = Window()
        self.ends = self.window.ends
        """When the next call has to `turn` first."""
        self._fine, self._client_error, self._server_error, self._exception = _Count(), _Count(), _Count(), _Count()
        fine, failed = self._fine.up, (self._client_error.up, self._server_error.up)
        self.counters = (*[fine] * 4, *failed, *[fine] * 4, self._exception.up)
        """What to count up, by a hundredth of the status."""

    def turn(self, now: float) -> None:
        """A slice of time begins."""
        self.window.mark(now, *self._sums()[:2])
        self.ends = self.window.ends

    def _sums(self) -> tuple[int, int, dict[str, int]]:
        errors = {
            "4xx": self._client_error.value,
            "5xx": self._server_error.value,
            "exception": self._exception.value,
        }
        failed = sum(errors.values())
        return self._fine.value + failed, failed, errors

    def outcomes(self) -> tuple[int, int]:
        """How many succeeded, and how many had no answer or a 5xx."""
        return self._fine.value, self._server_error.value + self._exception.value

    def stats(self, now: float) -> HostStats:
        calls, failed, errors = self._sums()
        minute, five = (self.window.rate(seconds, now, calls, failed) for seconds in (60.0, WINDOW))
        return HostStats(self.name, calls, errors, minute, five)


class Calls:
    """The calls of an app by host, for at most 100 hosts; those that find no place are counted together.

    A host that was not called for five minutes makes room when another one needs it.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._spelled: dict[str, _Host] = {}
        self._hosts: dict[str, _Host] = {}
        self._other = _Host(OTHER)
        self._look_at = 0.0

    def note(self, url: str, status: int, now: float) -> None:
        """Count a call, in the caller's thread: never waits, never raises. `now` is on the clock of `perf_counter`."""
        try:
            host = self._spelled[url.split("/", 3)[2]]
            if now >= host.ends:
                host.turn(now)
            next(host.counters[status // 100])
        except Exception:
            self._note_slowly(url, status, now)

    def _note_slowly(self, url: object, status: object, now: float) -> None:
        """The first call to a host, or one that is unlike all others."""
        if not isinstance(url, str):  # sent by nobody
            return
        host = self._find(url, now)
        if now >= host.ends:
            host.turn(now)
        known = isinstance(status, int) and 0 <= status // 100 < len(host.counters)
        next(host.counters[int(status) // 100 if known else 0])  # type: ignore[call-overload]

    def _find(self, url: str, now: float) -> _Host:
        name = host_of(url)
        host = self._hosts.get(name)
        if host is None:
            if len(self._hosts) >= _MOST_HOSTS:
                self._make_room(now)
            host = self._other if len(self._hosts) >= _MOST_HOSTS else self._hosts.setdefault(name, _Host(name))
        spelled = url.split("/", 3)[2:3]
        if spelled and "@" not in spelled[0] and "?" not in spelled[0]:  # what may be a secret is not kept
            if len(self._spelled) >= _MOST_SPELLINGS:
                self._spelled = {}
            self._spelled[spelled[0]] = host
        return host

    def _make_room(self, now: float) -> None:
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_AGAIN
        kept = {name: host for name, host in tuple(self._hosts.items()) if host.ends + WINDOW > now}
        if len(kept) < len(self._hosts):
            self._hosts, self._spelled = kept, {}

    def outcomes(self, name: str) -> tuple[int, int] | None:
        """Return how many calls to a host succeeded so far, and how many had no answer or a 5xx.

        None for a host that has no place of its own. `name` is what `host_of` says.
        """
        host = self._hosts.get(name)
        return None if host is None else host.outcomes()

    def stats(self, now: float | None = None) -> tuple[HostStats, ...]:
        """Return the figures of each host, in alphabetical order, and last of those without a place of their own."""
        now = perf_counter() if now is None else now
        hosts = sorted(self._hosts.copy().values(), key=lambda host: host.name)
        return tuple(found for host in (*hosts, self._other) if (found := host.stats(now)).calls)


def host_of(url: str) -> str:
    """Return the host of a URL, with its port if that is not the scheme's own; never userinfo."""
    parts = split(url)
    port = "" if parts.port == _DEFAULT_PORTS.get(parts.scheme) else parts.port
    return f"{parts.host}{port}"[:300] or OTHER
