"""Telling an operator of trouble without becoming trouble: rarely, without secrets, and only where somebody listens."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["TroubleLog"]

_SLOW = 1.0
_MOST_KINDS = 1_000


class TroubleLog:
    """Counts trouble by kind and logs each kind at most once a minute.

    A line tells how many of its kind were left out since the last one. What is left out is not lost: it is counted.

    Parameters
    ----------
    every: Seconds between two lines of one kind. Default 60 s.
    clock: The monotonic clock.
    """

    def __init__(self, *, every: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._told: dict[str, float] = {}
        self._left_out: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.silent = False
        """Set while the interpreter ends: a thread that logs then can abort the process."""

    def note(self, kind: str, message: str, *, level: int = logging.WARNING) -> None:
        """Count trouble of a kind, and log the message if this kind was not logged of late."""
        self.counts[kind] += 1
        self.say(kind, message, level=level)

    @contextmanager
    def timing(self, kind: str, name: str) -> Iterator[None]:
        """Time a user's callable, which holds up all deliveries, and tell of one that takes over a second."""
        began = self._clock()
        try:
            yield
        finally:
            seconds = self._clock() - began
            if seconds > _SLOW:
                self.note(f"slow_{kind}", f"{name} blocked all deliveries for {seconds:.1f} s")

    def say(self, kind: str, message: str, *, level: int = logging.WARNING, last_words: bool = False) -> bool:
        """Log the message if this kind was not logged of late, counting nothing; return whether it was.

        `last_words` is for the thread that ends a pipeline, and the process perhaps: it speaks where all are silent.
        """
        if self.silent and not last_words:
            return False
        now = self._clock()
        if 0 <= now - self._told.get(kind, now - self._every) < self._every:
            self._left_out[kind] += 1
            return False
        logger = logging.getLogger("curl_interceptor.delivery")
        if not logger.hasHandlers():  # without one, logging would print to stderr
            return False
        self._bound(now)
        self._told[kind] = now
        more = self._left_out.pop(kind, 0)
        try:
            logger.log(level, "%s%s", message, f" ({more} more like this since the last line)" if more else "")
        except Exception:  # a handler of the user's
            self.counts["log_handler"] += 1
        return True

    def _bound(self, now: float) -> None:
        """Forget the kinds that may speak again anyway; kinds are few, but labels of destinations are part of some."""
        if len(self._told) >= _MOST_KINDS:
            self._told = {kind: when for kind, when in self._told.items() if now - when < self._every}
            for kind in list(self._told)[: len(self._told) - _MOST_KINDS + 1]:  # the oldest come first
                del self._told[kind]
            self._left_out = Counter({kind: more for kind, more in self._left_out.items() if kind in self._told})
