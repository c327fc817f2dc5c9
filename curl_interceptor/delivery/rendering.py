"""From a batch to payloads: asking the inspector, and not believing it blindly."""

from __future__ import annotations

from ..inspectors.base import Inspector, Payload
from ..policies import RetryPolicy
from .guard import is_for_us
from .item import Item, Part

__all__ = ["divide", "render"]


def render(inspector: Inspector, part: Part) -> list[Payload] | BaseException:
    """Return the payloads of a batch, or what went wrong. This runs a user's code, so nobody holds a lock."""
    try:
        if part.payload is not None:
            payloads = [inspector.renewed(part.payload)]
        else:
            payloads = list(inspector.payloads([item.entry for item in part.items], plain=part.plain))
        for payload in payloads:
            _check(payload)
    except BaseException as error:
        if is_for_us(error):
            raise
        return error
    return payloads


def divide(part: Part, payloads: list[Payload], retry: RetryPolicy) -> tuple[list[Part], list[Item]]:
    """Return a part for each payload, and the items that are in none: an entry belongs to the first that names it."""
    left: dict[int, list[Item]] = {}
    for item in part.items:  # several items have one entry if several lanes gave it up
        left.setdefault(id(item.entry), []).append(item)
    pieces = []
    for payload in payloads:
        items = [item for entry in payload.entries for item in left.pop(id(entry), ())]
        if items:
            pieces.append(Part(items, retry))
            pieces[-1].payload = payload
    return pieces, [item for items in left.values() for item in items]


def _check(payload: object) -> None:
    """Refuse what no attempt can be made of: a mistake in an inspector costs its records, not the lane."""
    if not (
        isinstance(payload, Payload) and isinstance(payload.body, bytes) and isinstance(payload.entries, (tuple, list))
    ):
        raise TypeError("payloads() must return Payload values, with a tuple of entries and bytes as their body")
