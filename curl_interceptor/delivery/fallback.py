"""Who takes what a lane gives up: the user's fallbacks in turn, and a line in the log if none of them does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..dialects import render
from ..inspectors.base import Entry
from ..observe.log import TroubleLog
from .destination import Destination
from .item import Item
from .lane import Lane, Lost

__all__ = ["FallbackStage"]

_SLOW = 1.0  # seconds after which a user's callable is said to block the delivery


class FallbackStage:
    """Hands on what lanes give up. Belongs to the dispatcher.

    Parameters
    ----------
    lane_for: Finds the lane of a destination.
    troubles: Where a callable that raises or blocks is counted.
    """

    def __init__(self, lane_for: Callable[[Destination], Lane], troubles: TroubleLog) -> None:
        self._lane_for = lane_for
        self._troubles = troubles

    def take(self, lane: Lane, lost: Lost, now: float) -> None:
        """Give an item to the next fallback that takes it."""
        item = lost.item
        while item.fallbacks:
            fallback, *rest = item.fallbacks
            item.fallbacks = tuple(rest)
            if isinstance(fallback, Destination):
                self._lane_for(fallback).take(_moved(item, now), now)
                return
            if self._call(fallback, item.entry):
                return
        if lost.reason != "shutdown":
            self._log(lane, lost)

    def _call(self, fallback: Callable[[Entry], object], entry: Entry) -> bool:
        began = time.monotonic()
        try:
            fallback(entry)
        except BaseException as error:  # somebody's code
            self._troubles.note("fallback", f"a fallback raised {type(error).__name__}; the next one is tried")
            return False
        finally:
            if time.monotonic() - began > _SLOW:
                name = getattr(fallback, "__qualname__", type(fallback).__name__)
                self._troubles.note("slow_fallback", f"the fallback {name} blocked the delivery for over {_SLOW:g} s")
        return True

    def _log(self, lane: Lane, lost: Lost) -> None:
        logger = logging.getLogger("curl_interceptor.undelivered")
        if self._troubles.silent or not logger.hasHandlers():
            return
        try:
            logger.error("not delivered to %s (%s): %s", lane.inspector.label, lost.reason, render(lost.item.entry))
        except Exception:  # a handler of the user's
            self._troubles.counts["log_handler"] += 1


def _moved(item: Item, now: float) -> Item:
    """The same entry as the fallback's lane gets it; without a window, since it has one where it was meant to go."""
    return Item(item.entry, key=None, admitted=now, critical=item.critical, fallbacks=item.fallbacks)
