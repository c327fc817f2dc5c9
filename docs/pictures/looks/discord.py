"""How Discord shows a message with embeds, in its dark theme."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from curl_interceptor import DiscordInspector, Payload

SIZE = (730, 775)
_STYLE = """
* { box-sizing: border-box } body { margin: 0; padding: 16px; background: #313338; color: #dbdee1;
font: 15px/1.35 "Noto Sans", "DejaVu Sans", sans-serif } .message { display: flex; gap: 14px }
.avatar { width: 40px; height: 40px; border-radius: 50%; background: #5865f2; color: #fff; text-align: center;
line-height: 40px; font-size: 20px; flex: none } .name { color: #f2f3f5; font-weight: 600 }
.app { background: #5865f2; color: #fff; font-size: 10px; padding: 1px 4px; border-radius: 3px; margin: 0 6px }
.time { color: #949ba4; font-size: 12px } .embed { background: #2b2d31; border-left: 4px solid; border-radius: 4px;
padding: 10px 16px 14px 12px; margin-top: 6px; width: 640px } .title { font-weight: 600; color: #f2f3f5 }
code { font: 13px/1.3 "DejaVu Sans Mono", monospace; background: #1e1f22; border-radius: 4px; padding: 1px 4px }
pre { font: 12.5px/1.35 "DejaVu Sans Mono", monospace; background: #1e1f22; border: 1px solid #232428; margin: 8px 0 0;
border-radius: 4px; padding: 8px; white-space: pre-wrap; overflow-wrap: anywhere }
.fields { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; margin-top: 10px }
.field { font-size: 13px } .wide { grid-column: 1 / -1 } .field b { display: block; color: #f2f3f5 }
.footer { font-size: 12px; color: #b5bac1; margin-top: 10px }
"""


def inspector() -> DiscordInspector:
    """Return the inspector whose messages are drawn."""
    return DiscordInspector("https://discord.com/api/webhooks/1/abc", username="Night watch")


def page(payloads: Sequence[Payload]) -> str:
    """Return a channel with these messages."""
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>{''.join(map(_message, payloads))}"


def _message(payload: Payload) -> str:
    document = json.loads(payload.body)
    name = html.escape(document["username"])
    return (
        f"<div class=message><div class=avatar>{name[0]}</div><div><span class=name>{name}</span><span class=app>APP"
        f"</span><span class=time>Today at 14:02</span>{''.join(map(_embed, document['embeds']))}</div></div>"
    )


def _embed(embed: dict[str, Any]) -> str:
    fields = "".join(
        f"<div class='field {'' if field['inline'] else 'wide'}'><b>{html.escape(field['name'])}</b>"
        f"{_markdown(field['value'])}</div>"
        for field in embed["fields"]
    )
    when = datetime.fromisoformat(embed["timestamp"]).astimezone(timezone.utc)
    return (
        f"<div class=embed style='border-color: #{embed['color']:06x}'>"
        f"<div class=title>{_markdown(embed['title'])}</div>{_markdown(embed['description'])}"
        f"<div class=fields>{fields}</div>"
        f"<div class=footer>{html.escape(embed['footer']['text'])} • {when:%d/%m/%Y %H:%M}</div></div>"
    )


def _markdown(text: str) -> str:
    """Return what there is of Markdown in our messages: blocks and lines of code."""
    text = re.sub(r"```[a-z]*\n(.*?)\n```", r"<pre>\1</pre>", html.escape(text, quote=False), flags=re.DOTALL)
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)
