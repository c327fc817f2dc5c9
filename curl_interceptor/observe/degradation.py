"""The steps by which a webhook gets less than it should, and which of them was taken of late."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["DEGRADATIONS", "Steps", "deepest"]

DEGRADATIONS = ("plain", "digest", "fallback", "counted")
"""
From the mildest to the deepest.

plain: entries went out in the simplest form, since the rich one was refused. digest: one message stood for several
equal records, since the lane was over half full. fallback: somebody else got the entries. counted: entries were lost,
and only their number is known.
"""

_OF_LATE = 60.0


class Steps:
    """When each step was last taken. Times are on the monotonic clock."""

    def __init__(self) -> None:
        self._taken: dict[str, float] = {}

    def take(self, step: str, now: float) -> None:
        """Note that something went this way."""
        self._taken[step] = now

    def current(self, now: float) -> str | None:
        """Return the deepest step that was taken in the last minute, None if none was."""
        return deepest(step for step, when in tuple(self._taken.items()) if now - when < _OF_LATE)


def deepest(steps: Iterable[str | None]) -> str | None:
    """Return the deepest of some steps; None stands for no step."""
    return max((step for step in steps if step is not None), key=DEGRADATIONS.index, default=None)
