"""
Two small servers on this machine, for the examples of these pages: an API that fails, and a webhook.

    from playground import api, hook

`api` is the URL of an API that answers 503, or 404 to `/status/404`. `hook.url` is the URL of a webhook that takes what
comes, unless `hook.answers` says otherwise. `Webhook()` makes another one.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """A receiver whose answers can be chosen.

    Attributes
    ----------
    answers: What the next posts are answered with: statuses, or pairs of a status and headers. Then it is 200 again.
    delay: Seconds until it answers.
    posts: How many posts came, those included that were not taken.
    messages: What was taken, as Python values.
    connections: How many connections were opened.
    """

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.delay = 0.0
        self.posts = 0
        self.messages: list[Any] = []
        self.connections = 0
        self.url = f"{serve(_handler(self))}/hook"

    def take(self, body: bytes) -> tuple[int, dict[str, str]]:
        """Return the status and headers of the answer."""
        time.sleep(self.delay)
        self.posts += 1
        answer = self.answers.pop(0) if self.answers else 200
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        if status < 300:
            self.messages.append(json.loads(body))
        return status, headers


def serve(handler: type[BaseHTTPRequestHandler]) -> str:
    """Start a server on a free port of this machine and return its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    servers.append(server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def close() -> None:
    """Stop all servers."""
    while servers:
        server = servers.pop()
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """Keeps connections open, and writes no log."""

    protocol_version = "HTTP/1.1"

    def answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        """Send an answer without a body, having read the request's."""
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""


class FailingApi(Handler):
    """Answers with the number at the end of the path if there is one, else 503."""

    def do_GET(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        last = self.path.partition("?")[0].rpartition("/status/")[2]
        self.answer(int(last) if last.isdecimal() else 503)

    do_POST = do_GET


def _handler(webhook: Webhook) -> type[BaseHTTPRequestHandler]:
    class Receiver(Handler):
        def setup(self) -> None:
            webhook.connections += 1
            super().setup()

        def do_POST(self) -> None:
            self.answer(*webhook.take(self.rfile.read(int(self.headers["Content-Length"]))))

    return Receiver


servers: list[ThreadingHTTPServer] = []
api = serve(FailingApi)
hook = Webhook()
