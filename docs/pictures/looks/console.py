"""How a dark terminal shows blocks with their colours."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from curl_interceptor import ConsoleInspector, Payload

SIZE = (880, 460)
_STYLE = """
body { margin: 0; padding: 14px 18px; background: #1b1d22; color: #d5d8de }
pre { margin: 0; font: 13px/1.5 "DejaVu Sans Mono", monospace }
.c1-31 { color: #ff6b68; font-weight: 700 } .c1-33 { color: #e5b567; font-weight: 700 }
.c1-36 { color: #6cb6d9; font-weight: 700 } .c2 { color: #8b919c }
.mark { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 50%; background: #d83c3e }
"""


def inspector() -> ConsoleInspector:
    """Return the inspector whose blocks are drawn."""
    return ConsoleInspector()


def page(payloads: Sequence[Payload]) -> str:
    """Return a terminal with these blocks."""
    text = html.escape("".join(payload.body.decode("utf-8") for payload in payloads))
    text = re.sub("\033\\[0m", "</span>", text)
    text = re.sub("\033\\[([0-9;]+)m", lambda code: f"<span class=c{code[1].replace(';', '-')}>", text)
    # Not every machine has a font for circles.
    text = text.replace("\N{LARGE RED CIRCLE}", "<span class=mark></span>")
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style><pre>{text}</pre>"
