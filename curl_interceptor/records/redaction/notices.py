"""From what was handed over by hand to a notice: the gate's other function, with the same rules."""

from __future__ import annotations

from ..notice import Notice, RawNotice, notice_key
from ..raised import traceback_of
from .gate import Scrub
from .rules import Redaction

__all__ = ["redact_notice"]


def redact_notice(raw: RawNotice, rules: Redaction, *, id: str) -> Notice:
    """Return what may leave this process.

    Parameters
    ----------
    raw: What the app handed over.
    rules: What is to be hidden.
    id: Constant name of the notice.
    """
    scrub = Scrub(rules)
    error = raw.errors[0] if raw.errors else None
    origin = raw.origin
    return Notice(
        id=id,
        kind=raw.kind,
        level=raw.level,
        text=scrub.text(raw.text),
        error=error.name if error else None,
        error_message=scrub.text(error.failure.message) if error else None,
        traceback=scrub.text(traceback_of(raw.errors)) if error else "",
        extra=tuple((scrub.text(name), scrub.member(name, value)) for name, value in raw.extra),
        caller=scrub.text(origin.shown) if origin else None,
        started=raw.started,
        fingerprint=scrub.key(notice_key(raw)),
        context=tuple((scrub.text(name), scrub.label(name, value)) for name, value in raw.context),
    )
