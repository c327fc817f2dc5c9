"""A logger takes one line of text."""

from __future__ import annotations

from typing import Any

from curl_interceptor import LoggingInspector, Payload

from . import assert_visible


def make(**options: Any) -> LoggingInspector:
    return LoggingInspector("contract", **options)


def check(payload: Payload) -> None:
    line = payload.body.decode("utf-8")
    assert_visible(line)
    assert "\n" not in line
    assert len(payload.entries) == 1


def commands(payload: Payload) -> list[str]:
    return [payload.body.decode("utf-8").partition(": ")[2]]


def text(payload: Payload) -> str:
    return payload.body.decode("utf-8")
