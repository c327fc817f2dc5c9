"""What made urllib3 send a request again before the attempt that counted: an adapter's `max_retries`."""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import Retry

__all__ = ["retried_before_answer", "retried_before_failure"]

_HOME = HTTPConnectionPool.__module__


def retried_before_answer(raw: Any) -> tuple[str, ...]:
    """Return why each attempt before the answered one was not enough: a status, or the name of an exception."""
    history = getattr(getattr(raw, "retries", None), "history", None)
    return _reasons(history) if history else ()


def retried_before_failure(error: BaseException) -> tuple[str, ...]:
    """Return the same for a call that ended in an exception.

    No exception tells how many attempts there were, but the frames that it passed do: urllib3 calls itself for each.
    """
    # requests raises an exception of its own while it handles urllib3's; what lies behind that may be the app's.
    for one in (error, error.__context__):
        frames = [] if one is None else _attempts(one.__traceback__)
        if len(frames) > 1:
            return _history(frames[-1])
        if frames:  # nothing was sent again
            return ()
    return ()


def _attempts(step: TracebackType | None) -> list[FrameType]:
    """Return the frames in which urllib3 made its attempts, the first one first."""
    found = []
    while step is not None:
        frame = step.tb_frame
        if frame.f_code.co_name == "urlopen" and frame.f_globals.get("__name__") == _HOME:
            found.append(frame)
        step = step.tb_next
    return found


def _history(frame: FrameType) -> tuple[str, ...]:
    """Return what an attempt knew of the earlier ones."""
    local = frame.f_locals
    retries = local.get("retries")
    if isinstance(local, dict):  # before Python 3.13 a copy that lives as long as the frame, cleared or not
        local.clear()
    return _reasons(retries.history) if isinstance(retries, Retry) else ()


def _reasons(history: Iterable[Any]) -> tuple[str, ...]:
    return tuple(
        type(attempt.error).__name__ if attempt.error is not None else str(attempt.status)
        for attempt in history
        if attempt.redirect_location is None
    )
