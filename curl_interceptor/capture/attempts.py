"""What made urllib3 send a request again before the attempt that counted: an adapter's `max_retries`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from urllib3.util import Retry

__all__ = ["retried_before_answer", "retried_before_failure"]


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
        last = None
        step = one.__traceback__ if one is not None else None
        while step is not None:
            if step.tb_frame.f_code.co_name == "urlopen":
                retries = step.tb_frame.f_locals.get("retries")
                last = retries if isinstance(retries, Retry) else last
            step = step.tb_next
        if last is not None:
            return _reasons(last.history)
    return ()


def _reasons(history: Iterable[Any]) -> tuple[str, ...]:
    return tuple(
        type(attempt.error).__name__ if attempt.error is not None else str(attempt.status)
        for attempt in history
        if attempt.redirect_location is None
    )
