"""Knowing our own threads: what is requested while something is delivered is not captured, or it would never end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

__all__ = ["delivering", "forget_after_fork", "in_delivery", "our_threads"]

our_threads: set[int] = set()
"""Idents of the threads that are delivering; a set, since callers look here at every request."""


def in_delivery() -> bool:
    """Whether this thread is delivering."""
    return get_ident() in our_threads


@contextmanager
def delivering() -> Iterator[None]:
    """Mark this thread as delivering for as long as the block lasts."""
    ident = get_ident()
    if ident in our_threads:
        yield
        return
    our_threads.add(ident)
    try:
        yield
    finally:
        our_threads.discard(ident)


def forget_after_fork() -> None:
    """In a forked child: the threads that were delivering are not there, and their idents may come again."""
    our_threads.clear()
