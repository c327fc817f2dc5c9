"""Hiding the fields of multipart bodies by their names, and looking into the others."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ..patterns import lazy
from .scan import Scan

__all__ = ["delimiter_of", "document"]

_BOUNDARY = lazy(r"""boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))""", re.IGNORECASE)
_FIRST_LINE = lazy(r"(?:\s|[^\r\n]{0,200}\n)?(--[^\s]{1,200})[ \t]{0,8}\r?\n(?=[A-Za-z-]{1,40}:)")
_NAME = lazy(r"""[;\s]name(\*?)=(?:"((?:[^"\\]|\\.){0,400})"?|([^\s;]{1,400}))""", re.IGNORECASE | re.DOTALL)
_HEAD_END = lazy(r"\r?\n\r?\n")
_LIMIT = 1_000  # parts that are looked at one by one


def delimiter_of(text: str, content_type: str) -> str | None:
    """Return what stands between the parts, from the content type or from the body itself; None if it has none."""
    if content_type.lower().startswith("multipart/"):
        found = _BOUNDARY.search(content_type)
        if found and "--" + (found[1] or found[2]) in text:
            return "--" + (found[1] or found[2])
    first = _FIRST_LINE.match(text)
    return first[1] if first else None


def document(text: str, delimiter: str, scan: Scan) -> str:
    """Redact a multipart body."""
    preamble, *parts = text.split(delimiter)
    shown = [_part(part, scan) if index < _LIMIT else "" for index, part in enumerate(parts)]
    return delimiter.join((preamble, *shown))


def _part(part: str, scan: Scan) -> str:
    """Redact what stands between the blank line and the line break before the next delimiter."""
    gap = _HEAD_END.search(part)
    if gap is None:
        return part
    head, body = part[: gap.end()], part[gap.end() :]
    ending = "\r\n" if body.endswith("\r\n") else "\n" if body.endswith("\n") else ""
    content = body[: len(body) - len(ending)]
    name = _field(head)
    shown = scan.hidden(name, content) if name and scan.rules.hides(name, in_url=True) else scan.inside(content)
    return f"{head}{shown}{ending}" if shown != content else part


def _field(head: str) -> str:
    found = _NAME.search(head)
    if found is None:
        return ""
    name: str = found[2] if found[2] is not None else found[3]
    return unquote(name.rpartition("''")[2]) if found[1] else name
