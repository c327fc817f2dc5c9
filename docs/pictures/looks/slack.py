"""How Slack shows a message of blocks, in its light theme."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any

from curl_interceptor import Payload, SlackInspector

SIZE = (730, 730)
_STYLE = """
* { box-sizing: border-box } body { margin: 0; padding: 16px 20px; background: #fff; color: #1d1c1d;
font: 15px/1.46 "Noto Sans", "DejaVu Sans", sans-serif } .message { display: flex; gap: 10px }
.avatar { width: 36px; height: 36px; border-radius: 8px; background: #611f69; color: #fff; text-align: center;
line-height: 36px; font-size: 18px; flex: none } .name { font-weight: 700 }
.app { background: #e8e8e8; color: #616061; font-size: 10px; padding: 1px 4px; border-radius: 3px; margin: 0 6px }
.time { color: #616061; font-size: 12px } .blocks { width: 640px }
.mark { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 50% }
h1 { font-size: 18px; line-height: 1.33; margin: 12px 0 4px } .section { white-space: pre-wrap; margin: 4px 0 }
code { font: 12px/1.5 "DejaVu Sans Mono", monospace; background: #f6f6f6; border: 1px solid #dddddd; color: #c01343;
border-radius: 3px; padding: 1px 3px } pre { font: 12px/1.5 "DejaVu Sans Mono", monospace; background: #f8f8f8;
border: 1px solid #dddddd; border-radius: 4px; padding: 8px; margin: 4px 0; white-space: pre-wrap;
overflow-wrap: anywhere }
"""


def inspector() -> SlackInspector:
    """Return the inspector whose messages are drawn."""
    return SlackInspector("https://hooks.slack.com/services/T0/B0/xyz")


def page(payloads: Sequence[Payload]) -> str:
    """Return a channel with these messages."""
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>{''.join(map(_message, payloads))}"


def _message(payload: Payload) -> str:
    blocks = "".join(map(_block, json.loads(payload.body)["blocks"]))
    return (
        "<div class=message><div class=avatar>N</div><div class=blocks><span class=name>Night watch</span>"
        f"<span class=app>APP</span><span class=time>14:02</span>{blocks}</div></div>"
    )


def _block(block: dict[str, Any]) -> str:
    if block["type"] == "header":
        return f"<h1>{_marked(html.escape(block['text']['text']))}</h1>"
    return "".join(map(_element, block["elements"]))


def _element(element: dict[str, Any]) -> str:
    inner = "".join(map(_text, element["elements"]))
    return f"<pre>{inner}</pre>" if element["type"] == "rich_text_preformatted" else f"<div class=section>{inner}</div>"


def _text(element: dict[str, Any]) -> str:
    text, style = html.escape(element["text"]), element.get("style", {})
    if style.get("code"):
        return f"<code>{text}</code>"
    return f"<b>{text}</b>" if style.get("bold") else text


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
