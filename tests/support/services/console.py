"""A console takes lines of text; whoever copies a command takes the lines at its left margin that belong together."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from curl_interceptor import ConsoleInspector, Payload

from . import assert_visible

_COLOUR = re.compile("\033\\[[0-9;]*m")


def make(**options: Any) -> ConsoleInspector:
    return ConsoleInspector("stderr", **options)


def check(payload: Payload) -> None:
    lines = text(payload).split("\n")
    assert_visible(text(payload))
    assert "\t" not in text(payload)
    assert lines[-2:] == ["", ""]
    for line in lines:
        assert columns(line) <= 100 or not line.startswith("  │ ")
    assert len(_blocks(payload)) == len(payload.entries)


def commands(payload: Payload) -> list[str]:
    return [_command(block) for block in _blocks(payload)]


def text(payload: Payload) -> str:
    return _COLOUR.sub("", payload.body.decode("utf-8"))


def columns(line: str) -> int:
    """How many columns a terminal needs for a line: none for a mark above a letter, two for a wide letter."""
    shown = (letter for letter in line if unicodedata.category(letter) not in ("Mn", "Me"))
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in shown)


def _blocks(payload: Payload) -> list[list[str]]:
    """Blocks end with an empty line; a line of a body is never empty."""
    return [block.split("\n") for block in text(payload).removesuffix("\n\n").split("\n\n")]


def _command(block: list[str]) -> str:
    _, *lines = block
    start = next(number for number, line in enumerate(lines) if not line.startswith("  "))
    end = start
    while lines[end].endswith(" \\"):
        end += 1
    return "\n".join(lines[start : end + 1])
