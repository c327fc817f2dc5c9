"""Telling by its looks what kind of text something is, and giving it to the room that knows the kind."""

from __future__ import annotations

from ..patterns import lazy
from . import events, forms, json, multipart, texts, xml
from .rules import Redaction
from .scan import Scan

__all__ = ["content", "scan_for", "text"]

_BYTE_ORDER_MARK = "\ufeff"
_ROUNDS = 4
_LONGEST_AGAIN = 8_192  # characters; longer texts are searched once, so that none takes twice as long
_GUARD = lazy(r"(?:\)\]\}',?|while\s?\(1\);|for\s?\(;;\);|[\w.$]{1,100}\(|&&&START&&&)\s{0,5}(?=[\[{])")


def scan_for(rules: Redaction) -> Scan:
    """Return a search by these rules."""
    return Scan(rules, text)


def text(value: str, scan: Scan) -> str:
    """Redact a text of unknown kind."""
    return value if texts.is_quiet(value, scan.rules) else content(value, scan, "")


def content(value: str, scan: Scan, content_type: str) -> str:
    """Redact the text of a body. The type is a hint: services send JSON as text, and forms as JSON."""
    start = len(_BYTE_ORDER_MARK) if value.startswith(_BYTE_ORDER_MARK) else 0
    guard = _GUARD.match(value, start)  # against being read as a script, or a call around it
    start = guard.end() if guard else start
    head, rest = value[:start], value[start:]
    return head + _by_kind(rest, scan, content_type)


def _by_kind(value: str, scan: Scan, content_type: str) -> str:
    """Redact until nothing changes: what was hidden may give the text another look, or end its values elsewhere."""
    shown, settled = _once(value, scan, content_type)
    for _ in range(_ROUNDS):
        if settled or shown == value or len(shown) > _LONGEST_AGAIN:
            break
        value = shown
        shown, settled = _once(value, scan, content_type)
    return shown


def _once(value: str, scan: Scan, content_type: str) -> tuple[str, bool]:
    """Redact a text as the kind it looks like; True if that kind leaves no doubt where values end."""
    if json.is_json(value):
        shown, sound = json.document(value, scan)
        return (shown, True) if sound else (texts.text(shown, scan), False)
    if xml.is_xml(value):
        return texts.text(xml.document(value, scan), scan), False
    if events.is_events(value):
        return texts.text(events.document(value, scan), scan), False
    delimiter = multipart.delimiter_of(value, content_type)
    if delimiter is not None:
        return multipart.document(value, delimiter, scan), False
    if forms.is_form(value) or (content_type.lower().startswith("application/x-www-form-urlencoded") and "=" in value):
        return texts.text(forms.form(value, scan), scan), False
    return texts.text(value, scan), False
