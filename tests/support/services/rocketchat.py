"""Rocket.Chat's rules for incoming webhooks, whom its server notifies, and how its clients read what they get."""

from __future__ import annotations

import json
import re
from typing import Any

from curl_interceptor import Payload, RocketChatInspector

from . import assert_visible

_FENCE = re.compile(r"```([a-z]*)\n(.*?)\n```", re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_OURS = re.compile(r"^[\U0001f534\U0001f535\U0001f7e0] \*(.+)\*$|^\*[A-Z][a-z ]+\*", re.MULTILINE)
# What is left when code is taken away: nothing that Markdown, mentions or links are made of.
_HARMLESS = re.compile(r"(?:[A-Za-z0-9 ·.'\n…]|\b-\b)*")
# The server looks for whom to notify in the whole text; it does not look for code.
_MENTION = re.compile(r"(?:^|\s|>)@([0-9a-zA-Z_.-]+)", re.MULTILINE)


def make(**options: Any) -> RocketChatInspector:
    return RocketChatInspector("https://chat.example.com/hooks/6543/s3cr3t4711", **options)


def check(payload: Payload) -> None:
    document = json.loads(payload.body)
    assert payload.content_type == "application/json"
    assert set(document) <= {"text", "parseUrls", "channel", "tmid", "alias", "avatar", "emoji"}
    assert document["parseUrls"] is False, "links get previews"
    text = document["text"]
    assert_visible(text)
    assert text.strip()
    assert len(text.encode("utf-16-le")) / 2 <= 5_000
    assert {*_MENTION.findall(text)} <= {"-"}, "somebody is notified"  # that one is curl's own: --data-binary @-
    rest = _OURS.sub(lambda found: found[1] or "", _CODE.sub("", _FENCE.sub("", text)))
    assert _HARMLESS.fullmatch(rest), f"not in code: {rest!a}"


def commands(payload: Payload) -> list[str]:
    return [found for language, found in _FENCE.findall(text(payload)) if language == "sh"]


def text(payload: Payload) -> str:
    return str(json.loads(payload.body)["text"])
