"""
What curl is told so that it sends a recorded request again, as options that each shell writes in its own way.

The order and case of headers, the sizes of chunks and a `Content-Length` that follows from the body may differ from
what was sent; in the styles for readers also what clients add by themselves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import quote_plus, unquote_plus

from ..records.patterns import lazy
from ..records.record import Record
from .dialect import Style
from .request import Request, bytes_of

__all__ = ["PIPED", "Option", "is_usual", "options", "timeouts"]

_EXPECT_THRESHOLD = 1024 * 1024
_LONGEST_TIMEOUT = 2_000_000.0  # seconds; curl counts milliseconds in a number of 32 bits on some systems

# What requests, urllib3 and curl send unasked.
_BY_ITSELF = {
    "user-agent": lazy(r"(?:python-(?:requests|urllib3)|curl)/[\w.]+"),
    "accept": lazy(r"\*/\*"),
    "accept-encoding": lazy(r"identity|gzip, deflate(?:, br)?(?:, zstd)?"),
    "connection": lazy(r"keep-alive", re.IGNORECASE),
}
# What every curl decodes; another coding makes it stop after the answer.
_CODINGS = lazy(r"(?:gzip|deflate|br|zstd|identity)(?:, *(?:gzip|deflate|br|zstd|identity))*")
_FORM = "application/x-www-form-urlencoded"
_FIELD = lazy(r"[A-Za-z0-9._~%\[\]+*-]+=[!-%'-~]*")
_PART = lazy(
    rb'\r\nContent-Disposition: form-data; name="([A-Za-z0-9._\[\]-]+)"\r\n\r\n((?:(?!\r\n)[ -~])*)\r\n', re.IGNORECASE
)
_BOUNDARY = lazy(r"multipart/form-data; boundary=([A-Za-z0-9'()+_,./:=?-]{1,70})")
_PRINTABLE = lazy(rb"[ -~]*")


class Option(NamedTuple):
    """One option of curl by its long name; each character of its value stands for one byte."""

    name: str
    value: str | None = None
    variables: tuple[str, ...] = ()
    """Shell variables whose placeholders stand in the value."""


PIPED = Option("data-binary", "@-")
"""Lets curl take the body from its standard input."""


_EXACT = (Option("disable"), Option("globoff"), Option("path-as-is"), Option("http1.1"))
_NO_PROXY = Option("noproxy", "*")
_COMPRESSED = Option("compressed")


def options(request: Request, style: Style, takes: Callable[[bytes], bool]) -> list[Option]:
    """Return what curl is told; a body that cannot be an argument is left to a pipe.

    Parameters
    ----------
    request: What was sent.
    style: How much is written down.
    takes: Whether a body can be an argument.
    """
    for_readers = style != "exact"
    body = list(_body(request, style, takes))
    return [
        *_guards(request, for_readers),
        *_connection(request, style),
        *_method(request),
        *_address(request),
        *_withheld(request, for_readers),
        *_headers(request, for_readers, {option.name for option in body}),
        *body,
    ]


# How the server is reached.


def _guards(request: Request, for_readers: bool) -> Iterator[Option]:
    """Yield what keeps curl, and what it reads in the environment, from changing the request."""
    if not for_readers:
        yield from _EXACT
    else:
        if any(letter in request.url for letter in "[]{}"):
            yield Option("globoff")
        if "/." in request.url:
            yield Option("path-as-is")


def _connection(request: Request, style: Style) -> Iterator[Option]:
    """Yield how to reach the server, whatever the environment of the shell says about it."""
    record = request.record
    if request.proxy:
        yield Option("proxy", bytes_of(request.proxy))
        yield Option("noproxy", "")
    elif style == "exact":
        yield _NO_PROXY
    if request.socket:
        yield Option("unix-socket", request.socket)
    if request.parts.scheme == "https" or request.proxy.startswith("https:"):
        yield from _certificates(record)
    if record.timeout is not None and style != "compact":
        yield from _timeouts(record.timeout)


def _certificates(record: Record) -> Iterator[Option]:
    if record.verify is False:
        yield Option("insecure")
    elif isinstance(record.verify, str) and record.verify:
        yield Option("capath" if _is_folder(record.verify) else "cacert", bytes_of(record.verify))
    if record.cert:
        cert, key = (record.cert, None) if isinstance(record.cert, str) else record.cert
        # A colon would begin the password.
        yield Option("cert", bytes_of(cert.replace("\\", "\\\\").replace(":", "\\:")))
        if key:
            yield Option("key", bytes_of(key))


def _is_folder(path: str) -> bool:
    """Guess by the name: a command is made without looking at a disk, which may be another machine's anyway."""
    return path.endswith("/") or "." not in path.rpartition("/")[2]


def _timeouts(timeout: Any) -> Iterator[Option]:
    connect, read = timeouts(timeout)
    if connect is not None:
        yield Option("connect-timeout", f"{max(connect, 0.001):.3f}".rstrip("0").rstrip("."))
    if read is not None:
        # Less than 1 byte a second over so long: the nearest to a pause between bytes. max-time would limit the whole.
        yield Option("speed-time", str(max(1, math.ceil(read))))
        yield Option("speed-limit", "1")


def timeouts(timeout: Any) -> tuple[float | None, float | None]:
    """Return the seconds for connecting and for reading, where they are numbers that mean something."""
    if isinstance(timeout, (tuple, list)):
        connect, read = timeout if len(timeout) == 2 else (None, None)
    elif hasattr(type(timeout), "connect_timeout"):  # urllib3's Timeout
        connect = _attribute(timeout, "connect_timeout")
        read = _attribute(timeout, "read_timeout") or _attribute(timeout, "total")
    else:
        connect = read = timeout
    return (connect if _is_seconds(connect) else None), (read if _is_seconds(read) else None)


def _attribute(timeout: Any, name: str) -> Any:
    try:
        return getattr(timeout, name)
    except Exception:  # with a total, urllib3 knows the read timeout only once it has connected
        return None


def _is_seconds(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _LONGEST_TIMEOUT


# The request.


def _method(request: Request) -> Iterator[Option]:
    method = request.record.method
    if method == "HEAD" and request.body is None:
        yield Option("head")
    elif method != ("GET" if request.body is None else "POST"):
        yield Option("request", method)
    if method == "HEAD" and request.body is not None:
        # With a method of --request curl waits for a body of the response.
        yield Option("ignore-content-length")


def _address(request: Request) -> Iterator[Option]:
    parts, target = request.parts, request.record.target
    if target is None and request.forwarded and parts.port:
        target = request.url  # curl would leave out a port that is the default one
    elif target == (request.url if request.forwarded else parts.path + parts.query):
        target = None
    yield Option("url", request.url if target is None or request.is_clean else f"{parts.scheme}://{parts.authority}/")
    if target is not None:
        yield Option("request-target", target)


def _withheld(request: Request, for_readers: bool) -> Iterator[Option]:
    """Yield what stops curl from sending headers of its own, or makes it send others."""
    names, body = request.values, request.body
    if not for_readers:
        for name in ("User-Agent", "Accept"):
            if name.lower() not in names:
                yield Option("header", f"{name}:")
    if body is not None and "content-type" not in names:
        yield Option("header", "Content-Type:")
    if body is not None and "expect" not in names and len(body) > _EXPECT_THRESHOLD:
        yield Option("header", "Expect:")
    if request.forwarded and "proxy-connection" not in names and not for_readers:
        yield Option("header", "Proxy-Connection:")
    if "host" not in names and not request.is_host_made_by_curl:
        yield Option("header", f"Host: {request.host}")
    if _closes(request):
        yield Option("header", "Connection: close")


def _closes(request: Request) -> bool:
    """Whether only the end of the connection ends the answer for curl."""
    return request.body is not None and request.record.method == "HEAD"


def _headers(request: Request, for_readers: bool, data: Collection[str]) -> list[Option]:
    """Return the headers; `data` names the options of the body."""
    found = []
    variables: dict[str, tuple[str, ...]] = {}
    for variable, header in request.record.variables:
        variables[header] = (*variables.get(header, ()), variable)
    implied = _implied(request)
    for name, value in request.record.request_headers:
        lower = name.lower()
        if (lower in implied and implied[lower] in (None, value)) or (for_readers and is_usual(request, lower, data)):
            continue
        # Without the semicolon curl would take an empty header for one that is not wanted.
        text = f"{name}: {value}" if value.strip(" \t") else f"{name};"
        found.append(Option("header", text, variables.get(name, ())))
    if request.framed and "transfer-encoding" not in request.values:
        found.append(Option("header", "Transfer-Encoding: chunked"))
    if _is_readable_compressed(request):
        found.append(_COMPRESSED)  # for the eye: it decodes the answer, and changes nothing beside the header
    return found


def _implied(request: Request) -> dict[str, str | None]:
    """Return the headers that curl sends by itself, or must not get; None stands for any value."""
    implied: dict[str, str | None] = {}
    if request.body is not None:
        implied["content-length"] = None  # a stale one is dangerous as soon as somebody edits the body
    if "host" in request.values and request.is_host_made_by_curl:
        implied["host"] = request.host
    if _closes(request):
        implied["connection"] = None
    return implied


def is_usual(request: Request, name: str, data: Collection[str]) -> bool:
    """Whether a reader can do without the header: clients send it unasked, or the options of the body make it."""
    value, *others = request.values[name]
    if others:
        return False
    if name == "content-type":
        return "json" in data or "form-string" in data or (bool(data) and value == _FORM)
    if name == "accept" and "json" in data:
        return value == "application/json"  # with --json curl asks for that
    usual = _BY_ITSELF.get(name)
    return usual is not None and usual.fullmatch(value) is not None


def _is_readable_compressed(request: Request) -> bool:
    codings = request.values.get("accept-encoding", ())
    return (
        len(codings) == 1
        and request.record.method != "HEAD"
        and codings[0].strip() != "identity"
        and _CODINGS.fullmatch(codings[0].strip().lower()) is not None
    )


# The body: none of these options ever takes it for the name of a file.


def _body(request: Request, style: Style, takes: Callable[[bytes], bool]) -> Iterator[Option]:
    body = request.body
    if body is None:
        return
    parts = _for_readers(request) if style == "readable" else []
    if parts and all(takes((option.value or "").encode("ascii")) for option in parts):
        yield from parts
    elif takes(body):
        yield Option("data-raw", body.decode("latin-1"))
    else:
        yield PIPED


def _for_readers(request: Request) -> list[Option]:
    """Return the body taken apart, if curl puts it together again; it cannot do that for a body in chunks."""
    if request.framed or not request.body:
        return []
    return _json(request) or _fields(request) or _parts(request)


def _content_type(request: Request) -> str:
    values = request.values.get("content-type", ())
    return values[0] if len(values) == 1 else ""


def _json(request: Request) -> list[Option]:
    body = request.body or b""
    fits = (
        _content_type(request) == "application/json"
        and len(request.values.get("accept", ())) == 1
        and body[:1] in (b"{", b"[", b'"')  # an at sign would begin the name of a file
        and _PRINTABLE.fullmatch(body) is not None
    )
    return [Option("json", body.decode("ascii"))] if fits else []


def _fields(request: Request) -> list[Option]:
    """Return the fields of a form one by one, if curl makes the same body of them."""
    body = request.body or b""
    if _content_type(request) != _FORM or not _PRINTABLE.fullmatch(body):
        return []
    fields = body.decode("ascii").split("&")
    return [_field(field) for field in fields] if all(map(_FIELD.fullmatch, fields)) else []


def _field(field: str) -> Option:
    name, _, encoded = field.partition("=")
    value = unquote_plus(encoded, "latin-1")
    # A space is not encoded alike by all versions of curl; what is not ASCII is not the same on all terminals.
    is_plain = value.isascii() and value.isprintable() and " " not in value
    if value != encoded and is_plain and quote_plus(value, safe="") == encoded:
        return Option("data-urlencode", f"{name}={value}")
    return Option("data-raw", field)


def _parts(request: Request) -> list[Option]:
    """Return the texts of a multipart body one by one, if it is nothing else; curl chooses another boundary."""
    found = _BOUNDARY.fullmatch(_content_type(request))
    if not found or not request.body:
        return []
    mark = b"--" + found[1].encode("ascii")
    first, *pieces = (request.body + b"\r\n").split(mark)  # as if a line of the boundary began after the end, too
    *texts, last = pieces or [b""]
    fields = [_PART.fullmatch(text) for text in texts]
    if first or last != b"--\r\n\r\n" or not all(fields):
        return []
    return [
        Option("form-string", f"{field[1].decode('ascii')}={field[2].decode('ascii')}") for field in fields if field
    ]
