"""An entry as a JSON document: what a webhook of one's own gets, and what a file keeps."""

from __future__ import annotations

import base64
import math
from datetime import datetime, timezone
from typing import Any

from ..dialects import render
from ..records.notice import Notice
from ..records.record import Headers, Record
from .base import Entry

__all__ = ["document"]


def document(entry: Entry, *, plain: bool = False) -> dict[str, Any]:
    """Return an entry as a JSON document; its `"kind"` says of what. Plain is without what may be large."""
    return _of_notice(entry, plain=plain) if isinstance(entry, Notice) else _of_record(entry, plain=plain)


def _of_record(record: Record, *, plain: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": record.id,
        "kind": "record",
        "curl": render(record),
        "method": _text(record.method),
        "url": _text(record.url),
        "status": record.status,
        "reason": None if record.reason is None else _text(record.reason),
        "error": None
        if record.error is None
        else {"type": _text(record.error), "message": _text(record.error_message or "")},
        "started": _time(record.started),
        "elapsed": _seconds(record.elapsed),
        "duration": _seconds(record.duration),
        "fingerprint": _text(record.fingerprint),
        "suppressed": record.suppressed,
        "context": {_text(name): _text(value) for name, value in record.context},
    }
    if record.retried:
        facts["attempts"] = len(record.retried) + 1
        facts["retried"] = list(record.retried)
    if record.caller is not None:
        facts["caller"] = _text(record.caller)
    if record.peer is not None:
        facts["peer"] = _text(record.peer)
    if record.variables:
        facts["variables"] = {_text(name): _text(header) for name, header in record.variables}
    if record.notes:
        facts["notes"] = [_text(note) for note in record.notes]
    if record.suppressed_since is not None:
        facts["suppressed_since"] = _time(record.suppressed_since)
    facts["restore"] = _more(record, facts)
    if not plain:
        facts["request"] = {
            "headers": _headers(record.request_headers),
            **_body(record.request_body, record.request_body_state, record.request_body_size),
        }
        if record.status is not None:
            facts["response"] = {
                "headers": _headers(record.response_headers),
                **_body(record.response_body, record.response_body_state, record.response_body_size),
            }
    return facts


def _more(record: Record, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what the other keys leave out or round, under the names of `Record`; see `restore`."""
    values = {
        "host": record.host,
        "started": record.started,
        "elapsed": record.elapsed if facts["elapsed"] != record.elapsed else None,
        "duration": record.duration if facts["duration"] != record.duration else None,
        "suppressed_since": record.suppressed_since,
        "chunked": record.chunked,
        "target": record.target,
        "verify": None if record.verify is True else record.verify,
        "cert": record.cert,
        "proxies": record.proxies or None,
        "timeout": record.timeout,
        "context": _pairs_if_folded(record.context, facts["context"]),
        "variables": _pairs_if_folded(record.variables, facts.get("variables", {})),
    }
    return _said(values)


def _pairs_if_folded(pairs: Headers, named: dict[str, str]) -> Headers | None:
    """Return pairs of which an object has fewer, since several have one name."""
    return pairs if len(named) < len(pairs) else None


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that are there, as JSON has them."""
    said = {name: _plain(value) for name, value in values.items() if value is not None}
    return {name: plain for name, plain in said.items() if plain is not None}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; None for what it does not have."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float)) else None


def _of_notice(notice: Notice, *, plain: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": notice.id,
        "kind": notice.kind,
        "level": notice.level,
        "text": _text(notice.text),
        "error": None
        if notice.error is None
        else {"type": _text(notice.error), "message": _text(notice.error_message or "")},
        "caller": None if notice.caller is None else _text(notice.caller),
        "started": _time(notice.started),
        "fingerprint": _text(notice.fingerprint),
        "suppressed": notice.suppressed,
        "context": {_text(name): _text(value) for name, value in notice.context},
    }
    if notice.suppressed_since is not None:
        facts["suppressed_since"] = _time(notice.suppressed_since)
    if not plain:
        facts["traceback"] = [_text(line) for line in notice.traceback.split("\n")] if notice.traceback else []
        facts["extra"] = {_text(name): _text(value) for name, value in notice.extra}
    more = {
        "started": notice.started,
        "suppressed_since": notice.suppressed_since,
        "context": _pairs_if_folded(notice.context, facts["context"]),
        "extra": None if plain else _pairs_if_folded(notice.extra, facts["extra"]),
    }
    facts["restore"] = _said(more)
    return facts


def _time(seconds: float) -> str | None:
    """Return a time of the clock; None for what has no date."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(value: float | None) -> float | None:
    """Return a number that JSON has."""
    return None if value is None or not math.isfinite(value) else round(value, 6)


def _headers(headers: Headers) -> list[list[str]]:
    return [[_text(name), _text(value)] for name, value in headers]


def _body(body: bytes | None, state: str, size: int | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"body": None, "body_state": state, "body_size": size}
    if body is not None:
        try:
            facts["body"] = body.decode("utf-8")
        except UnicodeDecodeError:
            facts["body_base64"] = base64.b64encode(body).decode("ascii")
    return facts


def _text(value: str) -> str:
    """Lone surrogates have no place in JSON that travels as UTF-8."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")
