"""A webhook receiver whose answers, good and dreadful, are scripted; on real sockets of the loopback interface.

    with Receiver() as receiver:
        receiver.script("/hook", [status(503), reset()], then=status(204))
        ...post three times to receiver.url("/hook")...
        first, second, third = receiver.wait(3)

The end of the `with` block ends all of its threads, whatever they are at.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Self

HOST = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Request:
    """A request as it came: its parts, when its last byte was read, and on which connection (1 is the first)."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    time: float
    connection: int


class Connection:
    """One accepted connection: reading requests, writing bytes, and pausing for as long as the server lives."""

    def __init__(self, sock: socket.socket, number: int, stopping: threading.Event) -> None:
        self.sock = sock
        self.number = number
        self.stopping = stopping
        self.buffer = b""
        self.request: Request | None = None

    def read_head(self) -> bytes | None:
        """Return the next head with its blank line, or None at the end."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if not self._fill():
                return None
        head, self.buffer = self.buffer[: end + 4], self.buffer[end + 4 :]
        return head

    def read_body(self, headers: Mapping[str, str]) -> bytes | None:
        """Return the body that the headers announce, or None if it ends too early."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        return self._take(int(headers.get("content-length", 0)))

    def pause(self, seconds: float) -> bool:
        """Wait; False as soon as the server is to end."""
        return not self.stopping.wait(seconds)

    def reset(self) -> None:
        """Close with an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _fill(self) -> bool:
        data = self.sock.recv(65_536)
        self.buffer += data
        return bool(data)

    def _take(self, size: int) -> bytes | None:
        pieces = [self.buffer]
        missing = size - len(self.buffer)
        while missing > 0:
            data = self.sock.recv(min(missing, 1_048_576))
            if not data:
                return None
            pieces.append(data)
            missing -= len(data)
        whole = b"".join(pieces)
        self.buffer = whole[size:]
        return whole[:size]

    def _line(self) -> bytes | None:
        while (end := self.buffer.find(b"\r\n")) < 0:
            if not self._fill():
                return None
        line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
        return line

    def _read_chunks(self) -> bytes | None:
        body = b""
        while (line := self._line()) is not None:
            size = int(line.partition(b";")[0], 16)
            piece = self._take(size)
            if piece is None or self._line() is None:
                return None
            if size == 0:
                return body
            body += piece
        return None


class Server:
    """Accepts connections on a free port, each served by a thread of its own.

    Parameters
    ----------
    tls: The TLS context of the server, see `Authority`. None speaks plain text.
    receive_buffer: Size of the kernel's receive buffer, for receivers that read slowly.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, receive_buffer: int | None = None) -> None:
        self.accepted = 0
        self._tls = tls
        self._receive_buffer = receive_buffer
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def connected(self) -> int:
        """How many connections are open at the moment."""
        with self._lock:
            return len(self._sockets)

    def __enter__(self) -> Self:
        self._listener = socket.socket()
        if self._receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self._listener.bind((HOST, 0))
        self._listener.listen(512)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        _shut(self._listener)
        self.drop_connections()
        for thread in [*self._threads]:
            thread.join(5)
            assert not thread.is_alive(), "a thread of the test's server did not end"

    def url(self, path: str = "/", *, host: str = HOST) -> str:
        """Return the URL of a path."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def drop_connections(self) -> None:
        """Close all connections that are open now, idle ones too."""
        with self._lock:
            for sock in self._sockets:
                _shut(sock, close=False)

    def serve(self, connection: Connection) -> None:
        """Answer the requests of one connection until it is used up."""
        raise NotImplementedError

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True, name="test-server")
        with self._lock:
            self._threads = [other for other in self._threads if other.is_alive() or not other.ident]
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                break
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.accepted += 1
                number = self.accepted
                self._sockets.add(sock)
                if self._stopping.is_set():
                    _shut(sock, close=False)
            self._start(self._converse, sock, number)
        self._listener.close()

    def _converse(self, sock: socket.socket, number: int) -> None:
        raw = sock
        with contextlib.suppress(OSError, ValueError):
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                with self._lock:  # before the handshake, so that the end of the server interrupts that too
                    self._sockets.discard(raw)
                    self._sockets.add(sock)
                sock.do_handshake()
            self.serve(Connection(sock, number, self._stopping))
        with self._lock:
            self._sockets -= {raw, sock}
            sock.close()
            raw.close()


@dataclass(frozen=True)
class Reply:
    """What the receiver does to one request; `play` returns whether the connection goes on."""

    play: Callable[[Connection], bool]
    reads_body: bool = True


class Receiver(Server):
    """Records every request and answers as scripted, by default 200 `ok`."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, receive_buffer: int | None = None) -> None:
        super().__init__(tls=tls, receive_buffer=receive_buffer)
        self.default = raw(OK, keep=True)
        self._changed = threading.Condition(self._lock)
        self._requests: list[Request] = []
        self._scripts: dict[str, tuple[Iterator[Reply], Reply | None]] = {}

    @property
    def requests(self) -> list[Request]:
        """The requests so far."""
        with self._lock:
            return list(self._requests)

    def script(self, path: str, replies: Iterable[Reply] = (), *, then: Reply | None = None) -> None:
        """Give each request to the path (with or without its query) the next reply, and all later ones `then`."""
        with self._lock:
            self._scripts[path] = (iter(replies), then)

    def wait(self, count: int, timeout: float = 20.0) -> list[Request]:
        """Return the requests so far, as soon as there are `count` of them."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self._requests) >= count, timeout)
            assert came, f"{len(self._requests)} of {count} requests came within {timeout} s"
            return list(self._requests)

    def bodies(self, path: str | None = None) -> list[bytes]:
        """Return the bodies so far, of all paths or one."""
        return [request.body for request in self.requests if path in (None, request.target)]

    def serve(self, connection: Connection) -> None:
        """Answer the requests of one connection until it is used up."""
        going_on = True
        while going_on and (head := connection.read_head()) is not None:
            method, target, headers = parse_head(head)
            reply = self._next_reply(target)
            body = connection.read_body(headers) if reply.reads_body else b""
            if body is None:
                return
            with self._changed:
                connection.request = Request(method, target, headers, body, time.monotonic(), connection.number)
                self._requests.append(connection.request)
                self._changed.notify_all()
            going_on = reply.play(connection)

    def _next_reply(self, target: str) -> Reply:
        with self._lock:
            path = target if target in self._scripts else target.partition("?")[0]
            replies, then = self._scripts.get(path, (iter(()), None))
            return next(replies, None) or then or self.default


# What a receiver can do to a request.


def status(code: int = 200, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
    """Answer properly, with these headers beside Content-Length."""
    lines = [f"HTTP/1.1 {code} Whatever", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    if code not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return raw("\r\n".join([*lines, "", ""]).encode("latin-1") + body, keep=True)


def redirect(to: str, code: int = 302) -> Reply:
    """Send the client elsewhere."""
    return status(code, headers={"Location": to})


def raw(data: bytes, *, keep: bool = False) -> Reply:
    """Answer with these very bytes, then close or keep the connection."""

    def play(connection: Connection) -> bool:
        connection.sock.sendall(data)
        return keep

    return Reply(play)


def slow(seconds: float, then: Reply | None = None) -> Reply:
    """Do nothing for a while, then this."""
    later = then or raw(OK, keep=True)
    return Reply(lambda connection: connection.pause(seconds) and later.play(connection))


def hang() -> Reply:
    """Read on and never answer."""

    def play(connection: Connection) -> bool:
        while connection.sock.recv(65_536):
            pass
        return False

    return Reply(play)


def hang_before_reading() -> Reply:
    """Neither read the body nor answer, so that a large one fills all buffers (a smaller `receive_buffer` helps)."""
    return Reply(lambda connection: connection.stopping.wait() and False, reads_body=False)


def drip(data: bytes, interval: float, *, before: bytes = b"") -> Reply:
    """Send `before` at once and `data` byte by byte, over and over: `drip(HEAD…)` or `drip(body, before=head)`."""

    def play(connection: Connection) -> bool:
        connection.sock.sendall(before)
        for value in data:
            connection.sock.sendall(bytes([value]))
            if not connection.pause(interval):
                break
        return False

    return Reply(play)


def drip_head(interval: float = 0.05) -> Reply:
    """Send a head that takes for ever."""
    return drip(b"x" * 10_000, interval, before=b"HTTP/1.1 200 OK\r\nX-Slow: ")


def drip_body(interval: float = 0.05, size: int = 10_000) -> Reply:
    """Send a body that takes for ever."""
    return drip(b"x" * size, interval, before=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)


def held(before: bytes, go_on: threading.Event, after: bytes) -> Reply:
    """Send `before`, and `after` only when the test says so; a test that never does waits ten seconds for it."""

    def play(connection: Connection) -> bool:
        connection.sock.sendall(before)
        go_on.wait(10)
        connection.sock.sendall(after)
        return True

    return Reply(play)


def reset() -> Reply:
    """Read the request, then send an RST."""

    def play(connection: Connection) -> bool:
        connection.reset()
        return False

    return Reply(play)


def close() -> Reply:
    """Read the request, then close."""
    return raw(b"")


def garbage(data: bytes = b"\x00\xff\x13 this is not HTTP \xfe\r\n\r\n") -> Reply:
    """Answer with something else than HTTP."""
    return raw(data)


def truncated() -> Reply:
    """Promise a body of 100 bytes and send ten."""
    return raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")


def huge(size: int) -> Reply:
    """Send a body of so many bytes."""

    def play(connection: Connection) -> bool:
        connection.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        return _pour(connection, size)

    return Reply(play)


def endless(interval: float = 0.0) -> Reply:
    """Send a body without end, as fast as it is taken or a piece in each interval."""

    def play(connection: Connection) -> bool:
        connection.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while connection.pause(interval):
            connection.sock.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
        return False

    return Reply(play)


def endless_1xx(interval: float = 0.0) -> Reply:
    """Announce an answer for ever and never send it."""

    def play(connection: Connection) -> bool:
        while connection.pause(interval):
            connection.sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        return False

    return Reply(play)


def flaky(seed: int, *replies: Reply) -> Iterator[Reply]:
    """Return replies without end, each drawn at random, the same ones for the same seed."""
    chance = random.Random(seed)
    while True:
        yield chance.choice(replies)


def tunnel() -> Reply:
    """Be a proxy that connects (`receiver.default = tunnel()`): only for requests with the method CONNECT."""

    def play(connection: Connection) -> bool:
        assert connection.request
        host, _, port = connection.request.target.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as far:
            connection.sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(far, connection.sock), daemon=True)
            back.start()
            _pump(connection.sock, far)
            back.join(5)
        return False

    return Reply(play)


@functools.cache
def _closed_port() -> socket.socket:
    sock = socket.socket()  # bound and never listening: nobody else gets the port, and connecting is refused
    sock.bind((HOST, 0))
    atexit.register(sock.close)
    return sock


def refused_url(path: str = "/hook") -> str:
    """Return a URL where nobody listens."""
    return f"http://{HOST}:{_closed_port().getsockname()[1]}{path}"


class Nonsense(Server):
    """Answers the first bytes of a connection with nonsense, whatever they are: no TLS begins with it, and no HTTP."""

    def serve(self, connection: Connection) -> None:
        """Read once, talk nonsense, close."""
        connection.sock.recv(65_536)
        connection.sock.sendall(b"\x00\xff\x13 this is neither TLS nor HTTP \xfe\r\n\r\n")


class Unreachable:
    """A host that answers no SYN: connecting to `url` neither succeeds nor fails.

    A listener whose queue is full and who never accepts, which on Linux is how a dropped packet looks.
    """

    def __enter__(self) -> Self:
        self._listener = socket.socket()
        self._listener.bind((HOST, 0))
        self._listener.listen(0)
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}/hook"
        self._fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(self._listener.getsockname())
            self._fillers.append(filler)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (*self._fillers, self._listener):
            sock.close()


class Authority:
    """A certificate authority for tests; `bundle` is the file to trust."""

    def __init__(self, folder: Path) -> None:
        import trustme

        self._authority = trustme.CA()
        self.bundle = str(folder / "authority.pem")
        self._authority.cert_pem.write_to_path(self.bundle)

    def server(self, *names: str) -> ssl.SSLContext:
        """Return the context of a server with a certificate for these names (default: the loopback interface's)."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*(names or ("localhost", HOST))).configure_cert(context)
        return context


def parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Return method, target and headers, with names in lower case."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.lower(): value.strip() for name, _, value in pairs}


def _pour(connection: Connection, size: int) -> bool:
    while size > 0:
        connection.sock.sendall(b"x" * min(size, 65_536))
        size -= 65_536
    return True


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    _shut(sink, close=False)


def _shut(sock: socket.socket, *, close: bool = True) -> None:
    # Shutting down wakes a thread that is blocked in the socket; closing alone does not.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    if close:
        sock.close()
