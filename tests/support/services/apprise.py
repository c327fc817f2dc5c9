"""Apprise takes a title, a body and its form; a service of Markdown shows what is between fences as it is."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import pytest

from curl_interceptor import AppriseInspector, Payload

from . import assert_visible

_FENCE = re.compile(r"```\n(.*?)\n```", re.DOTALL)


def make(**options: Any) -> AppriseInspector:
    pytest.importorskip("apprise")
    with warnings.catch_warnings():  # of all its plugins, which it imports at once
        warnings.simplefilter("ignore")
        return AppriseInspector("json://127.0.0.1/services/4711?format=markdown", **options)


def check(payload: Payload) -> None:
    document = json.loads(payload.body)
    assert set(document) == {"title", "body", "type", "format"}
    assert document["format"] == "markdown"
    assert document["type"] in ("failure", "warning", "info")
    assert 0 < len(document["title"]) <= 250
    assert len(document["title"] + document["body"]) <= 32_768
    assert re.fullmatch(r"[A-Za-z0-9 ,.'…-]*", document["title"])
    assert not _FENCE.sub("", document["body"]).strip(), "not in code"
    assert_visible(document["body"])


def commands(payload: Payload) -> list[str]:
    fences = _FENCE.findall(json.loads(payload.body)["body"])
    after_summary = [fences[number - 1].count("\n") for number in range(len(fences))]
    return [
        fence
        for number, fence in enumerate(fences)
        if number and "\n" not in fence and after_summary[number] and not fences[number - 1].startswith(_NAMES)
    ]


def text(payload: Payload) -> str:
    document = json.loads(payload.body)
    return f"{document['title']}\n{document['body']}"


_NAMES = ("Response\n", "Request body\n")
