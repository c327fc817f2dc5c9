"""
The raw facts of one outbound call, as plain values.

The dispatcher makes an exchange of what the caller's thread noted down. It goes no further than the dispatcher: it has
not been redacted.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

__all__ = ["BodyState", "Exchange", "Failure", "RawHeaders", "RequestFacts", "ResponseFacts", "Restored", "failure_of"]

RawHeaders = tuple[tuple[Any, ...], ...]
"""Pairs of name and value, str or bytes; a longer tuple or list is a name with several values."""

BodyState = Literal["none", "complete", "cut", "missing", "broken", "abandoned"]
"""What is known of a body.

none: there was no body. complete: all of it is kept. cut: only its head is kept. missing: there was one, but it was not
seen (a content type that is left out, a capture of 0 bytes, an app that did not read it in time, a sending that was
mocked). broken: it ended in an error. abandoned: the app closed it early, or a request's was not sent to its end.
"""


class RequestFacts(NamedTuple):
    """The request as it was handed to the connection."""

    method: str
    url: str
    headers: RawHeaders
    body: bytes | str | None = None
    body_state: BodyState = "none"
    body_size: int | None = None
    chunked: bool | None = None
    """Whether the body goes in chunks; None where it follows from body and headers, as in requests."""
    target: str | None = None
    """Request target on the wire; None where it follows from the URL."""
    timeout: Any = None
    verify: Any = True
    cert: Any = None
    proxies: tuple[tuple[str, str], ...] = ()
    client: str = ""
    """`User-Agent` that the HTTP client adds when the app sends none."""

    def __repr__(self) -> str:
        return "RequestFacts(not redacted, so not shown)"


class ResponseFacts(NamedTuple):
    """The head of the response, and the head of its body."""

    status: int
    reason: str | None
    headers: RawHeaders
    body: tuple[bytes, ...] = ()
    body_state: BodyState = "none"
    body_size: int | None = None
    version: int | None = None

    def __repr__(self) -> str:
        return "ResponseFacts(not redacted, so not shown)"


class Failure(NamedTuple):
    """The exception that the app got instead of a response, or while it read one."""

    type: str
    message: str
    kinds: tuple[str, ...]
    """Qualified names of the exception's class and of all its bases."""

    def __repr__(self) -> str:
        return f"Failure({self.type!r}, …)"


def failure_of(
    error: BaseException, seen_as: Mapping[type[BaseException], type[BaseException]] = MappingProxyType({})
) -> Failure:
    """Describe an exception without keeping it: it would keep its frames, and they the bodies.

    `seen_as` says of which other class it is when the app gets it, for instances of a class.
    """
    classes = list(type(error).__mro__)
    classes[:0] = next((other.__mro__ for kind, other in seen_as.items() if isinstance(error, kind)), ())
    kinds = tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in classes)
    try:
        message = str(error)[:2_000]
    except Exception:
        message = "(its text cannot be read)"
    return Failure(kinds[0], message, kinds)


class Restored(NamedTuple):
    """What a document tells of a record that does not follow from the facts of its exchange."""

    id: str
    host: str
    fingerprint: str
    suppressed: int = 0
    suppressed_since: float | None = None
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Restored(not redacted, so not shown)"


class Exchange(NamedTuple):
    """One outbound call: what was sent, and what came of it."""

    request: RequestFacts
    response: ResponseFacts | None
    failure: Failure | None
    started: float
    """Seconds since the epoch."""
    elapsed: float
    """Seconds from the start to the response's headers, or to the failure."""
    duration: float | None = None
    """Seconds from the start to the end of the response's body; None where it was not seen."""
    context: tuple[tuple[str, str], ...] = ()
    """Labels of where the call came from, such as a request id."""
    retried: tuple[str, ...] = ()
    """Why urllib3 sent the request again, each time: a status, or the name of an exception."""
    peer: str | None = None
    """Address and port of the other end of the connection."""
    caller: str | None = None
    """Where in the app's code the call was made, such as "shop/views.py:42 in charge"."""
    restored: Restored | None = None
    """Where it is made of a record's document and not of a call: what else the document tells."""
    notes: tuple[str, ...] = ()
    """What is not in it although it was there, in words of ours."""

    def __repr__(self) -> str:
        return "Exchange(not redacted, so not shown)"
