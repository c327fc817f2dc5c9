"""
Every exception of this library, as one tree.

CurlInterceptorError
├── ConfigurationError     told to the user, where a value is given
└── DeliveryError          what a webhook's answer means; never reaches the caller
    ├── Throttled          wait as long as the service says
    ├── Transient          try again
    ├── BadPayload         this payload only
    ├── DeadEndpoint       this webhook, for a while or for good
    └── CircuitOpen        not tried; the lane waits

The classes of `DeliveryError` answer "what should happen next?", so an inspector's `verdict` raises one of them.
Their messages are shown in logs and statistics: never put a webhook URL or a body into one.
"""

from __future__ import annotations

__all__ = [
    "BadPayload",
    "CircuitOpen",
    "ConfigurationError",
    "CurlInterceptorError",
    "DeadEndpoint",
    "DeliveryError",
    "Throttled",
    "Transient",
]


class CurlInterceptorError(Exception):
    """The root of all exceptions of this library."""


class ConfigurationError(CurlInterceptorError, ValueError):
    """An argument cannot be used; the message names it, what is wrong with it, and what would be right."""


class DeliveryError(CurlInterceptorError):
    """An attempt to deliver a payload did not succeed; the subclass says what follows."""


class Throttled(DeliveryError):
    """The service asks us to slow down. Not a failure: it uses no retry and the breaker does not count it.

    `retry_after` is how long to wait, in seconds; None leaves it to the lane.
    """

    def __init__(self, message: str = "throttled", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Transient(DeliveryError):
    """Trying again may help: a 5xx, a timeout, a broken connection.

    `retry_after` is the time in seconds before which the service wants no other attempt, if it named one.
    """

    def __init__(self, message: str = "transient failure", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadPayload(DeliveryError):
    """The service refuses this payload, whatever the time; another one may pass.

    `too_large` says that the size is the trouble (413), so the same size is never sent again.
    """

    def __init__(self, message: str = "payload refused", *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


class DeadEndpoint(DeliveryError):
    """The webhook does not take anything: unknown, forbidden, moved.

    `gone` says that the service called it final (410): the lane closes and is not tried again.
    """

    def __init__(self, message: str = "endpoint refuses everything", *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class CircuitOpen(DeliveryError):
    """The breaker of this webhook is open: nothing was sent."""
