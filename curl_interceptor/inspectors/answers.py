"""Reading what a service says: when to come back, and why it refuses."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

__all__ = ["is_page", "json_object", "longest", "retry_after", "seconds"]


def seconds(value: object) -> float | None:
    """Return a number of seconds given as a number or text; None for what is no such number."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return the seconds of a `Retry-After` header: a number, or an HTTP date (RFC 9110, 10.2.3). None without one.

    `headers` have names in lower case; `now` is in seconds since the epoch, by default the clock's.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    found = seconds(value)
    if found is not None:
        return found
    try:
        date = parsedate_to_datetime(value)
        return max(0.0, date.timestamp() - (time.time() if now is None else now))
    except (TypeError, ValueError, OverflowError):
        return None


def longest(*waits: object) -> float | None:
    """Return the longest of several times to wait, given in seconds as numbers or texts; None if none is one."""
    return max((found for found in map(seconds, waits) if found is not None), default=None)


def json_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object that an answer holds; an empty one where it holds none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_page(body: bytes) -> bool:
    """Whether an answer is a page for people, as proxies, logins and wrong paths give it, with status 200 too."""
    return body.lstrip()[:1] == b"<"
