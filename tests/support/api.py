"""The API that a test's or a benchmark's app calls: small, fast, and as wrong as its path asks for.

/status/<code>    that status, with a short JSON body      /bytes/<n>       n bytes
/slow/<ms>        200 after a while                        /chunked         a body in chunks
/reset            an RST                                   /broken-body     a body that ends too early
/hang             no answer                                /gzip            a compressed JSON body
/echo             the request's body                       /redirect/<n>    n redirects, then 200
/drip/<seconds>   a body that takes so long                anything else    404

    with Api() as api:
        requests.get(api.url("/status/503"))

`python -m support.api` serves in a process of its own, for benchmarks, and prints its URL.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import sys
from typing import TYPE_CHECKING

from .receiver import Connection, Server, parse_head

if TYPE_CHECKING:
    import ssl


JSON = "application/json"


class Api(Server):
    """Answers by path. Connections are kept; with `record=True` the raw requests are, too, in `raw_requests`."""

    def __init__(self, *, record: bool = False, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self._record = record
        self.raw_requests: list[bytes] = []

    def serve(self, connection: Connection) -> None:
        """Answer the requests of one connection until it is used up."""
        going_on = True
        while going_on and (head := connection.read_head()) is not None:
            first = head[: head.index(b"\r\n")]
            bodiless = b"ontent-" not in head and b"ONTENT-" not in head and b"ransfer-" not in head
            body = b"" if bodiless else connection.read_body(parse_head(head)[2])
            if body is None:
                return
            if self._record:
                self.raw_requests.append(head + body)
            method, target, _ = first.decode("latin-1").split(" ", 2)
            going_on = self._answer(connection, method, target.partition("?")[0], head, body)

    def _answer(self, connection: Connection, method: str, path: str, head: bytes, body: bytes) -> bool:
        ready = prepared(path)
        if ready is None:
            name, _, value = path[1:].partition("/")
            return _special(connection, name, value, head, body)
        connection.sock.sendall(ready.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else ready)
        return not path.startswith("/broken-body") and b"onnection: close" not in head


@functools.lru_cache(maxsize=1024)
def prepared(path: str) -> bytes | None:
    """Return the answer of a path whose answer is always the same, ready for the wire; None for the others."""
    name, _, value = path[1:].partition("/")
    if name in ("slow", "reset", "hang", "echo", "drip"):
        return None
    if name == "status" and value.isdigit():
        return message(int(value), b'{"status": %d}' % int(value))
    if name == "bytes" and value.isdigit():
        return message(200, b"x" * int(value), "application/octet-stream")
    if name == "redirect" and value.isdigit():
        steps = int(value)
        return message(302, extra=f"Location: /redirect/{steps - 1}\r\n") if steps else message(200, b'{"status": 200}')
    if name == "gzip":
        return message(200, gzip.compress(b'{"compressed": true}', mtime=0), extra="Content-Encoding: gzip\r\n")
    if name == "chunked":
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'c\r\n{"chunked": \r\n5\r\ntrue}\r\n0\r\n\r\n'
        )
    if name == "broken-body":
        return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"
    return message(404, b'{"status": 404}')


def message(code: int, body: bytes = b"", content_type: str = JSON, *, extra: str = "") -> bytes:
    """Return a whole answer."""
    framing = "" if code in (204, 304) else f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {code} Status\r\n{extra}{framing}\r\n".encode("latin-1") + (body if framing else b"")


def _special(connection: Connection, name: str, value: str, head: bytes, body: bytes) -> bool:
    sock = connection.sock
    if name == "slow":
        if going_on := connection.pause(float(value or 0) / 1000):
            sock.sendall(message(200, b'{"slow": true}'))
        return going_on
    if name == "echo":
        sock.sendall(message(200, body, parse_head(head)[2].get("content-type", "application/octet-stream")))
        return b"onnection: close" not in head
    if name == "drip":
        seconds = float(value or 1)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            sock.sendall(b".")
            if not connection.pause(seconds / 20):
                return False
        return True
    if name == "reset":
        connection.reset()
        return False
    while sock.recv(65_536):  # hang
        pass
    return False


def main() -> None:
    """Serve until standard input ends."""
    with Api() as api:
        print(api.url(""), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()
