"""
A record as a curl command for bash, zsh, dash, ksh, mksh, busybox ash and fish.

Pasted there, real curl puts the bytes of the recorded request on the wire again. The order and case of headers, the
sizes of chunks and a `Content-Length` that follows from the body may differ. Where curl cannot send the same, or the
body is not wholly known, the text is a comment that says so and shows the method, the URL and the headers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeGuard

from ..records.record import Record
from ..records.url import Parts, split
from .dialect import Dialect
from .quoting import ARGUMENT_LIMIT, feed, is_line, quote, quote_line, quote_with_variables, show

__all__ = ["DIALECT", "render"]

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ADDRESS = re.compile(r"[!-~]+")
# curl reads a file where a header begins with an at sign.
_HEADER_NAME = re.compile(r"[!-9;-?A-~][ -9;-~]*")
# NUL ends an argument, CR and LF a header; a character above 255 is no byte; and curl takes VT and FF for white space,
# so a value of nothing else would be an empty one.
_BAD_VALUE = re.compile(r"[\0\r\n]|[^\0-\xff]|\A[ \t]*[\v\f][ \t\v\f]*\Z")

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
# Other hosts (0x7f.1, [0:0::1], a final dot) are rewritten by curl, on their way into the Host header too.
_PLAIN_HOST = re.compile(rf"(?:[a-z0-9_-]+\.)*[a-z_-][a-z0-9_-]*|(?:{_BYTE}\.){{3}}{_BYTE}")
_DEFAULT_PORT = {"http": "80", "https": "443"}

_EXPECT_THRESHOLD = 1024 * 1024
_LONGEST_TIMEOUT = 2_000_000.0  # seconds; curl counts milliseconds in a number of 32 bits on some systems

_UNKNOWN_BODY = {
    "missing": "the request body was not captured",
    "broken": "the request body ended in an error",
    "abandoned": "the request body was not sent to its end",
}

Quote = Callable[[str], str]


class _Request(NamedTuple):
    """What several steps need to know of a record."""

    record: Record
    parts: Parts
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
    piped: bool
    """Whether the body cannot be an argument."""


def render(record: Record) -> str:
    """Return the record as one line of printable ASCII."""
    request = _understand(record)
    obstacle = _obstacle(request)
    if obstacle:
        return f"# not runnable: {obstacle}: {' '.join(_command(request, show))}"
    command = " ".join([*_command(request, quote), *_data(request)])
    return f"{feed(request.body)} | {command}" if request.piped and request.body else command


DIALECT = Dialect("posix", render)


def _understand(record: Record) -> _Request:
    parts = split(record.url)
    proxy = _proxy(record, parts) if record.proxies else ""
    values: dict[str, list[str]] = {}
    for name, value in record.request_headers:
        values.setdefault(name.lower(), []).append(value)
    framed = record.chunked or ("content-length" not in values and _names_chunks(values))
    body = record.request_body or (b"" if framed else None)
    piped = body is not None and not is_line(body)
    forwarded = bool(proxy) and parts.scheme == "http" and not proxy.startswith("socks")
    return _Request(record, parts, proxy, forwarded, values, framed, body, piped)


def _names_chunks(values: dict[str, list[str]]) -> bool:
    return any("chunked" in value.lower() for value in values.get("transfer-encoding", ()))


# What cannot be sent again.


def _obstacle(request: _Request) -> str:
    """Say why the command would send something else; empty if it would not."""
    record = request.record
    if not _METHOD.fullmatch(record.method):
        return "the method is no HTTP token"
    if request.parts.scheme not in _DEFAULT_PORT or not request.parts.host:
        return "curl speaks HTTP only with http and https URLs"
    if record.target is not None and not _ADDRESS.fullmatch(record.target):
        return "the request target holds characters that HTTP does not allow"
    if not _is_clean(request) and (record.target is None or not _ADDRESS.fullmatch(request.parts.authority)):
        return "the URL holds characters that HTTP does not allow"
    if max(len(record.url), len(record.target or "")) >= ARGUMENT_LIMIT:
        return "the URL is longer than an argument may be"
    return _body_obstacle(record) or _header_obstacle(record) or _framing_obstacle(request)


def _is_clean(request: _Request) -> bool:
    """Whether curl reads the URL as it is meant; a backslash after the host would be a part of the host to it."""
    return request.parts.path.startswith("/") and _ADDRESS.fullmatch(request.record.url) is not None


def _body_obstacle(record: Record) -> str:
    state, body, size = record.request_body_state, record.request_body, record.request_body_size
    if state == "cut":
        total = f" of {size}" if size is not None else ""
        return f"only the first {len(body or b'')}{total} bytes of the request body are known"
    if state == "complete" and body is None and size:
        return _UNKNOWN_BODY["missing"]
    return _UNKNOWN_BODY.get(state, "")


def _header_obstacle(record: Record) -> str:
    for name, value in record.request_headers:
        length = len(name) + len(": ") + len(value)
        if not _HEADER_NAME.fullmatch(name) or (not value and ";" in name):
            return "curl cannot send a header of this name"
        if not (value.isascii() and value.isprintable()):
            if _BAD_VALUE.search(value):
                return "a header holds bytes that curl cannot send"
            length *= 4  # as octal numbers, which are an argument too where printf is no builtin
        if length >= ARGUMENT_LIMIT:
            return "a header is longer than an argument may be"
    return ""


def _framing_obstacle(request: _Request) -> str:
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


# The command, piece by piece.


def _command(request: _Request, quote: Quote) -> Iterator[str]:
    yield "curl -q -g --path-as-is --http1.1"
    yield from _connection(request, quote)
    yield from _method(request, quote)
    yield from _address(request, quote)
    yield from _headers(request, quote)


def _connection(request: _Request, quote: Quote) -> Iterator[str]:
    """Yield how to reach the server, whatever the environment of the shell says about it."""
    record = request.record
    yield f"-x {quote(_bytes(request.proxy))} --noproxy ''" if request.proxy else "--noproxy '*'"
    if request.parts.scheme == "https" or request.proxy.startswith("https:"):
        yield from _certificates(record, quote)
    if record.timeout is not None:
        yield from _timeouts(record.timeout)


def _certificates(record: Record, quote: Quote) -> Iterator[str]:
    if record.verify is False:
        yield "-k"
    elif isinstance(record.verify, str) and record.verify:
        yield f"{'--capath' if _is_folder(record.verify) else '--cacert'} {quote(_bytes(record.verify))}"
    if record.cert:
        cert, key = (record.cert, None) if isinstance(record.cert, str) else record.cert
        # A colon would begin the password.
        yield "--cert " + quote(_bytes(cert.replace("\\", "\\\\").replace(":", "\\:")))
        if key:
            yield f"--key {quote(_bytes(key))}"


def _proxy(record: Record, parts: Parts) -> str:
    """Choose as requests does, and name the port: the default one of curl is another."""
    host = parts.host.strip("[]")
    proxies = dict(record.proxies)
    keys = (f"{parts.scheme}://{host}", parts.scheme, f"all://{host}", "all")
    chosen = next((proxies[key] for key in keys if key in proxies), "")
    if not chosen:
        return ""
    proxy = split(chosen if "://" in chosen else f"http://{chosen}")
    port = proxy.port or (f":{_DEFAULT_PORT[proxy.scheme]}" if proxy.scheme in _DEFAULT_PORT else "")
    userinfo = f"{proxy.userinfo}@" if proxy.userinfo else ""
    return f"{proxy.scheme}://{userinfo}{proxy.host}{port}"


def _bytes(text: str) -> str:
    """Return a text of the file system, or of a setting, with one character for each of its bytes."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def _is_folder(path: str) -> bool:
    """Guess by the name: a command is made without looking at a disk, which may be another machine's anyway."""
    return path.endswith("/") or "." not in path.rpartition("/")[2]


def _timeouts(timeout: Any) -> Iterator[str]:
    if isinstance(timeout, (tuple, list)):
        connect, read = timeout if len(timeout) == 2 else (None, None)
    elif hasattr(type(timeout), "connect_timeout"):  # urllib3's Timeout
        connect = _attribute(timeout, "connect_timeout")
        read = _attribute(timeout, "read_timeout") or _attribute(timeout, "total")
    else:
        connect = read = timeout
    if _is_seconds(connect):
        yield f"--connect-timeout {f'{max(connect, 0.001):.3f}'.rstrip('0').rstrip('.')}"
    if _is_seconds(read):
        # Less than 1 byte a second over so long: the nearest to a pause between bytes. -m would limit the whole.
        yield f"-y {max(1, math.ceil(read))} -Y 1"


def _attribute(timeout: Any, name: str) -> Any:
    try:
        return getattr(timeout, name)
    except Exception:  # with a total, urllib3 knows the read timeout only once it has connected
        return None


def _is_seconds(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _LONGEST_TIMEOUT


def _method(request: _Request, quote: Quote) -> Iterator[str]:
    method = request.record.method
    if method == "HEAD" and request.body is None:
        yield "-I"
    elif method != ("GET" if request.body is None else "POST"):
        yield f"-X {method if method.isascii() and method.isalpha() else quote(method)}"
    if method == "HEAD" and request.body is not None:
        # With a method of -X curl waits for a body of the response.
        yield "--ignore-content-length"


def _address(request: _Request, quote: Quote) -> Iterator[str]:
    record, parts = request.record, request.parts
    target = record.target
    if target is None and request.forwarded and parts.port:
        target = record.url  # curl would leave out a port that is the default one
    elif target == (record.url if request.forwarded else parts.path + parts.query):
        target = None
    yield quote(record.url if target is None or _is_clean(request) else f"{parts.scheme}://{parts.authority}/")
    if target is not None:
        yield f"--request-target {quote(target)}"


def _headers(request: _Request, quote: Quote) -> Iterator[str]:
    """Yield the headers, and what stops curl from sending others."""
    names, has_body = request.values, request.body is not None
    variables: dict[str, list[str]] = {}
    for variable, header in request.record.variables:
        variables.setdefault(header, []).append(variable)
    for name in ("User-Agent", "Accept"):
        if name.lower() not in names:
            yield f"-H '{name}:'"
    if has_body and "content-type" not in names:
        yield "-H 'Content-Type:'"
    if has_body and "expect" not in names and len(request.body or b"") > _EXPECT_THRESHOLD:
        yield "-H 'Expect:'"
    if request.forwarded and "proxy-connection" not in names:
        yield "-H 'Proxy-Connection:'"
    if "host" not in names and not _is_made_by_curl(request):
        yield f"-H {quote(f'Host: {_host(request)}')}"
    closing = has_body and request.record.method == "HEAD"
    if closing:
        yield "-H 'Connection: close'"
    for name, value in request.record.request_headers:
        if not _is_implied(request, name.lower(), value, closing):
            # Without the semicolon curl would take an empty header for one that is not wanted.
            header = f"{name}: {value}" if value.strip(" \t") else f"{name};"
            yield "-H " + (quote_with_variables(header, variables[name], quote) if name in variables else quote(header))
    if request.framed and "transfer-encoding" not in names:
        yield "-H 'Transfer-Encoding: chunked'"
    if "accept-encoding" in names and request.record.method != "HEAD":
        yield "--compressed"  # for the eye: it decodes the answer, and changes nothing on the wire beside the header


def _is_implied(request: _Request, name: str, value: str, closing: bool) -> bool:
    """Whether curl sends the header by itself, or must not get it."""
    if name == "content-length":
        return request.body is not None  # a stale one is dangerous as soon as somebody edits the body
    if name == "host":
        return value == _host(request) and _is_made_by_curl(request)
    return closing and name == "connection"


def _host(request: _Request) -> str:
    """The `Host` header that the HTTP client makes from the URL."""
    parts = request.parts
    if request.forwarded:
        return parts.authority
    host = parts.host.rstrip(".")
    return host if _has_default_port(parts) else host + parts.port


def _is_made_by_curl(request: _Request) -> bool:
    parts = request.parts
    if request.forwarded and parts.port and _has_default_port(parts):
        return False
    return _PLAIN_HOST.fullmatch(parts.host) is not None


def _has_default_port(parts: Parts) -> bool:
    return not parts.port or parts.port.lstrip(":0") == _DEFAULT_PORT.get(parts.scheme)


def _data(request: _Request) -> Iterator[str]:
    """Yield the body; --data-raw is the only option that never takes it for the name of a file."""
    if request.piped:
        yield "--data-binary @-"
    elif request.body is not None:
        yield f"--data-raw {quote_line(request.body.decode('ascii'))}"
