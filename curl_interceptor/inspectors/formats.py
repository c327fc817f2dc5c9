"""The forms in which a webhook of one's own may want its documents: JSON, lines of it, CloudEvents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..records.notice import Notice
from .base import Entry

__all__ = ["FORMATS", "Format"]

Document = dict[str, Any]


class Format(NamedTuple):
    """How documents become the body of a post."""

    content_type: str
    join: Callable[[Sequence[str]], str]
    """Makes one body of documents, each of them JSON on one line."""
    most: int | None = None
    """How many documents one body may have; None where there is no bound."""
    wrap: Callable[[Entry, Any], Any] = lambda entry, document: document
    """What stands around each document."""


def _array(texts: Sequence[str]) -> str:
    return f"[{','.join(texts)}]"


def _one_or_array(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else _array(texts)


def _lines(texts: Sequence[str]) -> str:
    """Every line ends with a newline, the last one too (ndjson-spec 3.1)."""
    return "".join(f"{text}\n" for text in texts)


def _event(entry: Entry, document: Any) -> Document:
    """Return an event of CloudEvents 1.0; a repeat has the same `id` and `source`, by which receivers know it."""
    event: Document = {
        "specversion": "1.0",
        "id": entry.id,
        "source": "urn:curl-interceptor",
        "type": f"curl_interceptor.{entry.kind if isinstance(entry, Notice) else 'record'}",
        "datacontenttype": "application/json",
        "data": document,
    }
    if isinstance(document, dict):
        if document.get("started"):
            event["time"] = document["started"]
        subject = entry.outcome if isinstance(entry, Notice) else f"{document.get('method', '')} {entry.host}"
        subject = subject.strip()[:200]
        if subject and subject.isascii() and subject.isprintable():
            event["subject"] = subject
    return event


FORMATS = {
    "json": Format("application/json", _one_or_array),
    "ndjson": Format("application/x-ndjson", _lines),
    "cloudevents": Format("application/cloudevents+json", "".join, 1, _event),
    "cloudevents-batch": Format("application/cloudevents-batch+json", _array, None, _event),
}
"""`"json"`: one document is an object, several are an array."""
