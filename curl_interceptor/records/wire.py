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

__all__ = ["decode", "flatten", "sent_headers"]

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
    for pair in headers:
        if len(pair) == 2 and type(pair[0]) is type(pair[1]) is str:  # nearly always
            yield pair[0], pair[1]
            continue
        name, *values = pair
        for value in values:
            yield decode(name), decode(value)


def sent_headers(request: RequestFacts) -> tuple[Headers, bool]:
    """Return the headers as they went over the wire, and whether the body went in chunks.

    A `Host` that follows from the URL is left out. requests sends chunks when it is given a body without a length.
    """
    given = list(flatten(request.headers))
    names = {name.lower() for name, _ in given}
    chunked = request.chunked
    if chunked is None:
        chunked = request.body_state != "none" and "content-length" not in names
    added: list[tuple[str, str]] = []
    if request.client:
        if "accept-encoding" not in names:
            added.append(("Accept-Encoding", "identity"))
        if chunked and "transfer-encoding" not in names:
            added.append(("Transfer-Encoding", "chunked"))
        elif not names & {"content-length", "transfer-encoding"}:
            if request.body_state != "none" and request.body_size is not None:
                added.append(("Content-Length", str(request.body_size)))
            elif request.body_state == "none" and request.method.upper() not in _WITHOUT_BODY:
                added.append(("Content-Length", "0"))
        if "user-agent" not in names:
            added.append(("User-Agent", request.client))
    return tuple([pair for pair in (*added, *given) if pair[1] != _SKIPPED]), chunked
