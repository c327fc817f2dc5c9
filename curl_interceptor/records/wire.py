"""
What the connection adds to a request, worked out afterwards.

urllib3 writes a few headers of its own behind the app's back. They follow from what it was given, so they need not be
watched while the app waits: these are the rules of urllib3 2.x (`urllib3.connection.HTTPConnection.request`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .exchange import RawHeaders, RequestFacts
from .record import Headers

__all__ = ["decode", "flatten", "is_chunked", "sent_headers"]

_SKIPPED = "@@@SKIP_HEADER@@@"  # urllib3.util.SKIP_HEADER: the app asked for the default header to be left out
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT"})


def decode(value: Any) -> str:
    """Return a header's name or value with one character for each byte that was sent."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if isinstance(value, int):
        return str(value)
    return f"\ufffd{type(value).__name__}"  # not sent, and with a letter that stands for no byte it never will be


def flatten(headers: RawHeaders) -> Iterator[tuple[str, str]]:
    """Yield each name with each of its values."""
    for name, *values in headers:
        for value in values:
            yield decode(name), decode(value)


def is_chunked(request: RequestFacts) -> bool:
    """Whether the body goes in chunks: requests does that when it is given a body without a length."""
    if request.chunked is not None:
        return request.chunked
    return request.body_state != "none" and not any(
        decode(name).lower() == "content-length" for name, *_ in request.headers
    )


def sent_headers(request: RequestFacts) -> Headers:
    """Return the headers as they went over the wire, without a `Host` that follows from the URL."""
    given = list(flatten(request.headers))
    names = {name.lower() for name, _ in given}
    added: list[tuple[str, str]] = []
    if request.client:
        if "accept-encoding" not in names:
            added.append(("Accept-Encoding", "identity"))
        if is_chunked(request) and "transfer-encoding" not in names:
            added.append(("Transfer-Encoding", "chunked"))
        elif not names & {"content-length", "transfer-encoding"}:
            if request.body_state != "none" and request.body_size is not None:
                added.append(("Content-Length", str(request.body_size)))
            elif request.body_state == "none" and request.method.upper() not in _WITHOUT_BODY:
                added.append(("Content-Length", "0"))
        if "user-agent" not in names:
            added.append(("User-Agent", request.client))
    return tuple(pair for pair in (*added, *given) if pair[1] != _SKIPPED)
