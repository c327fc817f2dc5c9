"""
The judge of commands: a raw server that keeps the bytes it gets, and a comparison of two requests.

No HTTP library stands between the socket and the test, so nothing is repaired or put in order on the way.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Verdict", "WireRequest", "WireServer", "compare", "parse"]

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_PATIENCE = 5.0


class WireServer:
    """Accepts one request a connection on a loopback port and keeps its bytes; also fit to play a forwarding proxy."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Without a final slash."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> WireServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A close alone would leave accept() waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_PATIENCE)

    def take(self, timeout: float = _PATIENCE) -> bytes:
        """Return the oldest request that was not taken yet; raises `queue.Empty` if none comes."""
        return self._received.get(timeout=timeout)

    def take_all(self) -> list[bytes]:
        """Return what has come and was not taken yet."""
        found = []
        while not self._received.empty():
            found.append(self._received.get())
        return found

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(_PATIENCE)
                self._receive(connection)

    def _receive(self, connection: socket.socket) -> None:
        data = b""
        try:
            while not _is_whole(data):
                part = connection.recv(1 << 18)
                if not part:
                    break
                data += part
            # Kept before it is answered, so that whoever has the answer finds the request.
            self._received.put(data)
            connection.sendall(_ANSWER)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass  # a close with unread bytes would reset the connection, and the client might miss the answer
        except OSError:
            return


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    headers = _headers(head.split(b"\r\n")[1:])
    if _is_chunked(headers):
        return _unchunk(body) is not None
    return len(body) >= _length(headers)


@dataclass(frozen=True)
class WireRequest:
    """A request taken apart, with nothing lost that a server could see."""

    method: bytes
    target: bytes
    version: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    """In the order of the wire; names in lower case, values without the white space after the colon."""
    body: bytes
    chunked: bool


def parse(data: bytes) -> WireRequest:
    """Take a request apart; raises `ValueError` if it is none."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        raise ValueError(f"no end of the head: {data[:200]!r}")
    first, *lines = head.split(b"\r\n")
    method, target, version = first.split(b" ")
    headers = _headers(lines)
    chunked = _is_chunked(headers)
    if chunked:
        unframed = _unchunk(body)
        if unframed is None:
            raise ValueError(f"the chunks have no end: {body[-200:]!r}")
        body = unframed
    return WireRequest(method, target, version, headers, body, chunked)


def _headers(lines: list[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    pairs = (line.partition(b":") for line in lines)
    return tuple((name.lower(), value.lstrip(b" \t")) for name, _, value in pairs)


def _is_chunked(headers: tuple[tuple[bytes, bytes], ...]) -> bool:
    return any(name == b"transfer-encoding" and b"chunked" in value.lower() for name, value in headers)


def _length(headers: tuple[tuple[bytes, bytes], ...]) -> int:
    return next((int(value) for name, value in headers if name == b"content-length" and value.isdigit()), 0)


def _unchunk(data: bytes) -> bytes | None:
    """Return the content of chunks; None if their end is not there yet, or something comes after it."""
    parts: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end], 16)
        if not size:
            return b"".join(parts) if data[end:] == b"\r\n\r\n" else None
        at = end + 2 + size
        parts.append(data[end + 2 : at])
        if data[at : at + 2] not in (b"\r\n", b"\r", b""):
            raise ValueError(f"a chunk does not end where it says: {data[at : at + 20]!r}")
        at += 2
    return None


@dataclass(frozen=True)
class Verdict:
    """What the judge says: `exact` to the byte, `equivalent` for every server, or `different` and in what."""

    kind: Literal["exact", "equivalent", "different"]
    differences: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return self.kind != "different"

    def __str__(self) -> str:
        return "\n".join((self.kind, *self.differences))


def compare(sent: bytes, got: bytes) -> Verdict:
    """Compare what an app sent with what a command sent.

    Free are the order of headers of different names, the case of names, white space after the colon, the sizes of
    chunks, and `Connection` where HEAD has a body, since curl would wait for the end of the connection.
    """
    if sent == got:
        return Verdict("exact")
    try:
        ours, theirs = parse(sent), parse(got)
    except ValueError as error:
        return Verdict("different", (str(error),))
    differences = [
        f"{name}: sent {_brief(getattr(ours, name))}, got {_brief(getattr(theirs, name))}"
        for name in ("method", "target", "version", "chunked", "body")
        if getattr(ours, name) != getattr(theirs, name)
    ]
    differences += _header_differences(ours, theirs)
    return Verdict("different", tuple(differences)) if differences else Verdict("equivalent")


def _header_differences(ours: WireRequest, theirs: WireRequest) -> list[str]:
    free = b"connection" if ours.method == b"HEAD" and ours.body else b""
    sent = [pair for pair in ours.headers if pair[0] != free]
    got = [pair for pair in theirs.headers if pair[0] != free]
    # A stable sort by name keeps the order of repeated headers, which has a meaning.
    if sorted(sent, key=_name) == sorted(got, key=_name):
        return []
    lost, added = Counter(sent) - Counter(got), Counter(got) - Counter(sent)
    found = [f"header lost: {_line(pair)}" for pair in lost.elements()]
    found += [f"header added: {_line(pair)}" for pair in added.elements()]
    return found or ["repeated headers changed places"]


def _name(pair: tuple[bytes, bytes]) -> bytes:
    return pair[0]


def _line(pair: tuple[bytes, bytes]) -> str:
    return _brief(b": ".join(pair))


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:140]} ... {text[-140:]} ({len(text)} characters)"
