"""
What the dialects need to know of a record beside its fields, and what keeps curl from sending it again.

Everything here speaks of the request as the wire had it; how it is written down is the matter of each dialect.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from ..records.patterns import lazy
from ..records.record import Record
from ..records.url import DEFAULT_PORT, Parts, split
from .quoting import is_plain

__all__ = ["Request", "bytes_of", "obstacle", "understand", "unknown_body"]

_METHOD = lazy(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ADDRESS = lazy(r"[!-~]+")
# curl reads a file where a header begins with an at sign.
_HEADER_NAME = lazy(r"[!-9;-?A-~][ -9;-~]*")
# NUL ends an argument, CR and LF a header; a character above 255 is no byte; and curl takes VT and FF for white space,
# so a value of nothing else would be an empty one.
_BAD_VALUE = lazy(r"[\0\r\n]|[^\0-\xff]|\A[ \t]*[\v\f][ \t\v\f]*\Z")

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
# Other hosts (0x7f.1, [0:0::1], a final dot) are rewritten by curl, on their way into the Host header too.
_PLAIN_HOST = lazy(rf"(?:[a-z0-9_-]+\.)*[a-z_-][a-z0-9_-]*|(?:{_BYTE}\.){{3}}{_BYTE}")

_UNKNOWN_BODY = {
    "missing": "the request body was not captured",
    "broken": "the request body ended in an error",
    "abandoned": "the request body was not sent to its end",
}


class Request(NamedTuple):
    """A record, and what follows from it."""

    record: Record
    url: str
    """Where it went; for a socket in the file system a URL of localhost."""
    parts: Parts
    socket: str
    """Path of that socket; empty without one."""
    proxy: str
    """URL of the proxy; empty without one."""
    forwarded: bool
    """Whether the proxy gets the request itself instead of a tunnel."""
    values: dict[str, list[str]]
    """Values of each header, by its name in lower case."""
    framed: bool
    """Whether the body travels in chunks."""
    body: bytes | None
    """What follows the headers; None if nothing does."""
    is_clean: bool
    """Whether curl reads the URL as it is meant; a backslash after the host would be a part of the host to it."""

    @property
    def host(self) -> str:
        """The `Host` header that the HTTP client makes from the URL."""
        if self.forwarded:
            return self.parts.authority
        host = self.parts.host.rstrip(".")
        return host if self._has_default_port else host + self.parts.port

    @property
    def is_host_made_by_curl(self) -> bool:
        """Whether curl makes the same `Host` header from the URL."""
        if self.forwarded and self.parts.port and self._has_default_port:
            return False
        return _PLAIN_HOST.fullmatch(self.parts.host) is not None

    @property
    def _has_default_port(self) -> bool:
        return not self.parts.port or self.parts.port.lstrip(":0") == DEFAULT_PORT.get(self.parts.scheme)


def understand(record: Record) -> Request:
    """Return a record with what follows from it."""
    url, parts, socket = record.url, split(record.url), ""
    if parts.scheme == "http+unix":
        socket = unquote(parts.host, "latin-1")
        parts = parts._replace(scheme="http", host="localhost", port="")
        url = parts.join()
    proxy = _proxy(record, parts) if record.proxies and not socket else ""
    values: dict[str, list[str]] = {}
    for name, value in record.request_headers:
        values.setdefault(name.lower(), []).append(value)
    framed = record.chunked or ("content-length" not in values and _names_chunks(values))
    body = record.request_body or (b"" if framed else None)
    forwarded = bool(proxy) and parts.scheme == "http" and not proxy.startswith("socks")
    clean = parts.path.startswith("/") and _ADDRESS.fullmatch(url) is not None
    return Request(record, url, parts, socket, proxy, forwarded, values, framed, body, clean)


def _names_chunks(values: dict[str, list[str]]) -> bool:
    return any("chunked" in value.lower() for value in values.get("transfer-encoding", ()))


def _proxy(record: Record, parts: Parts) -> str:
    """Choose as requests does, and name the port: the default one of curl is another."""
    host = parts.host.strip("[]")
    proxies = dict(record.proxies)
    keys = (f"{parts.scheme}://{host}", parts.scheme, f"all://{host}", "all")
    chosen = next((proxies[key] for key in keys if key in proxies), "")
    if not chosen:
        return ""
    proxy = split(chosen if "://" in chosen else f"http://{chosen}")
    port = proxy.port or (f":{DEFAULT_PORT[proxy.scheme]}" if proxy.scheme in DEFAULT_PORT else "")
    userinfo = f"{proxy.userinfo}@" if proxy.userinfo else ""
    return f"{proxy.scheme}://{userinfo}{proxy.host}{port}"


def bytes_of(text: str) -> str:
    """Return a text of the file system, or of a setting, with one character for each of its bytes."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


# What cannot be sent again.


def obstacle(request: Request, longest: int) -> str:
    """Say why curl would send something else; empty if it would not.

    Parameters
    ----------
    request: What was sent.
    longest: How long an argument may be, in bytes.
    """
    record = request.record
    if not _METHOD.fullmatch(record.method):
        return "the method is no HTTP token"
    if request.parts.scheme not in DEFAULT_PORT or not request.parts.host:
        return "curl speaks HTTP only with http and https URLs"
    if "\0" in request.socket:
        return "the path of the socket holds a NUL"
    if record.target is not None and not _ADDRESS.fullmatch(record.target):
        return "the request target holds characters that HTTP does not allow"
    if not request.is_clean and (record.target is None or not _ADDRESS.fullmatch(request.parts.authority)):
        return "the URL holds characters that HTTP does not allow"
    if len(request.url) >= longest or (record.target is not None and len(record.target) >= longest):
        return "the URL is longer than an argument may be"
    return (
        unknown_body(record) or _connection_obstacle(request) or _header_obstacle(record, longest) or _framing(request)
    )


def unknown_body(record: Record) -> str:
    """Say why the body cannot be sent again; empty if it can."""
    state, body, size = record.request_body_state, record.request_body, record.request_body_size
    if state == "cut":
        total = f" of {size}" if size is not None else ""
        return f"only the first {len(body or b'')}{total} bytes of the request body are known"
    if state == "complete" and body is None and size:
        return _UNKNOWN_BODY["missing"]
    if state in ("none", "complete"):
        return ""
    return _UNKNOWN_BODY.get(state, _UNKNOWN_BODY["missing"])


def _connection_obstacle(request: Request) -> str:
    verify, cert = request.record.verify, request.record.cert
    texts = [request.proxy]
    if isinstance(verify, str):
        texts.append(verify)
    if cert:
        texts += [cert] if isinstance(cert, str) else cert
    return "a setting of the connection holds a NUL" if "\0" in "".join(texts) else ""


def _header_obstacle(record: Record, longest: int) -> str:
    plain = is_plain("".join([value for _, value in record.request_headers]))
    for name, value in record.request_headers:
        length = len(name) + len(": ") + len(value)
        if not _is_name(name) or (not value and ";" in name):
            return "curl cannot send a header of this name"
        if not (plain or is_plain(value)):
            if _BAD_VALUE.search(value):
                return "a header holds bytes that curl cannot send"
            length *= 4  # as octal numbers, which are an argument too where printf is no builtin
        if length >= longest:
            return "a header is longer than an argument may be"
    return ""


@lru_cache(maxsize=1_024)
def _is_name(name: str) -> bool:
    return len(name) < 1_000 and _HEADER_NAME.fullmatch(name) is not None


def _framing(request: Request) -> str:
    lengths, size = request.values.get("content-length"), request.record.request_body_size
    if len(request.values.get("host", ())) > 1:
        return "curl sends one Host header only"
    if request.body is None or lengths is None:
        return ""
    if _names_chunks(request.values):
        return "the request has both a Content-Length and chunks"
    if size is not None and lengths != [str(size)]:
        return "the Content-Length is not that of the body"
    return ""
