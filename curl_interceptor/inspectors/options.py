"""The delivery keywords, which an adapter and an inspector take alike: their names, and what each may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigurationError
from ..policies import (
    BatchPolicy,
    BreakerPolicy,
    Cooldown,
    LanePolicy,
    RateLimit,
    RetryPolicy,
    TransportPolicy,
    check_callable,
    check_number,
    check_policy,
    shown,
)

__all__ = ["DELIVERY_KEYWORDS", "check_options", "count_off", "is_off", "listed", "nearest"]

# The class of each keyword's value, and what to write instead of something else.
_POLICIES: Mapping[str, tuple[type, str]] = {
    "batch": (BatchPolicy, "BatchPolicy(size=10, seconds=5)"),
    "cooldown": (Cooldown, "Cooldown(seconds=60), or None to hold nothing back"),
    "rate_limit": (RateLimit, "RateLimit(count=5, seconds=2), or None for no limit"),
    "retry": (RetryPolicy, "RetryPolicy(retries=3); the retries of your own requests are max_retries="),
    "breaker": (BreakerPolicy, "BreakerPolicy(failures=5)"),
    "transport": (TransportPolicy, "TransportPolicy(total=10)"),
    "lane": (LanePolicy, "LanePolicy(records=1000)"),
}
_OPTIONAL = frozenset({"cooldown", "rate_limit"})

DELIVERY_KEYWORDS = frozenset({*_POLICIES, "fallbacks", "fallback_after"})
"""Names of the keywords."""


def check_options(owner: str, options: Mapping[str, Any], *, also: frozenset[str] = frozenset()) -> None:
    """Refuse an unknown keyword, and a value that cannot be used.

    Parameters
    ----------
    owner: Whose keywords these are, for the message.
    options: The keywords.
    also: Names that would have been right for the owner besides the delivery keywords.

    Raises
    ------
    TypeError
        If a keyword is unknown.
    ConfigurationError
        If a value cannot be used.
    """
    for name, value in options.items():
        if name not in DELIVERY_KEYWORDS:
            raise TypeError(f"{owner} got an unknown keyword {name!r}{nearest(name, DELIVERY_KEYWORDS | also)}")
        if name == "fallbacks":
            listed(value)
        elif name == "fallback_after":
            check_number("fallback_after", value, minimum=0, maximum=86_400, unit="seconds")
        elif not (value is None and name in _OPTIONAL):
            kind, remedy = _POLICIES[name]
            check_policy(name, value, kind, hint=f"say {name}={remedy}")


def listed(fallbacks: Any) -> tuple[Any, ...]:
    """Return fallbacks as a tuple; a single one needs no list, and None or an empty text among them is off."""
    single = fallbacks is None or isinstance(fallbacks, str) or callable(fallbacks) or hasattr(fallbacks, "payloads")
    plural = not single and isinstance(fallbacks, Sequence) and not isinstance(fallbacks, (bytes, bytearray))
    given = tuple(fallbacks) if plural else (fallbacks,)
    items = tuple(one for one in given if not is_off(one))
    for one in items:
        if not (isinstance(one, str) or callable(one) or hasattr(one, "payloads")):
            raise ConfigurationError(
                f"fallbacks must be a list of inspectors, URLs, file: paths or callables, got {shown(fallbacks)}; "
                f"say fallbacks='file:/var/log/app/undelivered.ndjson' for a file, or () for none"
            )
        if isinstance(one, type) and hasattr(one, "payloads"):
            raise ConfigurationError(f"fallbacks: {one.__name__} is a class; make an inspector: {one.__name__}(...)")
        if not isinstance(one, str) and not hasattr(one, "payloads"):
            check_callable(f"fallbacks: {getattr(one, '__qualname__', type(one).__name__)}", one, "the record")
    return items


def is_off(given: Any) -> bool:
    """Whether what is given for a destination stands for none: None, or an empty text, as of an unset variable."""
    return given is None or (isinstance(given, str) and given == "")


def count_off(options: Mapping[str, Any]) -> int:
    """How many fallbacks among these options are off."""
    fallbacks = options.get("fallbacks", ())
    given = fallbacks if isinstance(fallbacks, Sequence) and not isinstance(fallbacks, str) else (fallbacks,)
    return sum(is_off(one) for one in given)


def nearest(name: str, known: frozenset[str]) -> str:
    """Return the end of a message about an unknown keyword: what may have been meant."""
    from difflib import get_close_matches  # for whoever made a mistake, so that nobody else waits for it

    close = get_close_matches(name, known, n=1, cutoff=0.75)
    return f"; did you mean {close[0]!r}?" if close else f"; it takes {', '.join(sorted(known))}"
