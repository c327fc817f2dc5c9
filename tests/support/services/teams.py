"""Rules of Microsoft Teams for cards that Workflows posts, and how its clients read them."""

from __future__ import annotations

import json
import re
from typing import Any

from curl_interceptor import Payload, TeamsInspector
from curl_interceptor.inspectors.message import describe

from . import assert_visible, strings

_CARD = {"$schema", "type", "version", "fallbackText", "body", "msteams"}
_ELEMENT = {"type", "spacing", "separator"}
_RUN = {"type", "text", "weight", "color", "size", "isSubtle", "fontType"}
_COLOURS = {"Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"}
_SPACINGS = {"None", "Small", "Default", "Medium", "Large", "ExtraLarge", "Padding"}
_LANGUAGES = {"Bash", "Json", "PlainText"}
# What clients carry out in any text but code: the adaptive card's date and time functions.
_FUNCTION = re.compile(r"\{\{(?:DATE|TIME)\(")


def make(**options: Any) -> TeamsInspector:
    url = "https://default0a1b.c2.environment.api.powerplatform.com:443/powerautomate/workflows/4d/triggers/manual"
    return TeamsInspector(f"{url}/paths/invoke?api-version=1&sp=%2Ftriggers&sv=1.0&sig=aB_c-4", **options)


def check(payload: Payload) -> None:
    assert payload.content_type == "application/json"
    assert len(payload.body) <= 20_000
    card = card_of(payload)
    assert set(card) <= _CARD
    assert card["type"] == "AdaptiveCard"
    assert card["version"] in ("1.2", "1.5")
    assert re.fullmatch(r"[A-Za-z0-9 '-]{1,100}", card["fallbackText"])
    assert card.get("msteams", {"width": "Full"}) == {"width": "Full"}
    assert card["body"], "an empty card"
    for found in strings(card):
        assert_visible(found)
        assert found, "an empty text"
    for element in card["body"]:
        if element["type"] == "Container":
            assert set(element) <= _ELEMENT | {"items"}
            assert element["items"]
            for inner in element["items"]:
                _check_element(inner)
        else:
            assert element["type"] == "RichTextBlock", "the plain form has lines alone"
            _check_element(element)


def commands(payload: Payload) -> list[str]:
    body = card_of(payload)["body"]
    if body[0]["type"] == "Container":
        blocks = [next(one for one in element["items"] if one["type"] == "CodeBlock") for element in body]
        assert all(block["language"] == "Bash" for block in blocks)
        return [block["codeSnippet"] for block in blocks]
    lines = [line for number, line in enumerate(body) if number + 1 == len(body) or body[number + 1].get("separator")]
    return [_as_meant(_read(line), entry) for line, entry in zip(lines, payload.entries, strict=True)]


def text(payload: Payload) -> str:
    return "\n".join(strings(card_of(payload)))


def card_of(payload: Payload) -> dict[str, Any]:
    """Return the one card of a message."""
    document = json.loads(payload.body)
    assert set(document) == {"type", "attachments"}
    assert document["type"] == "message"
    (attachment,) = document["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card: dict[str, Any] = attachment["content"]
    return card


def _check_element(element: dict[str, Any]) -> None:
    """Fail for anything but texts of runs, and code; a TextBlock or a FactSet would be read as Markdown."""
    assert element.get("spacing", "Default") in _SPACINGS
    if element["type"] == "CodeBlock":
        assert set(element) == {"type", "codeSnippet", "language", "fallback"}
        assert element["language"] in _LANGUAGES
        _check_element(element["fallback"])
        assert "".join(run["text"] for run in element["fallback"]["inlines"]) == element["codeSnippet"]
        return
    assert element["type"] == "RichTextBlock"
    assert set(element) <= _ELEMENT | {"inlines"}
    assert element["inlines"]
    for run in element["inlines"]:
        assert run["type"] == "TextRun"
        assert set(run) <= _RUN
        assert run.get("color", "Default") in _COLOURS
        assert not _FUNCTION.search(run["text"])


def _read(line: dict[str, Any]) -> str:
    """Return a line as a browser shows it: of spaces side by side there is one."""
    return re.sub(" +", " ", "".join(run["text"] for run in line["inlines"]))


def _as_meant(shown: str, entry: Any) -> str:
    """Return the command that a line says to a shell, to which closing and opening quotes amidst spaces are nothing."""
    command = describe(entry).command
    return command if re.sub(" (?= )", " ''", command) == shown else shown
