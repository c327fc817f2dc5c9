"""Server-sent events: each line of data holds a text of a kind of its own."""

from __future__ import annotations

from ..patterns import lazy
from .scan import Scan

__all__ = ["document", "is_events"]

_START = lazy(r"\s{0,9}(?:(?:event|id|retry|):[^\r\n]{0,400}[\r\n]{1,4}){0,9}data:")
_LINE = lazy(r"(?<![^\r\n])(data: ?)([^\r\n]+)")


def is_events(text: str) -> bool:
    """Whether the text begins as a stream of events does, which the HTML standard defines."""
    return _START.match(text) is not None


def document(text: str, scan: Scan) -> str:
    """Redact what the events carry."""
    return _LINE.sub(lambda line: line[1] + scan.inside(line[2]), text)
