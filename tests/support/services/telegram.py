"""Telegram's rules for "sendMessage" and "sendDocument", and how its clients read what they get."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from curl_interceptor import Payload, TelegramInspector

from . import assert_visible

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
_BOT = f"https://api.telegram.org/bot{TOKEN}"
_TYPES = {"bold", "code", "pre"}
# What may stand outside of code: nothing that Telegram finds mentions, hashtags, commands, links or numbers in.
_HARMLESS = re.compile(r"(?:[A-Za-z ·:\n…]|\b-\b)*")
_LIGHT = re.compile("[\U0001f534\U0001f7e0\U0001f535]")
_NOTE = "The whole command is in the file command.sh"


class Sent(NamedTuple):
    """A message as Telegram takes it in."""

    text: str
    entities: list[dict[str, Any]]
    parameters: dict[str, Any]
    file: bytes | None

    def parts(self, kind: str, **more: str) -> list[str]:
        """Return what the entities of a type cover."""
        wanted = {"type": kind, **more}
        return [_cover(self.text, one) for one in self.entities if wanted.items() <= one.items()]


def make(**options: Any) -> TelegramInspector:
    return TelegramInspector(TOKEN, -1001234567890, **options)


def check(payload: Payload) -> None:
    sent = read(payload)
    assert payload.url == f"{_BOT}/{'sendMessage' if sent.file is None else 'sendDocument'}"
    assert set(sent.parameters) <= {"chat_id", "message_thread_id", "disable_notification", "link_preview_options"}
    assert "chat_id" in sent.parameters
    if sent.file is None:
        assert sent.parameters["link_preview_options"] == {"is_disabled": True}
    else:
        assert len(sent.file) <= 50_000_000
        assert len(payload.entries) == 1
        assert sent.text.endswith(f"\n{_NOTE}")
    assert sent.text.strip(), "an empty message"
    assert_visible(sent.text)
    assert len(sent.text.encode("utf-16-le")) // 2 <= (4_096 if sent.file is None else 1_024)
    assert len(sent.text.encode("utf-8")) <= 32_768
    _check_entities(sent)


def commands(payload: Payload) -> list[str]:
    sent = read(payload)
    if sent.file is not None:
        return [sent.file.decode("ascii").removesuffix("\n")]
    return sent.parts("pre", language="bash") or sent.parts("pre")[1::2]


def text(payload: Payload) -> str:
    sent = read(payload)
    return "\n".join([sent.text, json.dumps(sent.parameters), (sent.file or b"").decode("utf-8")])


def read(payload: Payload) -> Sent:
    """Return what a request says, either of JSON or of fields and a file."""
    if payload.content_type == "application/json":
        found = json.loads(payload.body)
        return Sent(found.pop("text"), found.pop("entities"), found, None)
    kind, _, boundary = payload.content_type.partition("; boundary=")
    assert kind == "multipart/form-data"
    first, *pieces, last = payload.body.split(f"--{boundary}".encode())
    assert (first, last) == (b"", b"--\r\n")
    fields: dict[str, str] = {}
    file = None
    for piece in pieces:
        head, _, content = piece.partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        disposition = head.decode("ascii").split("\r\n")[1]
        name = re.search(r' name="(\w+)"', disposition)
        assert name
        if 'filename="' in disposition:
            assert disposition.endswith('; name="document"; filename="command.sh"')
            file = content
        else:
            fields[name[1]] = content.decode("utf-8")
    assert file is not None
    return Sent(fields.pop("caption"), json.loads(fields.pop("caption_entities")), fields, file)


def _check_entities(sent: Sent) -> None:
    assert len(sent.entities) <= 100
    end, rest = 0, ""
    for one in sent.entities:
        assert one["type"] in _TYPES
        assert set(one) <= {"type", "offset", "length", "language"}
        assert one["offset"] >= end, "one within another"
        assert one["length"] > 0
        rest += _cover(sent.text, {"offset": end, "length": one["offset"] - end})
        end = one["offset"] + one["length"]
        covered = _cover(sent.text, one)
        assert covered.strip()
        if one["type"] == "bold":
            assert re.fullmatch(r"[A-Za-z0-9 '-]+", covered), "bold words of others are read like any text"
    rest += _cover(sent.text, {"offset": end, "length": len(sent.text.encode("utf-16-le")) // 2 - end})
    assert _HARMLESS.fullmatch(_LIGHT.sub("", rest)), f"not in code: {rest!a}"


def _cover(text: str, entity: dict[str, Any]) -> str:
    """Return what an entity covers; fails if it ends within a letter or beyond the text."""
    encoded = text.encode("utf-16-le")
    start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
    assert end <= len(encoded)
    return encoded[start:end].decode("utf-16-le")
