"""The generic webhook: records as JSON, for a receiver of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ConfigurationError
from ..policies import check_callable, check_number, shown
from .base import Entry, Inspector, Payload, strict_json
from .document import document
from .formats import FORMATS
from .signature import Signature

__all__ = ["INSPECTOR", "WebhookInspector", "document"]

_LONGEST = 200  # characters of a text where there is little room
_LEFT_OUT = "# not runnable: the command is too long for a post here"


class WebhookInspector(Inspector):
    """Posts records as JSON to any `http` or `https` URL.

    One record is one JSON object, with the command under `"curl"` and a constant `"id"`; several are an array of such
    objects. Any answer from 200 to 299 counts as delivered.

    Parameters
    ----------
    url:
        Webhook URL.
    format:
        `"json"` (the default), `"ndjson"`, one object a line; `"cloudevents"`, one structured event of CloudEvents 1.0
        a post; or `"cloudevents-batch"`, an array of them, for receivers that said that they take such batches.
    template:
        A callable that gets a record and returns what is posted in the place of its document: whatever JSON has. Where
        it fails, or returns something else, the usual document is posted. Default: none.
    secret:
        Signs each post as Standard Webhooks has it: `"whsec_"` and 24 to 64 bytes in base64. Default: no signature.
    headers:
        Headers for each post, such as `{"Authorization": "Bearer …"}`. Default: none.
    max_bytes:
        Largest body of a post, 10,000 to 100,000,000 bytes: more than that goes in several posts, and a record that
        is too large by itself goes without headers and bodies. Default 1 MB, as much as many servers take.
    options:
        The keywords of `Inspector`.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    def __init__(
        self,
        url: str,
        *,
        format: str = "json",
        template: Callable[[Entry], Any] | None = None,
        secret: str | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1_000_000,
        **options: Any,
    ) -> None:
        super().__init__(url, **options)
        if not isinstance(format, str) or format not in FORMATS:
            raise ConfigurationError(f"format must be one of {', '.join(FORMATS)}, got {shown(format)}")
        if template is not None:
            check_callable("template", template, "a record")
        check_number("max_bytes", max_bytes, minimum=10_000, maximum=100_000_000, whole=True, unit="bytes")
        self._format = FORMATS[format]
        self._template = template
        self._signature = None if secret is None else Signature(secret)
        self._headers = _checked(headers or {})
        self._most = max_bytes

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return one payload with all entries, or several where they are too large; plain is without bodies."""
        texts = [self._text(entry, plain=plain) for entry in entries]
        payloads: list[Payload] = []
        for first, last in self._spans(texts):
            body = self._format.join(texts[first:last]).encode("ascii")
            payload = Payload(tuple(entries[first:last]), body, self._format.content_type, self._headers)
            payloads.append(self.renewed(payload))
        return payloads

    def renewed(self, payload: Payload) -> Payload:
        """Return the payload with the signature of this moment."""
        if self._signature is None:
            return payload
        signed = self._signature.headers(payload.entries, payload.body, time.time())
        return replace(payload, headers=(*self._headers, *signed))

    def _spans(self, texts: Sequence[str]) -> list[tuple[int, int]]:
        """Return which documents go together."""
        spans: list[tuple[int, int]] = []
        first = size = 0
        for at, text in enumerate(texts):
            length = len(text) + 1  # a comma or a newline
            if at > first and (size + length > self._most - 2 or at - first == self._format.most):
                spans.append((first, at))
                first, size = at, 0
            size += length
        return [*spans, (first, len(texts))] if texts else []

    def _text(self, entry: Entry, *, plain: bool) -> str:
        if not plain and self._template is not None:
            text = strict_json(self._format.wrap(entry, self._template(entry)))
            if len(text) < self._most - 2:
                return text
        found = document(entry, plain=plain)
        text = strict_json(self._format.wrap(entry, found))
        if len(text) >= self._most - 2:
            found = document(entry, plain=True)
            text = strict_json(self._format.wrap(entry, found))
        return text if len(text) < self._most - 2 else strict_json(self._format.wrap(entry, _least(found)))


INSPECTOR = WebhookInspector


def _least(found: dict[str, Any]) -> dict[str, Any]:
    """Return what is left of a document where there is no room for its command."""
    values = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in found.items()}
    if found.get("error") is not None:
        values["error"] = {name: text[:_LONGEST] for name, text in found["error"].items()}
    if found["kind"] != "record":
        return {**values, "context": {}}
    return {**values, "curl": _LEFT_OUT, "context": {}, "variables": {}, "notes": [], "restore": {}}


def _checked(headers: Any) -> tuple[tuple[str, str], ...]:
    """Return headers that can be sent; what they hold may be secret and is not repeated."""
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a mapping of names and values, got a {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not name or not name.isascii() or not name.replace("-", "").isalnum():
            raise ConfigurationError(f"headers: a name must be letters, digits and hyphens, got {shown(name)}")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"headers: the value of {name} must be printable ASCII")
    return tuple(headers.items())
