"""
A record as one entry of an HTTP Archive (HAR 1.2), as JSON in ASCII.

A text stands in an archive as characters; a body that is no UTF-8 is given in base64, as archives do it for responses
(`_encoding` in a request, where the format has no field for it).
What is unknown is -1, as the format wants it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl

from ..records.record import Headers, Record
from .dialect import Dialect, Style
from .request import understand, unknown_body

__all__ = ["DIALECT", "render"]

_VERSION = "HTTP/1.1"


def remark(sentence: str) -> str:
    """Return a sentence as a document of JSON that has nothing else in it."""
    return _json({"comment": sentence}, None)


def render(record: Record, style: Style = "exact") -> str:
    """Return the entry; `readable` is indented, the others are one line."""
    return _json(_entry(record), 2 if style == "readable" else None)


def _json(document: dict[str, Any], indent: int | None) -> str:
    # The one control character that JSON lets pass.
    return json.dumps(document, indent=indent, allow_nan=False).replace("\x7f", "\\u007f")


DIALECT = Dialect("har", render, remark)


def _entry(record: Record) -> dict[str, Any]:
    wait = _milliseconds(record.elapsed)
    total = wait if record.duration is None else max(wait, _milliseconds(record.duration))
    entry: dict[str, Any] = {
        "startedDateTime": datetime.fromtimestamp(record.started, timezone.utc).isoformat(timespec="milliseconds"),
        "time": total,
        "request": _request(record),
        "response": _response(record),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": round(total - wait, 3)},
    }
    error = f"{record.error}: {record.error_message or ''}" if record.error else ""
    place = f"called at {record.caller}" if record.caller else ""
    if error or place:
        entry["comment"] = "; ".join(filter(None, (error, place)))
    return entry


def _milliseconds(seconds: float) -> float:
    return round(max(seconds, 0.0) * 1000, 3)


def _request(record: Record) -> dict[str, Any]:
    request = understand(record)
    headers = record.request_headers
    if "host" not in request.values:
        headers = (("Host", request.host), *headers)
    if request.framed and "transfer-encoding" not in request.values:
        headers = (*headers, ("Transfer-Encoding", "chunked"))
    made: dict[str, Any] = {
        "method": record.method,
        "url": record.url,
        "httpVersion": _VERSION,
        "cookies": _cookies(request.values.get("cookie", [])),
        "headers": _pairs(headers),
        "queryString": _query(request.parts.query),
        "headersSize": -1,
        "bodySize": _size(record.request_body, record.request_body_state, record.request_body_size),
    }
    if record.request_body is not None:
        text, encoding = _text(record.request_body)
        made["postData"] = {"mimeType": ", ".join(request.values.get("content-type", [])), "text": text}
        if encoding:
            made["postData"]["_encoding"] = encoding
    missing = unknown_body(record)
    if missing:
        made["comment"] = missing
    return made


def _response(record: Record) -> dict[str, Any]:
    values: dict[str, list[str]] = {}
    for name, value in record.response_headers:
        values.setdefault(name.lower(), []).append(value)
    body = record.response_body or b""
    size = _size(record.response_body, record.response_body_state, record.response_body_size)
    content: dict[str, Any] = {"size": max(size, len(body)), "mimeType": ", ".join(values.get("content-type", []))}
    if record.response_body is not None:
        content["text"], encoding = _text(body)
        if encoding:
            content["encoding"] = encoding
    if record.response_body_state not in ("none", "complete"):
        content["comment"] = f"the response body is {record.response_body_state}"
    return {
        "status": record.status or 0,
        "statusText": record.reason or "",
        "httpVersion": _VERSION if record.status else "unknown",
        "cookies": _cookies([value.partition(";")[0] for value in values.get("set-cookie", [])]),
        "headers": _pairs(record.response_headers),
        "content": content,
        "redirectURL": ", ".join(values.get("location", [])),
        "headersSize": -1,
        "bodySize": -1,  # what was read may have been decoded
    }


def _size(body: bytes | None, state: str, size: int | None) -> int:
    if size is not None:
        return size
    return 0 if state == "none" else len(body) if body is not None and state == "complete" else -1


def _named(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _pairs(headers: Headers) -> list[dict[str, str]]:
    return [_named(name, value) for name, value in headers]


def _query(query: str) -> list[dict[str, str]]:
    return [_named(*pair) for pair in parse_qsl(query[1:], keep_blank_values=True, errors="backslashreplace")]


def _cookies(headers: list[str]) -> list[dict[str, str]]:
    pairs = (part.strip().partition("=") for header in headers for part in header.split(";"))
    return [_named(name, value) for name, mark, value in pairs if mark]


def _text(body: bytes) -> tuple[str, str]:
    """Return a body as characters, or in base64 with the name of this encoding."""
    try:
        return body.decode("utf-8"), ""
    except UnicodeDecodeError:
        return b64encode(body).decode("ascii"), "base64"
