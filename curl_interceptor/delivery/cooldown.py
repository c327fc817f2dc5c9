"""Holding equal failures back for a while after one was delivered, and telling how many there were."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

from ..policies import Cooldown

__all__ = ["CooldownWindows", "Suppressed"]

T = TypeVar("T")


@dataclass(frozen=True)
class Suppressed(Generic[T]):
    """The last one of the equals that were held back, when its time has come to go out after all."""

    key: str
    last: T
    before: int
    """How many were held back before this one."""
    since: float
    """When the first of them came, in seconds since the epoch."""
    size: int
    """Bytes for which it was kept."""


class _Window(Generic[T]):
    """One key: in flight while `until` is None, then closed to equals until that time."""

    __slots__ = ("count", "last", "since", "size", "until")

    def __init__(self) -> None:
        self.until: float | None = None
        self.count = 0
        self.since = 0.0
        self.last: T | None = None
        self.size = 0


class CooldownWindows(Generic[T]):
    """The windows of one lane.

    Equals are suppressed from the moment one is admitted; the seconds of the window count from its delivery. If it is
    lost instead, the window is lifted. The last one held back is kept and goes out at the end of the window.

    Times called `now` are on a monotonic clock.

    Parameters
    ----------
    policy: Length of the windows and bound of their number.
    """

    def __init__(self, policy: Cooldown) -> None:
        self._policy = policy
        self._windows: dict[str, _Window[T]] = {}
        self._ends: deque[tuple[float, str]] = deque()
        self._released: deque[Suppressed[T]] = deque()
        self.bytes = 0
        """Memory of what is held back."""

    def __len__(self) -> int:
        return len(self._windows) + len(self._released)

    def govern(self, policy: Cooldown, now: float) -> None:
        """Go on under another policy; a window that has begun ends no later than one that begins now."""
        self._policy = policy
        self._ends.clear()
        for key, window in self._windows.items():
            if window.until is not None:
                window.until = min(window.until, now + policy.seconds)
                self._ends.append((window.until, key))
        self._ends = deque(sorted(self._ends))

    @property
    def holding(self) -> bool:
        """Whether one is held back that is still to go out."""
        return bool(self._released) or any(window.last is not None for window in self._windows.values())

    def admits(self, key: str) -> bool:
        """Whether this one may go on. If so, its equals are held back from now on."""
        if key in self._windows:
            return False
        while len(self._windows) >= self._policy.max_keys:
            oldest = next(iter(self._windows))
            self._release(oldest, self._windows.pop(oldest))
        self._windows[key] = _Window()
        return True

    def suppress(self, key: str, when: float) -> None:
        """Hold one back that was not admitted. `when` it came, in seconds since the epoch."""
        window = self._windows[key]
        window.count += 1
        if window.count == 1:
            window.since = when

    def keep(self, key: str, item: T, size: int, room: float) -> bool:
        """Keep the one that was held back last instead of the one before, if it fits into `room` more bytes."""
        window = self._windows[key]
        if size - window.size > room:
            return False
        self.bytes += size - window.size
        window.last, window.size = item, size
        return True

    def kept(self, key: str) -> int:
        """Bytes for which one is kept that will tell of all that are held back."""
        return self._windows[key].size

    def delivered(self, key: str, now: float) -> None:
        """The admitted one was delivered: the window's seconds begin."""
        window = self._windows.get(key)
        if window is not None and window.until is None:
            window.until = now + self._policy.seconds
            self._ends.append((window.until, key))
            if len(self._ends) > 2 * self._policy.max_keys:  # ends of windows that had to make room
                self._ends = deque(end for end in self._ends if self._ending(*end))

    def lost(self, key: str) -> None:
        """The admitted one was lost: lift the window, so that an equal tells of the failure after all."""
        window = self._windows.pop(key, None)
        if window is not None:
            self._release(key, window)

    def take(self, now: float) -> Suppressed[T] | None:
        """Return one that goes out now, if there is one. Whoever gets it admits it: its own window has begun."""
        while self._ends and self._ends[0][0] <= now:
            until, key = self._ends.popleft()
            if window := self._ending(until, key):
                del self._windows[key]
                self._release(key, window)
        if not self._released:
            return None
        suppressed = self._released.popleft()
        self.bytes -= suppressed.size
        self.admits(suppressed.key)
        return suppressed

    def end_all(self) -> None:
        """End all windows, so that everything that is held back goes out."""
        for key, window in self._windows.items():
            self._release(key, window)
        self._windows.clear()
        self._ends.clear()

    def clear(self) -> int:
        """Forget all windows and what they held back; return how many that were."""
        self.end_all()
        count = sum(suppressed.before + 1 for suppressed in self._released)
        self._released.clear()
        self.bytes = 0
        return count

    def next_due(self) -> float:
        """When `take` will next have something to return."""
        if self._released:
            return -inf
        return self._ends[0][0] if self._ends else inf

    @property
    def overfull(self) -> bool:
        """Whether what is to go out has to go: as many wait for it as there may be windows."""
        return len(self._released) > self._policy.max_keys

    def _ending(self, until: float, key: str) -> _Window[T] | None:
        """The window that ends then; none if it has gone before."""
        window = self._windows.get(key)
        return window if window is not None and window.until == until else None

    def _release(self, key: str, window: _Window[T]) -> None:
        if window.last is not None:
            self._released.append(Suppressed(key, window.last, window.count - 1, window.since, window.size))
