"""
The numbers of each topic as one frozen value that checks itself.

A policy says how much and how long; the algorithm that obeys it lives in `capture/` or `delivery/`.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .errors import ConfigurationError

__all__ = [
    "BatchPolicy",
    "BreakerPolicy",
    "CapturePolicy",
    "Cooldown",
    "LanePolicy",
    "PipelinePolicy",
    "RateLimit",
    "RetryPolicy",
    "TransportPolicy",
    "check_callable",
    "check_flag",
    "check_number",
    "check_policy",
    "shown",
]

KIB = 1024
MB = 1_000_000
YEAR = 31_536_000.0


def check_number(
    name: str,
    value: object,
    *,
    minimum: float,
    maximum: float = math.inf,
    whole: bool = False,
    unit: str = "",
) -> None:
    """Refuse what is not a number of the wanted range, in words that name the argument."""
    wanted = f"{'a whole number' if whole else 'a number'}{f' of {unit}' if unit else ''}"
    span = f"from {minimum:,} to {maximum:,}" if maximum != math.inf else f"of at least {minimum:,}"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ConfigurationError(f"{name} must be {wanted} {span}, got {shown(value)}")
    if not minimum <= value <= maximum or value == math.inf:
        raise ConfigurationError(f"{name} must be {wanted} {span}, got {shown(value)}")


def check_flag(name: str, value: object) -> None:
    """Refuse what is not True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, got {shown(value)}")


def check_callable(name: str, value: Any, *arguments: str, **named: object) -> None:
    """Refuse what cannot be called with these arguments, and what would only promise an answer when it is called."""
    if not callable(value):
        raise ConfigurationError(f"{name} must be callable, got {shown(value)}")
    if any(
        inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) or inspect.isgeneratorfunction(one)
        for one in (value, getattr(value, "__call__", None))  # noqa: B004  # of an object with that method
    ):
        raise ConfigurationError(f"{name} must be a plain function: an async one or a generator would never be run")
    try:
        inspect.signature(value).bind(*arguments, **named)
    except TypeError:
        wanted = f"one argument, {arguments[0]}" if arguments else "no argument"
        wanted += "".join(f", and the keyword {keyword}" for keyword in named)
        raise ConfigurationError(f"{name} must take {wanted}") from None
    except ValueError:  # a built-in tells nothing of its arguments
        return


@dataclass(frozen=True)
class CapturePolicy:
    """How much of an exchange is kept.

    Parameters
    ----------
    request_body, response_body:
        Head of each body that is kept, in bytes, 0 to 16 MiB. 0 keeps none. Default 64 KiB.
    content_types:
        Content types whose bodies are kept, such as `["application/json", "text/*"]`; a body without a content type
        is kept, and `*` stands for any characters. None (the default) keeps every body.
    peer:
        Whether the address of the other end of the connection is kept, which takes a system call more. Default False.
    caller:
        Whether it is kept where in the app's code a call was made, which takes a look at the stack. Default False.
    """

    request_body: int = 64 * KIB
    response_body: int = 64 * KIB
    content_types: Collection[str] | None = None
    peer: bool = False
    caller: bool = False

    def __post_init__(self) -> None:
        for name in ("request_body", "response_body"):
            check_number(
                f"capture: {name}", getattr(self, name), minimum=0, maximum=16 * KIB * KIB, whole=True, unit="bytes"
            )
        if self.content_types is not None:
            types = self.content_types
            listed = isinstance(types, Collection) and not isinstance(types, str) and bool(types)
            if not listed or not all(isinstance(one, str) and "/" in one for one in types):
                raise ConfigurationError(
                    f"capture: content_types must be a list such as ['application/json', 'text/*'], got {shown(types)}"
                )
            object.__setattr__(self, "content_types", tuple(one.strip().lower() for one in types))
        check_flag("capture: peer", self.peer)
        check_flag("capture: caller", self.caller)


@dataclass(frozen=True)
class BatchPolicy:
    """When collected entries are sent as one message.

    Parameters
    ----------
    size:
        Most entries in one batch, 1 to 1,000. 1 sends each entry by itself. Default 10.
    seconds:
        Longest time the first entry waits for company, 0 to 3,600 s. Default 5 s. At `flush`, `close` and exit nothing
        waits.
    """

    size: int = 10
    seconds: float = 5.0

    def __post_init__(self) -> None:
        check_number("batch: size", self.size, minimum=1, maximum=1_000, whole=True, unit="entries")
        check_number("batch: seconds", self.seconds, minimum=0, maximum=3_600)


@dataclass(frozen=True)
class Cooldown:
    """How long equal failures are held back after one was delivered.

    Parameters
    ----------
    seconds:
        Length of the window, counted from the delivery, above 0 and up to 86,400 s. Default 60 s.
    max_keys:
        Most windows remembered for one webhook, 1 to 1,000,000. Default 10,000.
    """

    seconds: float = 60.0
    max_keys: int = 10_000

    def __post_init__(self) -> None:
        check_number("cooldown: seconds", self.seconds, minimum=0.001, maximum=86_400)
        check_number("cooldown: max_keys", self.max_keys, minimum=1, maximum=1_000_000, whole=True, unit="keys")


@dataclass(frozen=True)
class RateLimit:
    """How many messages a webhook gets in how much time (a token bucket).

    Parameters
    ----------
    count:
        Messages that may go at once, 1 to 100,000.
    seconds:
        Time in which `count` messages become free again, 0.001 to 86,400 s.
    """

    count: int
    seconds: float

    def __post_init__(self) -> None:
        check_number("rate_limit: count", self.count, minimum=1, maximum=100_000, whole=True, unit="messages")
        check_number("rate_limit: seconds", self.seconds, minimum=0.001, maximum=86_400)


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how late a failed attempt to deliver is repeated.

    These are the retries of deliveries to webhooks. The retries of your own requests are `max_retries=`, as in
    `requests.adapters.HTTPAdapter`.

    Parameters
    ----------
    retries:
        Attempts after the first one, 0 to 100. Default 3.
    wait:
        Wait before the first retry, 0 to 3,600 s. Default 1 s.
    factor:
        What the wait is multiplied with each time, 1 to 10. Default 2.
    max_wait:
        Longest wait, 0 to 86,400 s and not below `wait`. Default 60 s.
    jitter:
        True (the default) waits a random time between 0 and the computed one, so that many processes do not return
        together.
    """

    retries: int = 3
    wait: float = 1.0
    factor: float = 2.0
    max_wait: float = 60.0
    jitter: bool = True

    def __post_init__(self) -> None:
        check_number("retry: retries", self.retries, minimum=0, maximum=100, whole=True)
        check_number("retry: wait", self.wait, minimum=0, maximum=3_600, unit="seconds")
        check_number("retry: factor", self.factor, minimum=1, maximum=10)
        check_number("retry: max_wait", self.max_wait, minimum=self.wait, maximum=86_400, unit="seconds")
        check_flag("retry: jitter", self.jitter)


@dataclass(frozen=True)
class BreakerPolicy:
    """When a failing webhook is left alone, and for how long.

    Parameters
    ----------
    failures:
        Failures in a row that open the breaker, 1 to 1,000. Default 5.
    open_for:
        First time until one entry is tried again, 0.01 to 3,600 s. It doubles with each failed trial. Default 1 s.
    max_open_for:
        Longest time between trials, up to 86,400 s and not below `open_for`. Default 60 s.
    """

    failures: int = 5
    open_for: float = 1.0
    max_open_for: float = 60.0

    def __post_init__(self) -> None:
        check_number("breaker: failures", self.failures, minimum=1, maximum=1_000, whole=True)
        check_number("breaker: open_for", self.open_for, minimum=0.01, maximum=3_600, unit="seconds")
        check_number("breaker: max_open_for", self.max_open_for, minimum=self.open_for, maximum=86_400, unit="seconds")


@dataclass(frozen=True)
class TransportPolicy:
    """How one attempt to deliver talks to the network.

    Parameters
    ----------
    connect:
        Time for connecting, over all addresses of the host, 0.01 to 300 s. Default 5 s.
    total:
        Time for the whole attempt, connecting and a slowly dripping answer included, 0.01 to 600 s. Default 10 s.
    pool_size:
        Idle connections kept over all webhooks, 0 to 1,000. Default 10.
    idle:
        How long an unused connection is kept, 0 to 3,600 s. Default 60 s.
    trust_env:
        Whether `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE` are obeyed. `.netrc`
        never is. Default True.
    proxy:
        URL of an HTTP proxy for deliveries; wins over the environment. Default None.
    ca_bundle:
        File or folder with the certificates to trust; wins over the environment. Default None: those of certifi.
    """

    connect: float = 5.0
    total: float = 10.0
    pool_size: int = 10
    idle: float = 60.0
    trust_env: bool = True
    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None

    def __post_init__(self) -> None:
        check_number("transport: connect", self.connect, minimum=0.01, maximum=300, unit="seconds")
        check_number("transport: total", self.total, minimum=0.01, maximum=600, unit="seconds")
        check_number("transport: pool_size", self.pool_size, minimum=0, maximum=1_000, whole=True, unit="connections")
        check_number("transport: idle", self.idle, minimum=0, maximum=3_600, unit="seconds")
        check_flag("transport: trust_env", self.trust_env)
        if self.proxy is not None:
            _check_proxy(self.proxy)
        if self.ca_bundle is not None and not (isinstance(self.ca_bundle, str) and os.path.exists(self.ca_bundle)):
            raise ConfigurationError(f"transport: ca_bundle must be a file or a folder, got {shown(self.ca_bundle)}")


def _check_proxy(proxy: object) -> None:
    remedy = "use something like 'http://proxy.example:3128'"
    if not isinstance(proxy, str):
        raise ConfigurationError(f"transport: proxy must be a URL, got {type(proxy).__name__}; {remedy}")
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:  # the value may hold a password, so it is not repeated
        raise ConfigurationError(f"transport: proxy must be an http or https URL with a host; {remedy}")


@dataclass(frozen=True)
class LanePolicy:
    """How much may wait for one webhook; the oldest entries are dropped first.

    Parameters
    ----------
    records:
        Most entries, 1 to 1,000,000. Default 1,000.
    bytes:
        Most memory they may hold, 10,000 bytes to 1 GB. Default 8 MB.
    age:
        Longest time an entry waits before it is given up, 0.1 to 604,800 s. Default 1 h.
    """

    records: int = 1_000
    bytes: int = 8 * MB
    age: float = 3_600.0

    def __post_init__(self) -> None:
        check_number("lane: records", self.records, minimum=1, maximum=1_000_000, whole=True)
        check_number("lane: bytes", self.bytes, minimum=10_000, maximum=1_000 * MB, whole=True)
        check_number("lane: age", self.age, minimum=0.1, maximum=604_800, unit="seconds")


@dataclass(frozen=True)
class PipelinePolicy:
    """The numbers of a `Pipeline`; see there."""

    queue_size: int = 10_000
    queue_bytes: int = 32 * MB
    overflow: str = "newest"
    workers: int = 32
    exit_timeout: float = 2.0
    linger: float = 0.030

    def __post_init__(self) -> None:
        check_number("queue_size", self.queue_size, minimum=1, maximum=10_000_000, whole=True, unit="exchanges")
        check_number("queue_bytes", self.queue_bytes, minimum=10_000, maximum=10_000 * MB, whole=True)
        if self.overflow not in ("newest", "oldest"):
            raise ConfigurationError(f"overflow must be 'newest' or 'oldest' (to drop), got {shown(self.overflow)}")
        check_number("workers", self.workers, minimum=1, maximum=1_000, whole=True, unit="threads")
        check_number("exit_timeout", self.exit_timeout, minimum=0, maximum=3_600, unit="seconds")
        check_number("linger", self.linger, minimum=0, maximum=10, unit="seconds")


def check_policy(name: str, value: Any, kind: type, *, hint: str = "") -> None:
    """Refuse what is no value of the wanted class; the hint says what to write instead."""
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be a {kind.__name__}, got {shown(value)}{'; ' + hint if hint else ''}")


def shown(value: object) -> str:
    """Return a value as a message may show it: numbers, True, False and None as they are, all else by its type.

    A text may be a webhook URL, a part of one, or a token that was given to the wrong keyword; so may what holds texts.
    """
    kind = type(value).__name__
    if value is not None and type(value) not in (bool, int, float):
        return f"a {kind}"
    try:
        text = repr(value)
    except ValueError:  # more digits than Python writes
        return f"a {kind}"
    return f"{text} ({kind})" if len(text) <= 30 else f"a {kind}"
