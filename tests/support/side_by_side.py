"""
The judge of transparency: one call made by a plain session and by ours, and all that an app or a server sees of each.

A scenario is a function of a session and a server that returns what it saw as plain values. It runs twice, each time
with a server of its own; the bytes that the server got, and on how many connections, are compared too.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import re
import socket
import time
import warnings
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from .receiver import HOST, Connection, Receiver

__all__ = ["Scenario", "Tape", "attempt", "look", "run"]

Scenario = Callable[[requests.Session, "Tape"], Any]

# What differs from run to run: addresses in memory, what is left of a time, and boundaries of multipart bodies.
_RANDOM = re.compile(r"0x[0-9a-f]{6,}|(?<=read timeout=)[0-9.]+|\b[0-9a-f]{32}\b")
_RANDOM_BYTES = re.compile(rb"[0-9a-f]{32}")


class Tape(Receiver):
    """A scripted receiver that also keeps the very bytes that come, one entry for each connection."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._tape: dict[int, bytearray] = {}

    def serve(self, connection: Connection) -> None:
        """Answer as the receiver does, with an ear at the socket."""
        heard = self._tape.setdefault(connection.number, bytearray())
        connection.sock = _Heard(connection.sock, heard)  # type: ignore[assignment]
        super().serve(connection)

    def settle(self) -> None:
        """Wait until everything that was sent has come, as far as it was read."""
        deadline = time.monotonic() + 1
        with socket.create_connection((HOST, self.port)) as last:  # when this one is accepted, all others were
            while last.getsockname() not in self._peers() and time.monotonic() < deadline:
                time.sleep(0.001)
        self.accepted -= 1
        for _ in range(20):
            if self._sockets:
                time.sleep(0.001)
        if self._sockets:
            # Pools close their connections when they die, and an exception may hold them in a cycle. urllib3 2.0
            # forgets the socket of a proxy that refuses, in a plain session, too.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()
        while self._sockets and time.monotonic() < deadline:
            time.sleep(0.001)

    def _peers(self) -> set[Any]:
        found = set()
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    found.add(sock.getpeername())
        return found

    def forget(self) -> None:
        """Keep nothing of what has come: it is another each time."""
        self._tape = collections.defaultdict(bytearray)

    @property
    def tape(self) -> list[bytes]:
        """What has come so far."""
        return [bytes(heard) for _, heard in sorted(self._tape.items()) if heard]


class _Heard:
    """A socket whose received bytes are kept."""

    def __init__(self, sock: Any, heard: bytearray) -> None:
        self._sock = sock
        self._heard = heard

    def recv(self, size: int) -> bytes:
        data: bytes = self._sock.recv(size)
        self._heard += data
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def run(
    scenario: Scenario, kind: Callable[..., HTTPAdapter], options: dict[str, Any], server_options: dict[str, Any]
) -> dict[str, Any]:
    """Run a scenario with an adapter of this kind, and return everything that was seen."""
    with Tape(**server_options) as server, requests.Session() as session:
        session.trust_env = False
        session.request = functools.partial(session.request, timeout=10)  # type: ignore[method-assign]
        adapter = kind(**options)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        result = attempt(scenario, session, server)
        session.close()
        server.settle()
        seen = {
            "the app saw": result,
            "the server got": server.tape,
            "connections": server.accepted,
        }
        port = str(server.port)
    return {name: _without(port, value) for name, value in seen.items()}


def attempt(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a call returns, or all that hangs on its exception."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        return chain(error)


def chain(error: BaseException | None) -> list[Any]:
    """Return an exception and all that led to it, as plain values."""
    found: list[Any] = []
    while error is not None and len(found) < 20:
        found.append(
            {
                "type": type(error),
                "text": str(error),
                "args": [arg if isinstance(arg, (str, int, bytes)) else type(arg) for arg in error.args],
                "cause": type(error.__cause__),
                "suppressed": error.__suppress_context__,
                "attributes": sorted(vars(error)),
                "request": _request(getattr(error, "request", None)),
                "response": type(getattr(error, "response", None)),
            }
        )
        error = error.__cause__ or error.__context__
    return found


def look(response: requests.Response, *, read: bool = True) -> dict[str, Any]:
    """Return all that an app can see of a response; without reading, its body is left alone."""
    raw = response.raw
    seen = {
        "type": type(response),
        "attributes": sorted(vars(response)),
        "status": (response.status_code, response.reason, response.ok, response.is_redirect),
        "url": response.url,
        "headers": (type(response.headers), list(response.headers.items())),
        "encoding": response.encoding,
        "cookies": response.cookies.get_dict(),
        "elapsed": type(response.elapsed),
        "history": [(hop.status_code, hop.url, _request(hop.request)) for hop in response.history],
        "links": response.links,
        "request": _request(response.request),
        "connection": isinstance(response.connection, HTTPAdapter),
        "raw": (raw.status, raw.version, raw.reason, list(raw.headers.items()), raw.__class__.__name__),
    }
    if read:
        seen["content"] = response.content
        seen["text"] = response.text
        seen["raw afterwards"] = (type(raw), sorted(vars(raw)), raw.closed, raw.tell(), raw._connection is None)
    return seen


def _request(request: Any) -> Any:
    if request is None:
        return None
    body = request.body
    return (
        type(request),
        sorted(vars(request)),
        request.method,
        request.url,
        list(request.headers.items()) if request.headers is not None else None,
        body if isinstance(body, (str, bytes)) else type(body),
    )


def _without(port: str, value: Any) -> Any:
    """Return a value without what differs from run to run."""
    if isinstance(value, str):
        return _RANDOM.sub("?", value.replace(port, "PORT"))
    if isinstance(value, bytes):
        return _RANDOM_BYTES.sub(b"?", value.replace(port.encode(), b"PORT"))
    if isinstance(value, dict):
        return {_without(port, name): _without(port, one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_without(port, one) for one in value)
    return value
