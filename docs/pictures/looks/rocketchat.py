"""How Rocket.Chat shows a message, in its light theme."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence

from curl_interceptor import Payload, RocketChatInspector

SIZE = (730, 725)
_STYLE = """
* { box-sizing: border-box } body { margin: 0; padding: 16px 20px; background: #fff; color: #2f343d;
font: 14px/1.45 "Noto Sans", "DejaVu Sans", sans-serif } .message { display: flex; gap: 12px }
.avatar { width: 36px; height: 36px; border-radius: 4px; background: #f5d5d7; text-align: center;
line-height: 36px; font-size: 18px; color: #3f4350; flex: none } .name { font-weight: 600 }
.bot { background: #e7e9ee; color: #5b6270; font-size: 10px; padding: 1px 4px; border-radius: 3px; margin: 0 6px }
.time { color: #7a8090; font-size: 12px } .text { width: 640px; white-space: pre-wrap }
.mark { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 50% }
h4 { font-size: 16px; margin: 4px 0 0 } code { font: 12.5px/1.5 "DejaVu Sans Mono", monospace; background: #f0f1f3;
border-radius: 3px; padding: 1px 4px } pre { font: 12.5px/1.5 "DejaVu Sans Mono", monospace; background: #f6f7f8;
border: 1px solid #dcdee2; border-radius: 4px; padding: 8px; margin: 2px 0; white-space: pre-wrap;
overflow-wrap: anywhere }
"""


def inspector() -> RocketChatInspector:
    """Return the inspector whose messages are drawn."""
    return RocketChatInspector("https://chat.example.com/hooks/abc/xyz", alias="Night watch", emoji="owl")


def page(payloads: Sequence[Payload]) -> str:
    """Return a channel with these messages."""
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>{''.join(map(_message, payloads))}"


def _message(payload: Payload) -> str:
    document = json.loads(payload.body)
    name = html.escape(document["alias"])
    return (
        f"<div class=message><div class=avatar>N</div><div><span class=name>{name}</span>"
        f"<span class=bot>BOT</span><span class=time>2:02 PM</span><div class=text>{_markdown(document['text'])}</div>"
        "</div></div>"
    )


def _markdown(text: str) -> str:
    """Return what there is of Markdown in our messages: names, blocks and lines of code."""
    text = html.escape(text, quote=False)
    text = _marked(re.sub(r"^(\S* ?)\*([A-Z0-9][A-Za-z0-9 ]+)\*", r"\1<b>\2</b>", text, flags=re.MULTILINE))
    text = re.sub(r"```[a-z]*\n(.*?)\n```\n?", r"<pre>\1</pre>", text, flags=re.DOTALL)
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)


def _marked(text: str) -> str:
    """Return a text with its circles drawn: not every machine has a font for them."""
    colours = {
        "\N{LARGE RED CIRCLE}": "#d83c3e",
        "\N{LARGE ORANGE CIRCLE}": "#e39d2d",
        "\N{LARGE BLUE CIRCLE}": "#4b77d1",
    }
    for circle, colour in colours.items():
        text = text.replace(circle, f"<span class=mark style='background: {colour}'></span>")
    return text
