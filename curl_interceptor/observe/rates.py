"""How often something failed over the last minutes, in constant memory."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from math import ceil, floor, inf

from .stats import Rate

__all__ = ["SLICE", "WINDOW", "Window"]

SLICE = 5.0
"""Seconds of the finest slice of time; a window is a whole number of them, the current one included."""

WINDOW = 300.0
"""Seconds that are remembered."""


class Window:
    """Remembers where two sums that only grow stood at the beginning of each slice of five seconds.

    So nothing is counted twice, nothing has to be thrown away, and counting itself stays what it is: whoever counts
    calls `mark` before the first thing in each slice, which is due from `ends` on.
    Times are on any one clock that does not go back; should it do so, what comes then is counted in the newest slice.
    """

    __slots__ = ("_marks", "ends")

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int, int]] = deque(maxlen=ceil(WINDOW / SLICE))
        self.ends = -inf
        """When the newest slice ends."""

    def mark(self, now: float, total: int, errors: int) -> None:
        """Note where the sums stand before the first thing in the slice of `now`."""
        number = floor(now / SLICE)
        if not self._marks or number > self._marks[-1][0]:
            self._marks.append((number, total, errors))
            self.ends = (number + 1) * SLICE

    def rate(self, seconds: float, now: float, total: int, errors: int) -> Rate:
        """Return what came in the last `seconds`, up to 300, in whole slices; the sums are those of now."""
        marks = tuple(self._marks)
        if not marks:
            return Rate()
        first = max(floor(now / SLICE), marks[-1][0]) - ceil(seconds / SLICE) + 1
        place = bisect_left(marks, (first,))
        if place == len(marks):
            return Rate()
        _, total_before, errors_before = marks[place]
        return Rate(total - total_before, errors - errors_before)
