"""Mattermost's rules for incoming webhooks, what its server rewrites, and how its clients read what they get."""

from __future__ import annotations

import json
import re
from typing import Any

from curl_interceptor import MattermostInspector, Payload

from . import assert_visible

_FENCE = re.compile(r"```([a-z]*)\n(.*?)\n```", re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_OURS = re.compile(r"^#### [\U0001f534\U0001f535\U0001f7e0] |\*\*[A-Z][a-z ]+\*\*", re.MULTILINE)
# What is left when code is taken away: nothing that Markdown, mentions, hashtags or links are made of.
_HARMLESS = re.compile(r"(?:[A-Za-z0-9 ·.'\n…]|\b-\b)*")


def make(**options: Any) -> MattermostInspector:
    return MattermostInspector("https://chat.example.com/hooks/xyz4711", **options)


def check(payload: Payload) -> None:
    document = json.loads(payload.body)
    assert payload.content_type == "application/json"
    assert set(document) <= {"text", "channel", "username", "icon_url", "icon_emoji"}
    text = document["text"]
    assert_visible(text)
    assert text.strip()
    assert len(text) <= 16_383, "the server divides it, within a code block"
    assert _rewritten(text) == text
    rest = _OURS.sub("", _CODE.sub("", _FENCE.sub("", text)))
    assert _HARMLESS.fullmatch(rest), f"not in code: {rest!a}"


def commands(payload: Payload) -> list[str]:
    return [found for language, found in _FENCE.findall(_rewritten(text(payload))) if language == "sh"]


def text(payload: Payload) -> str:
    return str(json.loads(payload.body)["text"])


def _rewritten(text: str) -> str:
    """What the server makes of a text, so that webhooks written for Slack work: it does not look for code."""
    for name in ("channel", "here", "all"):
        text = text.replace(f"<!{name}>", f"@{name}")
    text = re.sub("<@([a-zA-Z0-9]+)>", r"@user-\1", text)
    return re.sub(r"<([^\n<|>]+)\|([^\n>]+)>", r"[\2](\1)", text)
