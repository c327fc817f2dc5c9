"""A receiver of one's own takes strict JSON."""

from __future__ import annotations

import json
from typing import Any

from curl_interceptor import Payload, WebhookInspector

from . import strings


def make(**options: Any) -> WebhookInspector:
    return WebhookInspector("https://hooks.example.com/services/4711", **options)


def check(payload: Payload) -> None:
    assert payload.content_type == "application/json"
    for document in _documents(payload):
        for text in strings(document):
            text.encode("utf-8")


def commands(payload: Payload) -> list[str]:
    return [document["curl"] for document in _documents(payload)]


def text(payload: Payload) -> str:
    return "\n".join(found for document in _documents(payload) for found in strings(document))


def _documents(payload: Payload) -> list[Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads(payload.body.decode("utf-8"), parse_constant=refuse)
    return document if isinstance(document, list) else [document]
