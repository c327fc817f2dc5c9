"""How Telegram shows messages of a bot, in its light theme."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any

from curl_interceptor import Payload, TelegramInspector

SIZE = (730, 740)
_STYLE = """
* { box-sizing: border-box } body { margin: 0; padding: 16px; background: #c9dbb8; color: #000;
font: 15px/1.4 "Noto Sans", "DejaVu Sans", sans-serif } .bubble { background: #fff; width: 660px;
border-radius: 12px 12px 12px 4px; padding: 8px 14px 10px; white-space: pre-wrap; overflow-wrap: anywhere }
.name { color: #3a8fd6; font-weight: 600; white-space: normal } .time { color: #8a9aa5; font-size: 12px;
text-align: right }
code { font: 13px/1.4 "DejaVu Sans Mono", monospace; color: #2b6ca3 }
pre { font: 12.5px/1.4 "DejaVu Sans Mono", monospace; background: #eef6fc; border-left: 3px solid #3a8fd6;
margin: 4px 0;
border-radius: 4px; padding: 4px 8px 7px; white-space: pre-wrap } pre small { display: block; color: #3a8fd6 }
.light { display: inline-block; width: 14px; height: 14px; border-radius: 50%; vertical-align: -2px }
"""
# Drawn, since not every machine has a font with them.
_LIGHTS = {"🔴": "#dd2e44", "🟠": "#f4900c", "🔵": "#55acee"}


def inspector() -> TelegramInspector:
    """Return the inspector whose messages are drawn."""
    return TelegramInspector("123456789:ABC-def_123", -1001234567890)


def page(payloads: Sequence[Payload]) -> str:
    """Return a chat with these messages."""
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>{''.join(map(_message, payloads))}"


def _message(payload: Payload) -> str:
    document = json.loads(payload.body)
    text = document["text"].encode("utf-16-le")
    shown, end = "", 0
    for entity in document["entities"]:
        start = 2 * entity["offset"]
        shown += _plain(text[end:start])
        end = start + 2 * entity["length"]
        shown += _marked(_plain(text[start:end]), entity)
    shown = (shown + _plain(text[end:])).replace("</pre>\n", "</pre>").replace("\n<pre>", "<pre>")
    for light, colour in _LIGHTS.items():
        shown = shown.replace(light, f"<span class=light style='background: {colour}'></span>")
    name = "<div class=name>Night watch</div>"
    return f"<div class=bubble>{name}{shown}<div class=time>14:02</div></div>"


def _plain(piece: bytes) -> str:
    return html.escape(piece.decode("utf-16-le"), quote=False)


def _marked(text: str, entity: dict[str, Any]) -> str:
    kind = {"bold": "b", "code": "code", "pre": "pre"}[entity["type"]]
    language = f"<small>{entity['language']}</small>" if "language" in entity else ""
    return f"<{kind}>{language}{text}</{kind}>"
