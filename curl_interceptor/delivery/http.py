"""HTTP/1.1 as a webhook needs it: the bytes of one POST, and the reading of its answer.

Written out instead of taken from `http.client` because instrumentation patches `HTTPConnection` itself, which reaches
every subclass and would see the webhook's path, and because an answer has to fit into a budget of bytes, its head and
chunk sizes included.
"""

from __future__ import annotations

import base64
import encodings.idna
import encodings.punycode
import re
import stringprep
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from ..inspectors.base import Answer
from ..version import __version__
from .trouble import Silence, Trouble, Unusable, describe

__all__ = ["ANSWER_LIMIT", "AnswerReader", "Target", "basic", "post_request"]

ANSWER_LIMIT = 65_536
HEADER_LIMIT = 100  # as http.client has it
CHUNK = 16_384

# What requests leaves alone in a path; a "%" among it, so that what is encoded stays as it is.
_KEPT = "!#$%&'()*+,/:;=?@[]~"
_PORTS = {"http": 80, "https": 443}
_STATUS = re.compile(rb"HTTP/1\.(\d) (\d{3})(?: .*)?")
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{1,15}")
_DECIMAL = re.compile(r"[0-9]{1,15}")
_BREAKS = re.compile(r"[\r\n\0]")

# What encoding an international host would import on first use; transport.py says why that must not happen.
_NEEDED_LATER = (encodings.idna, encodings.punycode, stringprep)

Header = tuple[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """A URL taken apart for the wire; without a `repr`, for its path is the secret."""

    scheme: str
    host: str
    port: int
    path: str
    authorization: str | None

    @classmethod
    def of(cls, url: str) -> Target:
        """Return the target of a URL; its userinfo becomes an `Authorization`, its fragment is dropped."""
        try:
            parts = urlsplit(url)
            scheme, host = parts.scheme.lower(), parts.hostname or ""
            port = parts.port or _PORTS[scheme]
            ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
            path = _encoded(parts.path or "/") + (f"?{_encoded(parts.query)}" if parts.query else "")
        except (ValueError, KeyError):
            raise Unusable("the posting URL cannot be used") from None
        if not ascii_host or not path.startswith("/") or not ascii_host.isprintable() or " " in ascii_host:
            raise Unusable("the posting URL cannot be used")
        return cls(scheme, ascii_host, port, path, basic(parts.username, parts.password))

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme == "https"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to be equal for a connection to serve two targets."""
        return self.scheme, self.host, self.port

    @property
    def endpoint(self) -> str:
        """Host and port, as CONNECT wants them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """Host, and the port where it is not the scheme's own, as `Host` wants them."""
        return self.endpoint if self.port != _PORTS[self.scheme] else self.endpoint.rpartition(":")[0]


def basic(username: str | None, password: str | None) -> str | None:
    """Return the value of an `Authorization` header for the userinfo of a URL; None without one."""
    if not username and not password:
        return None
    pair = f"{unquote(username or '')}:{unquote(password or '')}".encode("utf-8", "surrogatepass")
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def post_request(
    target: Target, body: bytes, content_type: str, extra: Iterable[Header] = (), *, via: Iterable[Header] | None = None
) -> bytes:
    """Return the bytes of a POST.

    `via` are the headers meant for a proxy that forwards requests instead of tunnelling: not None asks for the form of
    the request that such a proxy understands. A header in `extra` replaces ours, unless it says how the message is
    framed or coded.
    """
    chosen: dict[str, Header] = {
        "user-agent": ("User-Agent", f"curl_interceptor/{__version__}"),
        "accept": ("Accept", "*/*"),
    }
    if target.authorization:
        chosen["authorization"] = ("Authorization", target.authorization)
    chosen["content-type"] = ("Content-Type", content_type)
    chosen.update((name.lower(), (name, value)) for name, value in extra)
    for name in ("connection", "expect", "te", "trailer", "transfer-encoding", "upgrade"):
        chosen.pop(name, None)
    chosen["host"] = ("Host", target.authority)
    chosen["accept-encoding"] = ("Accept-Encoding", "identity")
    chosen["content-length"] = ("Content-Length", str(len(body)))
    where = target.path if via is None else f"{target.scheme}://{target.authority}{target.path}"
    return head(f"POST {where} HTTP/1.1", [chosen.pop("host"), *chosen.values(), *(via or ())]) + body


def head(first: str, headers: Iterable[Header]) -> bytes:
    """Return the head of a request, or refuse one that a line break in a value would split."""
    lines = [first, *(f"{name}: {value}" for name, value in headers)]
    if any(_BREAKS.search(line) for line in lines):
        raise Unusable("a header of the payload contains a line break")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "backslashreplace")


class AnswerReader:
    """Reads one answer, and not more of it than the limit.

    Parameters
    ----------
    receive: Returns some bytes, at most as many as asked for, and none at the end.
    limit: Most bytes that are received, head and framing included.
    """

    def __init__(self, receive: Callable[[int], bytes], limit: int = ANSWER_LIMIT) -> None:
        self._receive = receive
        self._limit = limit
        self._received = 0
        self._buffer = bytearray()
        self._persistent = False
        self._complete = False

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on the connection: the answer was read to its end, and no byte further."""
        return self._complete and self._persistent and not self._buffer

    def answer(self) -> Answer:
        """Return the answer; one that exceeds the limit is cut there and says so."""
        status, headers = self.head()
        body = bytearray()
        try:
            for piece in self._body(status, headers):
                body += piece
        except _Cut:
            return Answer(status, headers, bytes(body), complete=False)
        self._complete = True
        return Answer(status, headers, bytes(body))

    def head(self) -> tuple[int, dict[str, str]]:
        """Return status and headers of the first answer that is not merely informational."""
        try:
            while True:
                version, status = self._status()
                headers = self._headers()
                if status == 101 or not 100 <= status < 200:
                    break
        except _Cut:
            raise Trouble("the head of the answer is too long") from None
        options = headers.get("connection", "").lower()
        self._persistent = status != 101 and ("close" not in options if version else "keep-alive" in options)
        return status, headers

    def _status(self) -> tuple[int, int]:
        match = _STATUS.fullmatch(self._line())
        if not match:
            raise Trouble("the answer is not HTTP/1.1")
        return int(match[1]), int(match[2])

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        name = ""
        for _ in range(HEADER_LIMIT + 1):
            line = self._line().decode("latin-1")
            if not line:
                return headers
            if line[0] in " \t" and name:  # a folded line goes on with the value before
                headers[name] += f" {line.strip()}"
                continue
            name, colon, value = line.partition(":")
            name = name.strip().lower()
            if colon and name:
                headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        raise Trouble(f"the answer has more than {HEADER_LIMIT} headers")

    def _body(self, status: int, headers: dict[str, str]) -> Iterator[bytes]:
        codings = headers.get("transfer-encoding", "").lower()
        if status in (101, 204, 304):
            return iter(())
        if codings:
            # A length beside it is a sign of a broken or hostile middleman: RFC 9112, 6.3.
            self._persistent = self._persistent and "content-length" not in headers
            return self._chunks() if codings.rpartition(",")[2].strip() == "chunked" else self._rest()
        if "content-length" in headers:
            lengths = {length.strip() for length in headers["content-length"].split(",")}
            length = lengths.pop()
            if lengths or not _DECIMAL.fullmatch(length):
                raise Trouble("the answer's Content-Length is no number")
            return self._exactly(int(length))
        return self._rest()

    def _chunks(self) -> Iterator[bytes]:
        while True:
            size = self._line().partition(b";")[0].strip()
            if not _HEXADECIMAL.fullmatch(size):
                raise Trouble("the answer's chunks are malformed")
            if not int(size, 16):
                break
            yield from self._exactly(int(size, 16))
            if self._line():
                raise Trouble("the answer's chunks are malformed")
        while self._line():
            pass  # trailers

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            if not self._buffer and not self._fill():
                raise Trouble("the answer ends too early")
            piece = bytes(self._buffer[:length])
            del self._buffer[: len(piece)]
            length -= len(piece)
            yield piece

    def _rest(self) -> Iterator[bytes]:
        self._persistent = False
        while self._buffer or self._fill():
            piece = bytes(self._buffer)
            self._buffer.clear()
            yield piece

    def _line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if not self._fill():
                raise Trouble("the answer ends too early")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _fill(self) -> bool:
        """Receive some more; False at the end."""
        if self._received >= self._limit:
            raise _Cut
        try:
            data = self._receive(min(CHUNK, self._limit - self._received))
        except OSError as error:
            if self._received:
                raise
            raise Silence(describe(error)) from None
        if not data and not self._received:
            raise Silence("closed without an answer")
        self._received += len(data)
        self._buffer += data
        return bool(data)


class _Cut(Exception):
    """The limit is reached."""


def _encoded(text: str) -> str:
    return quote(text, safe=_KEPT, errors="surrogatepass")
