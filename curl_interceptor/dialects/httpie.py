"""
A record as a command of HTTPie 3, for the same shells as the portable dialect.

HTTPie is requests with defaults of its own. It strips white space around a header, sends headers as UTF-8, and has
methods of letters only; what would come out otherwise is said in the place of a command. It has no option that keeps it
from its own configuration, nor from the proxies of the environment.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..records.patterns import lazy
from ..records.record import Record
from .command import is_usual, timeouts
from .dialect import Dialect, Style, remark
from .python import is_prepared_alike, requests_obstacle
from .quoting import ARGUMENT_LIMIT, feed, is_line, quote, show
from .request import Request, bytes_of, obstacle, understand

__all__ = ["DIALECT", "render"]

_BARE = lazy(r"[A-Z]+|--[a-z-]+(?:=[a-z0-9.]+)?")
_METHOD = lazy(r"[A-Z]+")
_NAME = lazy(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# HTTPie takes these for the end of a name, and a backslash before one of them for an escape.
_SPECIAL = ":;=@"
_LOST_BACKSLASH = lazy(rf"\\[{_SPECIAL}]")
_DEFAULTS = ("User-Agent", "Accept", "Accept-Encoding", "Connection")


def render(record: Record, style: Style = "exact") -> str:
    """Return the record as a command; every style is printable ASCII, and `readable` alone has more than one line."""
    request = understand(record)
    reason = obstacle(request, ARGUMENT_LIMIT) or requests_obstacle(request) or _obstacle(request)
    if reason:
        return remark(f"not runnable: {reason}: {show(record.method)} {show(record.url)}")
    words = [word if _BARE.fullmatch(word) else quote(word) for word in _words(request, style)]
    command = f"http {(_BROKEN if style == 'readable' else ' ').join(words)}"
    return f"{feed(request.body)} | {command}" if request.body and not _takes(request.body) else command


def _takes(body: bytes) -> bool:
    """Whether a body can be an argument; older versions of Python lose two dashes after an equals sign."""
    return is_line(body) and body != b"--"


_BROKEN = " \\\n  "
DIALECT = Dialect("httpie", render)


def _obstacle(request: Request) -> str:
    """Say why HTTPie would send something else; empty if it would not."""
    record = request.record
    if not _METHOD.fullmatch(record.method):
        return "HTTPie knows methods of capital letters only"
    if not is_prepared_alike(request):
        return "HTTPie would write this URL in another way"
    if request.framed and not request.body:
        return "HTTPie sends chunks only of a body that is not empty"
    if request.body is None and "transfer-encoding" in request.values:
        return "HTTPie sends a Transfer-Encoding with a body only"
    if request.body is None and record.method not in _SENT_BARE and "content-length" not in request.values:
        return "HTTPie sends a Content-Length with a request of this method"
    for name, value in record.request_headers:
        if not _NAME.fullmatch(name) or name.startswith("-"):
            return "HTTPie cannot send a header of this name"
        if _LOST_BACKSLASH.search(value):
            return "HTTPie would lose a backslash of a header"
        if not _is_kept(value):
            return "HTTPie cannot send these bytes in a header"
    return ""


_SENT_BARE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"})


def _is_kept(value: str) -> bool:
    try:
        text = value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return text == text.strip()


def _words(request: Request, style: Style) -> Iterator[str]:
    record = request.record
    yield from _options(request, style)
    yield record.method
    yield request.url
    yield from _headers(request, style)
    if request.body is not None and _takes(request.body):
        yield f"--raw={request.body.decode('ascii')}"


def _options(request: Request, style: Style) -> Iterator[str]:
    record = request.record
    if request.body is None or _takes(request.body):
        yield "--ignore-stdin"
    if style == "exact":
        yield "--ignore-netrc"
    if style == "exact" or "/." in request.url:
        yield "--path-as-is"
    if request.framed:
        yield "--chunked"
    if request.parts.scheme == "https":
        if record.verify is False or (isinstance(record.verify, str) and record.verify):
            yield f"--verify={'no' if record.verify is False else bytes_of(record.verify)}"
        if record.cert:
            cert, key = (record.cert, "") if isinstance(record.cert, str) else record.cert
            yield f"--cert={bytes_of(cert)}"
            if key:
                yield f"--cert-key={bytes_of(key)}"
    if request.proxy:
        yield f"--proxy={request.parts.scheme}:{bytes_of(request.proxy)}"
    connect, read = timeouts(record.timeout)
    if style != "compact" and (connect or read):
        yield f"--timeout={max(connect or 0, read or 0):g}"


def _headers(request: Request, style: Style) -> Iterator[str]:
    """Yield the headers, and what stops HTTPie from sending others."""
    if style == "exact":
        yield from (f"{name}:" for name in _DEFAULTS if name.lower() not in request.values)
    if request.body is not None and "content-type" not in request.values:
        yield "Content-Type:"
    made = {"transfer-encoding"} if request.framed else set()
    if request.body is not None:
        made.add("content-length")
    for name, value in request.record.request_headers:
        lower = name.lower()
        if lower in made or (style != "exact" and lower != "accept" and is_usual(request, lower, ())):
            continue
        # An at sign there would begin the name of a file, an equals sign a piece of JSON.
        escape = "\\" if value[:1] in ("@", "=") and value else ""
        yield f"{name}:{escape}{value}" if value else f"{name};"
