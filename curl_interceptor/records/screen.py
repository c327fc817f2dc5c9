"""The constant-time question that the caller asks of an outcome: could anybody want this?"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

__all__ = ["EVERYTHING", "STATUSES", "Screen"]

STATUSES = frozenset(range(100, 1000))
"""Every status that HTTP knows."""


@dataclass(frozen=True)
class Screen:
    """What no inspector can want, by its outcome alone; asked in the caller's thread, so constant in time.

    It lets through too much rather than too little: what passes is decided in the background.

    Parameters
    ----------
    statuses: Statuses that pass.
    errors: Whether exceptions pass, those of a body that breaks while the app reads it included.
    slower_than: Seconds to the headers, or to the failure, from which everything passes.
    others: Whether a status passes that HTTP does not know; mocks invent such.
    """

    statuses: frozenset[int] = frozenset()
    errors: bool = False
    slower_than: float = inf
    others: bool = False

    def passes(self, status: int, elapsed: float) -> bool:
        """Whether an answered request may be wanted."""
        known = status in self.statuses or elapsed > self.slower_than
        return known or (self.others and status not in STATUSES)

    def passes_failure(self, elapsed: float) -> bool:
        """Whether a request that ended in an exception may be wanted."""
        return self.errors or elapsed > self.slower_than

    def __or__(self, other: Screen) -> Screen:
        return Screen(
            self.statuses | other.statuses,
            self.errors or other.errors,
            min(self.slower_than, other.slower_than),
            self.others or other.others,
        )

    def __and__(self, other: Screen) -> Screen:
        if EVERYTHING in (self, other):
            return other if self == EVERYTHING else self
        statuses, errors = self.statuses & other.statuses, self.errors and other.errors
        others = self.others and other.others
        for one, two in ((self, other), (other, self)):
            if two.slower_than < inf:  # what passes one by its outcome may pass two because it is slow
                statuses, errors, others = statuses | one.statuses, errors or one.errors, others or one.others
            if two.errors and (one.statuses - two.statuses or one.others > two.others):
                errors = True  # a response that passes one by its status may break, and so pass two
        return Screen(statuses, errors, max(self.slower_than, other.slower_than), others)


EVERYTHING = Screen(STATUSES, errors=True, others=True)
"""Lets everything through: it takes more than the outcome to decide."""
