"""Knowing our own threads: what is requested while something is delivered is not captured, or it would never end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["delivering", "in_delivery"]

_mark = threading.local()


def in_delivery() -> bool:
    """Whether this thread is delivering."""
    return getattr(_mark, "delivering", False)


@contextmanager
def delivering() -> Iterator[None]:
    """Mark this thread as delivering for as long as the block lasts."""
    before = in_delivery()
    _mark.delivering = True
    try:
        yield
    finally:
        _mark.delivering = before
