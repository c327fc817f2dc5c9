"""Seeing whether a secret, in any writing, is in anything that leaves the process."""

from __future__ import annotations

import base64
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

from curl_interceptor import dialects
from curl_interceptor.inspectors.logger import LoggingInspector
from curl_interceptor.inspectors.webhook import document
from curl_interceptor.records.record import Record
from curl_interceptor.records.redaction import Redaction, redact

from .corpus import Lookalike, Planted

DEFAULT = Redaction()


def outputs(record: Record) -> Iterator[str]:
    """Everything that is made of a record, and what somebody would make of that."""
    yield repr(record)
    yield json.dumps(document(record), ensure_ascii=False)
    yield LoggingInspector().payloads([record])[0].body.decode()
    for name in dialects.names():
        yield dialects.render(record, dialect=name)
    for body in (record.request_body, record.response_body):
        if body:
            yield from readings(body)


def readings(body: bytes) -> Iterator[str]:
    """A body as text, by every way to read it."""
    for data in (body, *_unpacked(body)):
        for charset in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "latin-1"):
            text = data.decode(charset, "replace")
            yield text
            yield text.replace("\\", "")
            yield unquote_plus(unquote(text))


def _unpacked(body: bytes) -> Iterator[bytes]:
    for bits in (31, 15, -15):
        try:
            yield zlib.decompressobj(bits).decompress(body)
        except zlib.error:
            continue


def leaks(record: Record, secret: str) -> bool:
    """Whether the secret can be read in any output."""
    codes = [secret, json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode().rstrip("=")]
    return any(code in output for output in outputs(record) for code in codes)


def missed(secrets: list[Planted], rules: Redaction = DEFAULT) -> dict[str, list[Planted]]:
    """The planted secrets that got out, by their kind."""
    found: dict[str, list[Planted]] = defaultdict(list)
    for one in secrets:
        if leaks(redact(one.exchange, rules, id="1"), one.secret):
            found[one.kind].append(one)
    return found


def hidden(harmless: list[Lookalike], rules: Redaction = DEFAULT) -> list[Lookalike]:
    """The lookalikes of which something was hidden."""
    return [one for one in harmless if "REDACTED" in repr(redact(one.exchange, rules, id="1"))]
