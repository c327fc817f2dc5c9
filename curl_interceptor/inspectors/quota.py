"""Reading what the headers of an answer say about how many messages a service takes, and until when."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..records.patterns import lazy
from .answers import seconds

__all__ = ["Quota", "quota"]

_LONGEST = 3_600.0  # seconds; what lies further ahead is believed of a Retry-After only
_EPOCH = 1_000_000_000.0  # a larger number of seconds is a time since the epoch
_PARAMETER = lazy(r"\b([a-z]{1,20})\s{0,3}=\s{0,3}([0-9.]{1,20})")


class Quota(NamedTuple):
    """What a service still takes: so many messages, until so many seconds have passed."""

    remaining: int
    seconds: float


def quota(headers: Mapping[str, str], *, throttled: bool = False, now: float | None = None) -> Quota | None:
    """Return what the headers of an answer say about the rate limit; None where they say nothing that makes sense.

    Understood are `X-RateLimit-Remaining` with `X-RateLimit-Reset-After` or `X-RateLimit-Reset` (seconds from now, or
    since the epoch), and both forms of the IETF's draft (draft-ietf-httpapi-ratelimit-headers): `RateLimit-Remaining`
    with `RateLimit-Reset`, and `RateLimit` with parameters. A time more than an hour ahead is not believed: whoever
    means it says it with `Retry-After`.

    Parameters
    ----------
    headers: With names in lower case.
    throttled: Whether the answer was a 429: where it names no number, nothing is left.
    now: Seconds since the epoch. Default: the clock's.
    """
    now = time.time() if now is None else now
    found = [_quota(remaining, reset, throttled, now) for remaining, reset in _policies(headers)]
    sane = [one for one in found if one is not None]
    return min(sane, key=lambda one: (one.remaining, -one.seconds), default=None)


def _policies(headers: Mapping[str, str]) -> Iterator[tuple[object, object]]:
    """What is said of each limit: how many messages are left, and when it is renewed."""
    for prefix in ("x-ratelimit", "ratelimit"):
        reset = headers.get(f"{prefix}-reset-after", headers.get(f"{prefix}-reset"))
        yield headers.get(f"{prefix}-remaining"), reset
    together: dict[str, str] = {}
    for policy in headers.get("ratelimit", "")[:1_000].lower().split(","):
        parameters = dict(_PARAMETER.findall(policy))
        yield parameters.get("r"), parameters.get("t")
        together.update(parameters)
    yield together.get("remaining"), together.get("reset")  # one limit, as older drafts have it


def _quota(remaining: object, reset: object, throttled: bool, now: float) -> Quota | None:
    left, wait = seconds(remaining), seconds(reset)
    if wait is not None and wait >= _EPOCH:
        wait -= now
    if wait is None or not 0 <= wait <= _LONGEST or (left is None and not throttled):
        return None
    return Quota(int(left or 0), wait)
