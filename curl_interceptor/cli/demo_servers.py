"""The two servers of the demo, both on this machine: an API that fails in many ways, and a receiver of webhooks."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import urlsplit

__all__ = ["FailingApi", "Receiver"]

LOOPBACK = "127.0.0.1"


class FailingApi:
    """An API whose every path has its own trouble.

    Attributes
    ----------
    url: Where it answers, in plain HTTP.
    tls_url: The same place, as if it spoke TLS, which it does not.
    refused_url: Where nobody listens.
    """

    def __init__(self) -> None:
        self._resources = ExitStack()

    def __enter__(self) -> FailingApi:
        server = _Server(_ApiHandler)
        self._resources.enter_context(server)
        # A port that is taken but not listened at refuses connections, and nobody else can get it meanwhile.
        unheard = self._resources.enter_context(socket.socket())
        unheard.bind((LOOPBACK, 0))
        self.url = server.url
        self.tls_url = server.url.replace("http:", "https:")
        self.refused_url = f"http://{LOOPBACK}:{unheard.getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()


class Receiver:
    """A webhook: takes JSON and keeps it.

    Attributes
    ----------
    url: Where it takes posts.
    posts: The bodies, as they came.
    """

    def __init__(self) -> None:
        self.posts: list[bytes] = []

    def __enter__(self) -> Receiver:
        self._server = _Server(_ReceiverHandler)
        self._server.posts = self.posts
        self._server.__enter__()
        self.url = f"{self._server.url}/failures"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, traceback)

    def documents(self) -> list[dict[str, Any]]:
        """Return every record that was posted: a post is one JSON object, or an array of them."""
        found: list[dict[str, Any]] = []
        for post in list(self.posts):
            document = json.loads(post)
            found.extend(document if isinstance(document, list) else [document])
        return found


class _Server(ThreadingHTTPServer):
    """A server on a loopback port of its own, served by a thread for as long as the `with` lasts."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__((LOOPBACK, 0), handler)
        self.url = f"http://{LOOPBACK}:{self.server_port}"
        self.closing = threading.Event()
        self.posts: list[bytes] = []

    def __enter__(self) -> _Server:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *details: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that break off are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: _Server

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, document: object = None) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        if document is not None:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal belongs to the demo."""


class _ReceiverHandler(_Handler):
    def do_POST(self) -> None:
        self.server.posts.append(self.read_body())
        self.answer(200, {"ok": True})


class _ApiHandler(_Handler):
    ANSWERS: ClassVar[dict[str, tuple[int, object]]] = {
        "/v1/status": (200, {"status": "fine"}),
        "/v1/payments": (500, {"error": "the ledger is on fire"}),
        "/v1/customers/42": (404, {"error": "no such customer"}),
        "/v1/reports": (503, {"error": "try again later"}),
    }

    def handle(self) -> None:
        # A client that begins with a TLS handshake gets what a web server says to it on its plain port.
        if self.connection.recv(1, socket.MSG_PEEK) == b"\x16":
            self.connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        else:
            super().handle()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.read_body()
        if path == "/v1/reset":
            # With a linger time of zero, closing a socket resets its connection.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if path == "/v1/stalled":
            self.server.closing.wait(5)
            self.close_connection = True
            return
        if path == "/v1/reports":
            self.server.closing.wait(0.4)
        self.answer(*self.ANSWERS.get(path, (404, {"error": "no such path"})))

    do_POST = do_GET
