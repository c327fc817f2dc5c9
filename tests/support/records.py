"""What arrived at a receiver, as records."""

from __future__ import annotations

import json
from typing import Any

from .receiver import Receiver

__all__ = ["documents", "in_body", "names"]


def documents(receiver: Receiver, path: str | None = None) -> list[dict[str, Any]]:
    """The records in all bodies so far, one by one or in lists, of all paths or one."""
    found: list[dict[str, Any]] = []
    for body in receiver.bodies(path):
        found.extend(in_body(body))
    return found


def in_body(body: bytes) -> list[dict[str, Any]]:
    """The records in one body."""
    document = json.loads(body)
    return document if isinstance(document, list) else [document]


def names(receiver: Receiver, path: str | None = None) -> list[str]:
    """What each record calls itself: the query of its URL."""
    return [record["url"].partition("?")[2] for record in documents(receiver, path)]
