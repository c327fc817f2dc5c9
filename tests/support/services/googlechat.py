"""Google Chat's rules for messages of webhooks, and how its clients read their text."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from curl_interceptor import GoogleChatInspector, Payload
from curl_interceptor.inspectors.message import describe

from . import assert_visible, strings

_FENCE = re.compile(r"```\n(.*?)\n```", re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
# What is left when code is taken away: words of ours, bold ones among them, and a light.
_HARMLESS = re.compile(r"(?:[A-Za-z0-9 ·:\n…\U0001f534\U0001f7e0\U0001f535]|\*[A-Za-z0-9 '-]+\*(?![A-Za-z0-9]))*")
# Nobody says that these mean nothing in code.
_MENTION_OR_LINK = re.compile(r"<(?:users/|[a-z][a-z0-9+.-]*:)", re.IGNORECASE)


def make(**options: Any) -> GoogleChatInspector:
    return GoogleChatInspector("https://chat.googleapis.com/v1/spaces/AAA/messages?key=k3y&token=t0k3n", **options)


def check(payload: Payload) -> None:
    assert payload.content_type == "application/json"
    assert len(payload.body) <= 32_000
    document = json.loads(payload.body)
    assert set(document) <= {"text", "thread"}
    assert payload.url
    query = parse_qs(urlsplit(payload.url).query)
    assert (query["key"], query["token"]) == (["k3y"], ["t0k3n"])
    assert ("messageReplyOption" in query) == ("thread" in document), "the thread is ignored"
    text = document["text"]
    assert text.strip(), "an empty message"
    assert_visible(text)
    assert not _MENTION_OR_LINK.search(text)
    rest = _CODE.sub("", _FENCE.sub("", text))
    assert _HARMLESS.fullmatch(rest), f"not in code: {rest!a}"


def commands(payload: Payload) -> list[str]:
    text = json.loads(payload.body)["text"]
    blocks = _FENCE.findall(text)
    if text.startswith("```"):
        shown = blocks[1::2]
    else:
        shown = [found[1] for found in re.finditer(r"^[^\w`]+\*[^*\n]+\*[^\n]*\n```\n(.*?)\n```", text, re.M | re.S)]
    return [_as_meant(command, entry) for command, entry in zip(shown, payload.entries, strict=True)]


def text(payload: Payload) -> str:
    return "\n".join(strings(json.loads(payload.body)))


def _as_meant(shown: str, entry: Any) -> str:
    """Return the command that a block says to a shell, to which closing and opening quotes after a "<" are nothing."""
    command = describe(entry).command
    return command if _MENTION_OR_LINK.sub(lambda found: f"<''{found[0][1:]}", command) == shown else shown
