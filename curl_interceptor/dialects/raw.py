"""
A record as the text of an HTTP/1.1 message, with the line ends of a text.

The headers are those of the wire. Bytes that are not printable ASCII come as escapes such as `\\xe9`, and a body keeps
its line breaks, or is given in base64 where it is hardly a text. This is for reading and comparing; what is not known
of the body is said below it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator

from ..records.patterns import lazy
from ..records.record import Record
from .dialect import Dialect, Style
from .request import understand, unknown_body

__all__ = ["DIALECT", "render"]

_HIDDEN = lazy(r"[^ -~]|\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[\\nrt])")
_HIDDEN_IN_BODY = lazy(r"[^\n -~]|\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[\\nrt])")
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n\r\t"
_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def render(record: Record, style: Style = "exact") -> str:
    """Return the record as text; all styles are the same."""
    return "\n".join(_lines(record))


DIALECT = Dialect("raw", render)


def _lines(record: Record) -> Iterator[str]:
    request = understand(record)
    target = record.target
    if target is None:
        target = request.url if request.forwarded else request.parts.path + request.parts.query
    yield _show(f"{record.method} {target} HTTP/1.1")
    if "host" not in request.values:
        yield _show(f"Host: {request.host}")
    for name, value in record.request_headers:
        yield _show(f"{name}: {value}".rstrip(" ") if not value else f"{name}: {value}")
    if request.framed and "transfer-encoding" not in request.values:
        yield "Transfer-Encoding: chunked"
    yield ""
    if request.record.request_body:
        yield from _body(request.record.request_body)
    missing = unknown_body(record)
    if missing:
        yield f"# {missing}"


def _body(body: bytes) -> Iterator[str]:
    """Yield the text of a body; one that is hardly any is easier to use in base64."""
    if len(body.translate(None, _PLAIN)) * 4 > len(body):
        yield f"# {len(body)} bytes in base64:"
        yield b64encode(body).decode("ascii")
    else:
        yield _HIDDEN_IN_BODY.sub(_escape, body.decode("latin-1"))


def _show(line: str) -> str:
    return _HIDDEN.sub(_escape, line)


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return _NAMES.get(letter) or (f"\\x{ord(letter):02x}" if ord(letter) < 256 else ascii(letter)[1:-1])
