"""Discord's rules for "execute webhook", and how its clients read what they get."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from curl_interceptor import DiscordInspector, Payload

from . import assert_visible, strings

_FENCE = re.compile(r"```([a-z]*)\n(.*?)\n*```", re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
# What is left when code is taken away: nothing that Markdown, mentions or links are made of.
_HARMLESS = re.compile(r"(?:[A-Za-z0-9 ·.'\n…]|\b-\b)*")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
_FILE = re.compile(r"\nThe whole command is in the file `([^`]+)`\.$")


def make(**options: Any) -> DiscordInspector:
    return DiscordInspector("https://discord.com/api/webhooks/1/abc", **options)


def check(payload: Payload) -> None:
    document, files = parts(payload)
    assert payload.url
    assert parse_qs(urlsplit(payload.url).query)["wait"] == ["true"]
    assert set(document) <= {"content", "embeds", "username", "avatar_url", "allowed_mentions", "flags"}
    assert document["allowed_mentions"] == {"parse": []}
    assert document.get("flags", 0) & ~(4 | 4096) == 0
    assert document.get("content") or document.get("embeds"), "an empty message"
    for text in strings(document):
        assert_visible(text)
        assert text.strip(), "a blank text"

    if "content" in document:
        assert len(document["content"]) <= 2_000
        assert document["flags"] & 4, "links of a content get previews"
        _check_markdown(document["content"])
    embeds = document.get("embeds", [])
    assert len(embeds) <= 10
    assert not (embeds and document.get("flags", 0) & 4), "the flag hides the embeds"
    for embed in embeds:
        _check_embed(embed)
    assert sum(map(_size, embeds)) <= 6_000

    assert len(files) <= 10
    assert sum(map(len, files.values())) <= 10 * 1024 * 1024
    mentioned = [found[1] for embed in embeds if (found := _FILE.search(embed.get("description", "")))]
    assert mentioned == list(files)


def commands(payload: Payload) -> list[str]:
    document, files = parts(payload)
    found = []
    for embed in document.get("embeds", []):
        description = embed["description"]
        file = _FILE.search(description)
        found.append(files[file[1]].decode("ascii").removesuffix("\n") if file else _code_block(description))
    return found or [text for language, text in _FENCE.findall(document["content"]) if language == "sh"]


def text(payload: Payload) -> str:
    document, files = parts(payload)
    return "\n".join([*strings(document), *(content.decode("utf-8") for content in files.values())])


def parts(payload: Payload) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the document and the files by their names."""
    if payload.content_type == "application/json":
        return json.loads(payload.body), {}
    kind, _, boundary = payload.content_type.partition("; boundary=")
    assert kind == "multipart/form-data"
    assert re.fullmatch(r"[A-Za-z0-9-]{1,70}", boundary) or len(boundary) <= 100
    first, *pieces, last = payload.body.split(f"--{boundary}".encode())
    assert (first, last) == (b"", b"--\r\n")
    document, files = {}, {}
    for number, piece in enumerate(pieces, -1):
        head, _, content = piece.partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        lines = head.decode("ascii").split("\r\n")
        if number < 0:
            assert lines[1] == 'Content-Disposition: form-data; name="payload_json"'
            document = json.loads(content)
        else:
            found = re.fullmatch(r'Content-Disposition: form-data; name="files\[(\d+)\]"; filename="(.+)"', lines[1])
            assert found
            assert int(found[1]) == number
            files[found[2]] = content
    assert len(files) == len(pieces) - 1
    return document, files


def _check_embed(embed: dict[str, Any]) -> None:
    assert set(embed) <= {"title", "description", "color", "fields", "footer", "timestamp"}
    assert 0 < len(embed["title"]) <= 256
    _check_markdown(embed["title"])
    if "description" in embed:
        assert len(embed["description"]) <= 4_096
        _check_markdown(embed["description"])
    assert isinstance(embed["color"], int)
    assert 0 <= embed["color"] <= 0xFFFFFF
    assert len(embed.get("fields", [])) <= 25
    for field in embed.get("fields", []):
        assert set(field) == {"name", "value", "inline"}
        assert 0 < len(field["name"]) <= 256
        assert 0 < len(field["value"]) <= 1_024
        assert _HARMLESS.fullmatch(field["name"])
        _check_markdown(field["value"])
    if "footer" in embed:
        assert 0 < len(embed["footer"]["text"]) <= 2_048
    if "timestamp" in embed:
        assert _TIME.fullmatch(embed["timestamp"])


def _size(embed: dict[str, Any]) -> int:
    fields = sum(len(field["name"]) + len(field["value"]) for field in embed.get("fields", []))
    return (
        len(embed["title"]) + len(embed.get("description", "")) + len(embed.get("footer", {}).get("text", "")) + fields
    )


def _check_markdown(text: str) -> None:
    rest = _CODE.sub("", _FENCE.sub("", text))
    assert _HARMLESS.fullmatch(rest), f"not in code: {rest!a}"


def _code_block(text: str) -> str:
    found = _FENCE.fullmatch(text)
    assert found, f"not one block of code: {text!a}"
    return found[2]
