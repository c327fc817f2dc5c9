"""From what was handed over by hand to a notice: the gate's other function, with the same rules."""

from __future__ import annotations

from dataclasses import replace

from ..notice import Notice, RawNotice, RestoredNotice, notice_key
from ..raised import traceback_of
from .gate import Scrub
from .rules import Redaction

__all__ = ["redact_notice"]


def redact_notice(raw: RawNotice, rules: Redaction, *, id: str) -> Notice:
    """Return what may leave this process; what a document tells of a notice comes this way too.

    Parameters
    ----------
    raw: What the app handed over.
    rules: What is to be hidden.
    id: Constant name of the notice.
    """
    scrub = Scrub(rules)
    error = raw.errors[0] if raw.errors else None
    origin = raw.origin
    notice = Notice(
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
    return notice if raw.restored is None else _restored(notice, raw.restored, scrub)


def _restored(notice: Notice, told: RestoredNotice, scrub: Scrub) -> Notice:
    return replace(
        notice,
        error=None if told.error is None else scrub.text(told.error),
        error_message=None if told.error_message is None else scrub.text(told.error_message),
        traceback=scrub.text(told.traceback),
        caller=None if told.caller is None else scrub.text(told.caller),
        fingerprint=scrub.text(told.fingerprint),
        suppressed=told.suppressed,
        suppressed_since=told.suppressed_since,
    )
