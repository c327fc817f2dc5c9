"""Telling an operator of trouble without becoming trouble: rarely, without secrets, and only where somebody listens."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TroubleLog"]

_SLOW = 1.0


class TroubleLog:
    """Counts trouble by kind and logs each kind at most once a minute.

    Parameters
    ----------
    every: Seconds between two lines of one kind. Default 60 s.
    """

    def __init__(self, *, every: float = 60.0) -> None:
        self._every = every
        self._told: dict[str, float] = {}
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
        began = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - began
            if seconds > _SLOW:
                self.note(f"slow_{kind}", f"{name} blocked all deliveries for {seconds:.1f} s")

    def say(self, kind: str, message: str, *, level: int = logging.WARNING) -> None:
        """Log the message if this kind was not logged of late, counting nothing."""
        now = time.monotonic()
        if self.silent or now - self._told.get(kind, -self._every) < self._every:
            return
        if len(self._told) >= 1_000:  # kinds are few; a bound all the same
            self._told.clear()
        self._told[kind] = now
        logger = logging.getLogger("curl_interceptor.delivery")
        if logger.hasHandlers():  # without one, logging would print to stderr
            try:
                logger.log(level, message)
            except Exception:  # a handler of the user's
                self.counts["log_handler"] += 1
