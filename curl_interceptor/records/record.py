"""
The exchange after redaction: the only thing that is stored, rendered or shipped.

Whatever takes a `Record` cannot leak a secret by accident, since `redact` is the only function that makes one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from .exchange import BodyState

__all__ = ["Headers", "Record"]

Headers = tuple[tuple[str, str], ...]
"""Pairs of name and value in the order of the wire; every character stands for one byte (latin-1)."""


@dataclass(frozen=True, slots=True)
class Record:
    """One outbound call, fit to leave the process.

    A predicate of a `Match` is asked with a record; inspectors turn records into messages.

    Attributes
    ----------
    id: Constant name of this record, so that a receiver can tell a repeat.
    method: HTTP method, as sent.
    url: URL without userinfo and fragment, redacted.
    host: Host of the URL, in lower case, without port.
    request_headers: Headers as sent, those included that the HTTP client adds; `Host` only if the app set it.
    request_body: Head of the body, None if there is none or it was not seen; `request_body_state` tells which.
    request_body_size: Size of the whole body in bytes, if known.
    chunked: Whether the body was sent with `Transfer-Encoding: chunked`.
    status, reason: Of the response; None if there is none.
    response_headers, response_body, response_body_state, response_body_size: As for the request.
    error: Qualified name of the exception, None if there was none.
    error_message: Its text, redacted.
    started: Seconds since the epoch.
    elapsed: Seconds to the response's headers, or to the failure.
    duration: Seconds to the end of the body; None where it was not seen.
    verify, cert, proxies, timeout: How the connection was made; proxies without userinfo.
    fingerprint: What makes two exchanges equal for the cooldown.
    suppressed: How many equal exchanges the cooldown held back before this one.
    suppressed_since: When the first of them happened, in seconds since the epoch.
    context: Labels of where the call came from, as `context` set them.
    retried: Why `max_retries` sent the request again, each time: a status, or the name of an exception. Status, times
        and bodies are those of the last attempt, but `elapsed` counts from the first.
    peer: Address and port of the other end, which may be a proxy; None unless it was asked for and there was an answer.
    caller: Where in the app's code the call was made, such as "shop/views.py:42 in charge"; None unless that was asked
        for.
    variables: Pairs of a shell variable and the request header in which it stands for a secret (`mode="env"`).
    notes: What was left out, and what redaction did to a body that the body itself does not tell.
    """

    id: str
    method: str
    url: str
    host: str
    request_headers: Headers
    request_body: bytes | None
    request_body_state: BodyState
    request_body_size: int | None
    chunked: bool
    target: str | None
    status: int | None
    reason: str | None
    response_headers: Headers
    response_body: bytes | None
    response_body_state: BodyState
    response_body_size: int | None
    error: str | None
    error_message: str | None
    started: float
    elapsed: float
    duration: float | None
    verify: bool | str
    cert: str | tuple[str, str] | None
    proxies: tuple[tuple[str, str], ...]
    timeout: Any
    fingerprint: str
    suppressed: int = 0
    suppressed_since: float | None = None
    context: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    retried: tuple[str, ...] = ()
    peer: str | None = None
    caller: str | None = None

    @property
    def outcome(self) -> str:
        """The status code, or the short name of the exception."""
        return self.error.rpartition(".")[2] if self.error else str(self.status)

    @property
    def size(self) -> int:
        """Approximate memory in bytes, for the bounds of a lane."""
        return (
            2_000
            + len(self.url)
            + sum(len(name) + len(value) + 200 for name, value in self.context)
            + len(self.request_body or b"")
            + len(self.response_body or b"")
            + sum(len(name) + len(value) + 200 for name, value in self.request_headers)
            + sum(len(name) + len(value) + 200 for name, value in self.response_headers)
        )

    def telling(self, suppressed: int, since: float | None) -> Record:
        """Return this record with the count of equals that the cooldown held back."""
        values = list(_values(self))  # `dataclasses.replace` takes twice as long
        values[_SUPPRESSED : _SUPPRESSED + 2] = suppressed, since
        return Record(*values)


_names = [field.name for field in fields(Record)]
_values: Callable[[Record], tuple[Any, ...]] = attrgetter(*_names)
_SUPPRESSED = _names.index("suppressed")  # and behind it, since when
