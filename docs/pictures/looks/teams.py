"""How Microsoft Teams shows an Adaptive Card, in its light theme."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any

from curl_interceptor import Payload, TeamsInspector

SIZE = (730, 740)
_STYLE = """
* { box-sizing: border-box } body { margin: 0; padding: 16px; background: #f5f5f5; color: #242424;
font: 14px/1.4 "Noto Sans", "DejaVu Sans", sans-serif } .message { display: flex; gap: 12px }
.avatar { width: 32px; height: 32px; border-radius: 8px; background: #5b5fc7; color: #fff; text-align: center;
line-height: 32px; font-size: 16px; flex: none } .name { font-weight: 600 } .time { color: #616161; font-size: 12px }
.card { background: #fff; border: 1px solid #e0e0e0; border-radius: 6px; padding: 14px 16px; margin-top: 4px;
width: 650px }
.part + .part { border-top: 1px solid #d1d1d1; margin-top: 16px; padding-top: 14px }
.text { margin-top: 8px } .small { margin-top: 3px } .Medium { font-size: 16px }
.mono { font-family: "DejaVu Sans Mono", monospace; font-size: 12px } .Medium.mono { font-size: 14px }
.Bolder { font-weight: 600 } .subtle { color: #616161 } .Attention { color: #c4314b } .Warning { color: #8a6100 }
pre { font: 12px/1.4 "DejaVu Sans Mono", monospace; background: #fafafa; border: 1px solid #e0e0e0; border-radius: 4px;
margin: 8px 0 0; padding: 8px; white-space: pre-wrap; overflow-wrap: anywhere }
"""


def inspector() -> TeamsInspector:
    """Return the inspector whose cards are drawn."""
    return TeamsInspector("https://prod-1.westeurope.logic.azure.com/workflows/1/triggers/manual/paths/invoke?sig=abc")


def page(payloads: Sequence[Payload]) -> str:
    """Return a channel with these cards."""
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>{''.join(map(_message, payloads))}"


def _message(payload: Payload) -> str:
    body = json.loads(payload.body)["attachments"][0]["content"]["body"]
    parts = "".join(f"<div class=part>{''.join(map(_element, part['items']))}</div>" for part in body)
    return (
        "<div class=message><div class=avatar>W</div><div><span class=name>Workflows</span> "
        f"<span class=time>14:02</span><div class=card>{parts}</div></div></div>"
    )


def _element(element: dict[str, Any]) -> str:
    if element["type"] == "CodeBlock":
        return f"<pre>{html.escape(element['codeSnippet'])}</pre>"
    space = "small" if element.get("spacing") == "Small" else "text"
    return f"<div class={space}>{''.join(map(_run, element['inlines']))}</div>"


def _run(run: dict[str, Any]) -> str:
    classes = [run.get(name, "") for name in ("weight", "color", "size")]
    classes += ["mono" if run.get("fontType") else "", "subtle" if run.get("isSubtle") else ""]
    return f"<span class='{' '.join(filter(None, classes))}'>{html.escape(run['text'])}</span>"
