"""Notices that want to break a message: its limits, its markup, its eyes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hypothesis import strategies

from curl_interceptor import Notice

from .hostile_records import SAYINGS, TEXTS

__all__ = ["NOTICES", "notice", "notices"]

BASE = Notice(
    id="2",
    kind="message",
    level="info",
    text="the nightly export is done",
    error=None,
    error_message=None,
    traceback="",
    extra=(),
    caller="shop/export.py:42 in run",
    started=1_714_572_127.5,
    fingerprint="message the nightly export is done",
)
"""A usual one."""


def notice(**changes: Any) -> Notice:
    """Return a usual notice with changes."""
    return replace(BASE, **changes)


def _said(text: str) -> Notice:
    """Say the same everywhere where others can say anything."""
    return notice(
        kind="bug_report", level="error", text=text, error=text, error_message=text, traceback=text,
        extra=((text, text),), caller=text, context=((text, text),),
    )  # fmt: skip


NOTICES: dict[str, Notice] = {
    "usual": BASE,
    "report": notice(
        kind="bug_report", level="error", text="", error="ValueError", error_message="no such card",
        traceback="ValueError: no such card\n  at shop/pay.py:7 in charge\n    raise ValueError(card)",
    ),
    "nothing": notice(text="", caller=None, context=(), started=math.nan),
    "report of nothing": notice(kind="bug_report", text="", error="", error_message=None, caller=None),
    "recovery": notice(kind="recovery", text="api.example.com answers again after 5 min"),
    **{f"said: {name}": _said(text) for name, text in SAYINGS.items()},
    **{f"told: {name}": notice(text=text) for name, text in SAYINGS.items()},
    "8,000 lines": notice(text="a\n" * 8_000),
    "8,000 blank lines": notice(text="a" + "\n \t" * 8_000 + "b"),
    "ends of lines": notice(text="a\r\nb\r\n\r\nc\n\n\n"),
    "8,000 emoji": notice(text="👍" * 8_000),
    "8,000 lines of wide letters": notice(text="世\n" * 4_000),
    "a title that is all": notice(text="x" * 150),
    "a title that is nearly all": notice(text="x" * 151),
    "a title that escapes make long": notice(text="&<" * 75),
    "traceback of 100 KB": notice(kind="bug_report", error="E", traceback="  at a.py:1 in f\n" * 6_000),
    "500 values": notice(extra=tuple((f"name_{number}", "v" * 500) for number in range(500))),
    "repeated": notice(suppressed=36, suppressed_since=1_714_571_000.0),
    "labels": notice(context=(("service", "checkout"), ("host", "web-3"), ("request_id", "8f3a"))),
    "never": notice(started=1e30, suppressed=1, suppressed_since=math.inf),
}  # fmt: skip
"""Each by what is wrong with it."""


def notices() -> strategies.SearchStrategy[Notice]:
    """Return a strategy for notices of any content."""
    return strategies.builds(
        notice,
        kind=strategies.sampled_from(["message", "bug_report", "recovery"]),
        level=strategies.sampled_from(["info", "warning", "error"]),
        text=TEXTS,
        error=strategies.none() | TEXTS,
        error_message=strategies.none() | TEXTS,
        traceback=TEXTS,
        extra=strategies.lists(strategies.tuples(TEXTS, TEXTS), max_size=4).map(tuple),
        caller=strategies.none() | TEXTS,
        started=strategies.floats(),
        suppressed=strategies.integers(0, 10**6),
        suppressed_since=strategies.none() | strategies.floats(),
        context=strategies.lists(strategies.tuples(TEXTS, TEXTS), max_size=4).map(tuple),
    )
