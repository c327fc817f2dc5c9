"""Streams of bytes of which every step ends at a deadline: a socket, and TLS over another stream.

The sockets never block: each step is tried first and waited for only if it must be. So one deadline covers connecting,
a handshake, a receiver that does not read and an answer that drips, in TLS records as well, and under gevent, whose
time-outs begin anew with every wait.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from .trouble import Elapsed, Trouble, describe

__all__ = ["Deadline", "SocketStream", "Stream", "TlsStream", "dial", "is_quiet", "wait"]

CHUNK = 16_384

Result = TypeVar("Result")


@dataclass(slots=True)
class Deadline:
    """When an attempt ends, on the monotonic clock; all streams of a connection share it."""

    at: float


class Stream(Protocol):
    """What can be sent to and received from until its deadline."""

    deadline: Deadline

    def send(self, data: bytes) -> None:
        """Send everything."""

    def receive(self, size: int) -> bytes:
        """Return at least one byte and at most `size`; none at the end."""

    def close(self) -> None:
        """Close without a farewell, which could block."""


class SocketStream:
    """A connected TCP socket."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._socket = sock
        self.deadline = deadline

    def send(self, data: bytes) -> None:
        """Send everything."""
        left = memoryview(data)
        while left:
            # Checked even where nothing has to be waited for: what is sent too late would arrive and count as failed.
            if time.monotonic() >= self.deadline.at:
                raise Elapsed
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                wait(self._socket, self.deadline.at, writing=True)

    def receive(self, size: int) -> bytes:
        """Return at least one byte and at most `size`; none at the end."""
        while True:
            try:
                return self._socket.recv(size)
            except BlockingIOError:
                wait(self._socket, self.deadline.at)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class TlsStream:
    """TLS over another stream, with the handshake done.

    Over buffers in memory instead of `SSLContext.wrap_socket`: it nests, which an `https` proxy in front of an `https`
    webhook needs.
    """

    def __init__(self, lower: Stream, context: ssl.SSLContext, host: str) -> None:
        self._lower = lower
        self.deadline = lower.deadline
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        name = host.partition("%")[0].rstrip(".")  # neither a scope of IPv6 nor the root's dot stands in a certificate
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._step(self._tls.do_handshake)

    def send(self, data: bytes) -> None:
        """Send everything."""
        left = memoryview(data)
        while left:
            left = left[self._step(partial(self._tls.write, left[:CHUNK])) :]

    def receive(self, size: int) -> bytes:
        """Return at least one byte and at most `size`; none at the end."""
        try:
            return self._step(partial(self._tls.read, size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def close(self) -> None:
        """Close the socket at the bottom."""
        self._lower.close()

    def _step(self, step: Callable[[], Result]) -> Result:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
            else:
                self._flush()
                return result
            data = self._lower.receive(CHUNK)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._lower.send(data)


def is_quiet(stream: Stream) -> bool:
    """Return whether a connection that rests is alive: whatever has arrived meanwhile, an end included, spoils it."""
    stream.deadline.at = -math.inf
    try:
        stream.receive(1)
    except Elapsed:
        return True
    except Exception:
        return False
    return False


def dial(host: str, port: int, budget: float, deadline: Deadline) -> SocketStream:
    """Return a connection to the first address of the host that takes one.

    The budget, in seconds, is shared out among the addresses, so that a dead first one leaves time for the next.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ends = min(deadline.at, time.monotonic() + budget)
    trouble = "name look-up found no address"
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        now = time.monotonic()
        try:
            sock = _connect(family, kind, protocol, address, now + (ends - now) / (len(addresses) - index))
            return SocketStream(sock, deadline)
        except Elapsed:
            trouble = f"connecting timed out after {budget:g} s"
        except OSError as error:
            trouble = describe(error)
    if time.monotonic() >= deadline.at:
        raise Elapsed
    raise Trouble(trouble)


def _connect(family: int, kind: int, protocol: int, address: object, ends: float) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.connect(address)  # type: ignore[arg-type]
        except BlockingIOError:
            wait(sock, ends, writing=True)
            if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, os.strerror(code)) from None
    except BaseException:
        sock.close()
        raise
    return sock


def wait(sock: socket.socket | int, ends: float, *, writing: bool = False) -> None:
    """Wait until a socket, or another descriptor, can be read or written, or has an error; `Elapsed` at the end."""
    left = ends - time.monotonic()
    if left <= 0:
        raise Elapsed
    # Looked up at each call: gevent and eventlet replace or remove them, also after this module was imported. poll is
    # preferred because select fails for descriptors from 1024 on.
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLOUT if writing else select.POLLIN)
        ready = bool(poll.poll(math.ceil(left * 1000)))
    else:
        wanted, others = [sock], list[socket.socket]()
        # The third list: Windows reports a refused connect there.
        ready = any(select.select(others if writing else wanted, wanted if writing else others, wanted, left))
    if not ready:
        raise Elapsed
