"""
A record as a Python program that sends it with requests.

`exact` gives the wire's bytes: the request is prepared without a session's defaults, and what requests would add is
named. The other styles leave out what requests adds by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..records.patterns import lazy
from ..records.record import Record
from ..records.url import is_kept
from .command import is_usual, timeouts
from .dialect import Dialect, Style, remark
from .request import Request, obstacle, understand

__all__ = ["DIALECT", "render", "requests_obstacle", "is_prepared_alike"]

_NO_LIMIT = 1 << 31
_HOST = lazy(r"[a-z0-9][a-z0-9.-]*|\[[0-9a-f:.]+\]")
# requests writes an escape of one of these as the letter itself.
_NEEDLESS_ESCAPE = lazy(r"%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])")
_CHECKED_VALUE = lazy(r"(?!\s)[^\r\n]*")  # what requests lets pass when it prepares a request
_SENT_WITHOUT_LENGTH = frozenset({"GET", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT"})
# What urllib3 adds if it is not told to leave it out.
_SKIPPABLE = ("User-Agent", "Accept-Encoding")


def render(record: Record, style: Style = "exact") -> str:
    """Return the record as a program; `compact` has the fewest lines."""
    request = understand(record)
    reason = obstacle(request, _NO_LIMIT) or requests_obstacle(request) or _obstacle(request)
    if reason:
        return remark(f"not runnable: {reason}: {record.method!a} {record.url!a}")
    late = [(name, value) for name, value in record.request_headers if not _CHECKED_VALUE.fullmatch(value)]
    alike = is_prepared_alike(request) and "/." not in request.parts.path
    if style != "exact" and alike and not late and record.method == record.method.upper():
        return "\n".join(_short(request, style))
    return "\n".join(_exact(request, alike, late))


DIALECT = Dialect("python", render)


def requests_obstacle(request: Request) -> str:
    """Say why requests would send something else; empty if it would not."""
    if request.socket:
        return "requests reaches a socket in the file system only with an adapter that is made for it"
    if request.record.target not in (None, request.parts.path + request.parts.query, request.url):
        return "requests takes the request target from the URL"
    if not is_kept(request.parts.path + request.parts.query):
        return "requests would write this URL in another way"
    if request.forwarded and "/." in request.parts.path:
        return "requests would shorten the path for the proxy"
    return ""


def is_prepared_alike(request: Request) -> bool:
    """Whether the URL comes out of requests' preparation as it went in."""
    return _HOST.fullmatch(request.parts.host) is not None and not _NEEDLESS_ESCAPE.search(request.url)


def _obstacle(request: Request) -> str:
    if any(len(values) > 1 for values in request.values.values()):
        return "requests cannot send two headers of the same name"
    if "content-length" in request.values or request.body is not None:
        return ""
    if "transfer-encoding" in request.values:
        return "requests sends a Transfer-Encoding with a body only"
    if request.record.method.upper() not in _SENT_WITHOUT_LENGTH:
        return "requests sends a Content-Length with a request of this method"
    return ""


class _Call(NamedTuple):
    """The pieces of a program."""

    headers: list[tuple[str, str]]
    """Names, and values as Python writes them."""
    data: str
    """The body as Python writes it; empty without one."""
    settings: list[str]
    """Keyword arguments of the sending."""


def _exact(request: Request, alike: bool, late: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of a program that sends exactly what was sent.

    Parameters
    ----------
    request: What was sent.
    alike: Whether its URL can be prepared.
    late: Headers that cannot be, and are set afterwards.
    """
    record = request.record
    headers = [pair for pair in _headers(request) if pair[0] not in dict(late)]
    call = _Call(headers, _data(request), _settings(record))
    skipped = [name for name in _SKIPPABLE if name.lower() not in request.values]
    url = request.url if alike else f"{request.parts.scheme}://localhost/"
    yield "import requests"
    if skipped:
        yield "import urllib3"
    yield ""
    yield f"request = requests.Request({_arguments(request, url, call, 'exact')}).prepare()"
    if record.method != record.method.upper():
        yield f"request.method = {record.method!a}"
    if not alike:
        yield f"request.url = {request.url!a}"
    for name, value in late:
        yield f"request.headers[{name!a}] = {_literal(value)}"
    for name in skipped:
        yield f"request.headers[{name!a}] = urllib3.util.SKIP_HEADER"
    if request.body is None and "content-length" not in request.values:
        yield "request.headers.pop('Content-Length', None)"
    yield "with requests.Session() as session:"
    yield "    session.trust_env = False"
    yield f"    response = session.send({', '.join(['request', *call.settings, 'allow_redirects=False'])})"
    yield "    print(response.status_code, response.text)"


def _short(request: Request, style: Style) -> Iterator[str]:
    """Yield the lines of a program that somebody would write."""
    headers = [pair for pair in _headers(request) if not is_usual(request, pair[0].lower(), ())]
    call = _Call(headers, _data(request), [*_settings(request.record), "allow_redirects=False"])
    yield "import requests"
    yield ""
    yield f"response = requests.request({_arguments(request, request.url, call, style)})"
    yield "print(response.status_code, response.text)"


def _arguments(request: Request, url: str, call: _Call, style: Style) -> str:
    """Return the arguments of a request; `readable` gives each a line of its own."""
    wide = style == "readable"
    found = [ascii(request.record.method), ascii(url)]
    if call.headers:
        pairs = [f"{name!a}: {value}" for name, value in call.headers]
        inner = "".join(f"\n        {pair}," for pair in pairs) + "\n    " if wide else ", ".join(pairs)
        found.append(f"headers={{{inner}}}")
    if call.data:
        found.append(f"data={call.data}")
    if style != "exact":
        found += call.settings
    return "".join(f"\n    {argument}," for argument in found) + "\n" if wide else ", ".join(found)


def _headers(request: Request) -> list[tuple[str, str]]:
    """Return the headers that requests does not make from the body."""
    made = {"transfer-encoding"} if request.framed else set()
    if request.body is not None:
        made.add("content-length")
    return [(name, _literal(value)) for name, value in request.record.request_headers if name.lower() not in made]


def _literal(value: str) -> str:
    """Return the value of a header; one that is not ASCII as bytes, which requests sends as they are."""
    return ascii(value) if value.isascii() else ascii(value.encode("latin-1"))


def _data(request: Request) -> str:
    body = request.body
    if body is None:
        return ""
    return f"iter([{body!a}])" if request.framed else ascii(body)


def _settings(record: Record) -> list[str]:
    """Return how the connection was made, as keyword arguments."""
    found = []
    connect, read = timeouts(record.timeout)
    if connect is not None or read is not None:
        found.append(f"timeout={connect if connect == read else (connect, read)}")
    if not record.url.startswith("http://"):
        if record.verify is not True and isinstance(record.verify, (bool, str)):
            found.append(f"verify={record.verify!a}")
        if record.cert:
            found.append(f"cert={_text(record.cert)!a}")
    proxies = {str(name): str(proxy) for name, proxy in record.proxies}
    if proxies:
        found.append(f"proxies={proxies!a}")
    return found


def _text(cert: Any) -> str | tuple[str, ...]:
    return cert if isinstance(cert, str) else tuple(map(str, cert))
