"""A file takes NDJSON: a line of strict JSON for each record."""

from __future__ import annotations

import json
import tempfile
from typing import Any

from curl_interceptor import FileInspector, Payload

from . import strings


def make(**options: Any) -> FileInspector:
    return FileInspector(f"{tempfile.gettempdir()}/contract.ndjson", **options)


def check(payload: Payload) -> None:
    assert payload.content_type == "application/x-ndjson"
    assert payload.body.endswith(b"\n") or not payload.entries
    assert len(_documents(payload)) == len(payload.entries)


def commands(payload: Payload) -> list[str]:
    return [document["curl"] for document in _documents(payload)]


def text(payload: Payload) -> str:
    return "\n".join(found for document in _documents(payload) for found in strings(document))


def _documents(payload: Payload) -> list[Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    lines = payload.body.decode("ascii").split("\n")[:-1]
    return [json.loads(line, parse_constant=refuse) for line in lines]
