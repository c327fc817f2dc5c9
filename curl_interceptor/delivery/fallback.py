"""Who takes what a lane gives up: the user's fallbacks in turn, and a line in the log if none of them does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from inspect import isawaitable

from ..dialects import render
from ..inspectors.base import Entry
from ..inspectors.readable import visible
from ..observe.log import TroubleLog
from ..records.notice import Notice
from .destination import Destination
from .guard import is_for_us
from .item import Item
from .lane import Lane, Lost
from .lanes import Lanes

__all__ = ["FallbackStage"]


class FallbackStage:
    """Hands on what lanes give up. Belongs to the dispatcher.

    Parameters
    ----------
    lanes: Where the lane of a fallback is found.
    troubles: Where a callable that raises or blocks is counted.
    """

    def __init__(self, lanes: Lanes, troubles: TroubleLog) -> None:
        self._lanes = lanes
        self._troubles = troubles

    def take(self, lane: Lane, lost: Lost, now: float) -> None:
        """Give an item to the next fallback that takes it."""
        item, books = lost.item, lane.books
        while item.fallbacks:
            fallback, *rest = item.fallbacks
            item.fallbacks = tuple(rest)
            if isinstance(fallback, Destination):
                made = fallback.making.get(self._troubles) if fallback.making else None
                self._lanes.of(made or fallback).take(_moved(item, now), now)
            elif not self._call(fallback, item.entry):
                books.fallbacks["raised"] += 1
                continue
            books.fallbacks["taken"] += 1
            books.steps.take("fallback", now)
            return
        books.fallbacks["logged" if self._log(lane, lost) else "counted"] += 1
        books.steps.take("counted", now)

    def _call(self, fallback: Callable[[Entry], object], entry: Entry) -> bool:
        name = getattr(fallback, "__qualname__", type(fallback).__name__)
        try:
            with self._troubles.timing("fallback", f"the fallback {name}"):
                answer = fallback(entry)
            if isawaitable(answer):
                getattr(answer, "close", lambda: None)()
                raise TypeError("a fallback has to take it at once")
        except BaseException as error:
            if is_for_us(error):
                raise
            self._troubles.note("fallback", f"the fallback {name} raised {type(error).__name__}; the next one is tried")
            return False
        return True

    def _log(self, lane: Lane, lost: Lost) -> bool:
        """A line tells of each that was refused or waited too long; of what goes in masses, one line tells of many."""
        if self._troubles.silent:
            return False
        label, reason, entry = lane.inspector.label, lost.reason, lost.item.entry
        if reason in _IN_MASSES:
            self._troubles.say(f"{reason} {label}", f"entries for {label} are lost: {reason}", level=logging.ERROR)
            return False
        logger = logging.getLogger("curl_interceptor.undelivered")
        if not logger.hasHandlers():
            return False
        try:
            many = f", x{entry.suppressed + 1}" if entry.suppressed else ""
            shown = visible(entry.summary) if isinstance(entry, Notice) else render(entry)
            logger.error("not delivered to %s (%s%s): %s", label, reason, many, shown)
        except Exception:  # a handler of the user's
            self._troubles.counts["log_handler"] += 1
            return False
        return True


_IN_MASSES = frozenset({"lane_full", "endpoint_gone", "shutdown", "told to wait for hours"})


def _moved(item: Item, now: float) -> Item:
    """The same entry as the fallback's lane gets it; without a window, since it has one where it was meant to go."""
    return Item(item.entry, key=None, admitted=now, critical=item.critical, fallbacks=item.fallbacks)
