"""How Google Chat shows a message of a webhook, in its light theme."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence

from curl_interceptor import GoogleChatInspector, Payload

SIZE = (730, 670)
_STYLE = """
* { box-sizing: border-box } body { margin: 0; padding: 16px; background: #fff; color: #1f1f1f;
font: 14px/1.45 "Noto Sans", "DejaVu Sans", sans-serif } .message { display: flex; gap: 12px }
.avatar { width: 36px; height: 36px; border-radius: 50%; background: #0b57d0; color: #fff; text-align: center;
line-height: 36px; font-size: 18px; flex: none } .name { font-weight: 600 } .time { color: #5f6368; font-size: 12px }
.app { background: #e8eaed; color: #3c4043; font-size: 10px; padding: 1px 5px; border-radius: 8px; margin: 0 6px }
.text { white-space: pre-wrap; overflow-wrap: anywhere; width: 640px }
code { font: 12.5px/1.4 "DejaVu Sans Mono", monospace; background: #f1f3f4; border-radius: 4px; padding: 1px 4px }
pre { font: 12.5px/1.4 "DejaVu Sans Mono", monospace; background: #f8f9fa; border: 1px solid #e8eaed; margin: 4px 0;
border-radius: 8px; padding: 8px; white-space: pre-wrap; overflow-wrap: anywhere }
.light { display: inline-block; width: 14px; height: 14px; border-radius: 50%; vertical-align: -2px }
"""
# Drawn, since not every machine has a font with them.
_LIGHTS = {"🔴": "#dd2e44", "🟠": "#f4900c", "🔵": "#55acee"}


def inspector() -> GoogleChatInspector:
    """Return the inspector whose messages are drawn."""
    return GoogleChatInspector("https://chat.googleapis.com/v1/spaces/AAAA/messages?key=abc&token=def")


def page(payloads: Sequence[Payload]) -> str:
    """Return a space with these messages."""
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>{''.join(map(_message, payloads))}"


def _message(payload: Payload) -> str:
    return (
        "<div class=message><div class=avatar>N</div><div><span class=name>Night watch</span><span class=app>App</span>"
        f"<span class=time>14:02</span><div class=text>{_shown(json.loads(payload.body)['text'])}</div></div></div>"
    )


def _shown(text: str) -> str:
    """Return what there is of markup in our messages: blocks and lines of code, and bold words."""
    text = html.escape(text, quote=False)
    text = re.sub(r"\n?```\n(.*?)\n```\n?", r"<pre>\1</pre>", text, flags=re.DOTALL)
    text = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*([\w ]+)\*", r"<b>\1</b>", text)
    for light, colour in _LIGHTS.items():
        text = text.replace(light, f"<span class=light style='background: {colour}'></span>")
    return text
