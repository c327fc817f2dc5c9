"""Slack's rules for incoming webhooks and their blocks, and how its clients read what they get."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from curl_interceptor import Payload, SlackInspector

from . import assert_visible, strings

_FENCE = re.compile(r"```\n(.*?)\n```", re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
# What is left when code is taken away: nothing that mrkdwn, mentions, links or emoji are made of.
_HARMLESS = re.compile(r"(?:[A-Za-z0-9 ·.,'\n…\U0001f534\U0001f535\U0001f7e0]|\b-\b)*")
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")
_STYLES = ({"bold": True}, {"code": True})


def make(**options: Any) -> SlackInspector:
    return SlackInspector("https://hooks.slack.com/services/T0/B0/xyz", **options)


def check(payload: Payload) -> None:
    document = json.loads(payload.body)
    assert payload.content_type == "application/json"
    assert set(document) <= {"text", "blocks", "unfurl_links", "unfurl_media", "thread_ts"}
    assert document["unfurl_links"] is document["unfurl_media"] is False
    for text in strings(document):
        assert_visible(text)
        assert text
    _check_mrkdwn(document["text"])
    assert document["text"].strip()
    assert len(document["text"].encode("utf-16-le")) / 2 <= 4_000, "Slack may divide longer texts"

    blocks = document.get("blocks", [])
    assert len(blocks) <= 50
    # The most that is known to be taken, whatever is counted: texts, or all that is around them.
    assert len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le")) / 2 <= 13_000
    for block in blocks:
        _check_block(block)


def commands(payload: Payload) -> list[str]:
    document = json.loads(payload.body)
    if "blocks" not in document:
        fences = [html.unescape(found) for found in _FENCE.findall(document["text"])]
        return [fence for number, fence in enumerate(fences) if number % 2]
    found = []
    for block in document["blocks"]:
        if block["type"] == "rich_text":
            code = [one for one in block["elements"] if one["type"] == "rich_text_preformatted"]
            found.append(code[0]["elements"][0]["text"])
    return found


def text(payload: Payload) -> str:
    return "\n".join(html.unescape(found) for found in strings(json.loads(payload.body)))


def _check_mrkdwn(text: str) -> None:
    assert "<" not in text, "read as a mention or a link, in code as well"
    assert ">" not in text
    assert not _ENTITY.search(text), "cut within an entity, or not escaped"
    rest = _CODE.sub("", _FENCE.sub("", text))
    assert _HARMLESS.fullmatch(rest), f"not in code: {rest!a}"


def _check_block(block: dict[str, Any]) -> None:
    if block["type"] == "header":
        assert set(block) == {"type", "text"}
        assert set(block["text"]) == {"type", "text", "emoji"}
        assert block["text"]["type"] == "plain_text"
        assert 0 < len(block["text"]["text"]) <= 150
        assert _HARMLESS.fullmatch(block["text"]["text"])
        return
    assert set(block) == {"type", "elements"}
    assert block["type"] == "rich_text"
    assert block["elements"]
    for element in block["elements"]:
        assert set(element) == {"type", "elements"}
        assert element["type"] in ("rich_text_section", "rich_text_preformatted")
        assert element["elements"]
        for one in element["elements"]:
            assert set(one) <= {"type", "text", "style"}
            assert one["type"] == "text", "a link, a mention, or an emoji"
            assert one["text"]
            if element["type"] == "rich_text_preformatted":
                assert "style" not in one
            else:
                assert one.get("style") in _STYLES or _HARMLESS.fullmatch(one["text"])
