"""Knowing our own threads: what is requested while something is delivered is not captured, or it would never end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["delivering", "forget_after_fork", "in_delivery", "is_for_us", "our_threads"]

exiting = False
"""Whether the process is in its exit hooks: nobody writes to stderr any more, not even `logging` on its own."""

our_threads: set[int] = set()
"""Idents of the threads that are delivering; a set, since callers look here at every request.

Always asked for by `threading.get_ident`, which gevent may replace at any time: to the former one all its greenlets are
one thread, and what the app requests meanwhile would pass for ours.
"""


def in_delivery() -> bool:
    """Whether this thread is delivering."""
    return threading.get_ident() in our_threads


@contextmanager
def delivering() -> Iterator[None]:
    """Mark this thread as delivering for as long as the block lasts."""
    ident = threading.get_ident()
    if ident in our_threads:
        yield
        return
    our_threads.add(ident)
    try:
        yield
    finally:
        our_threads.discard(ident)


def is_for_us(error: BaseException) -> bool:
    """Whether an exception that came out of somebody's callable is meant for the thread and not for the callable.

    That is Ctrl-C while the exiting thread does the dispatcher's work. Anything else, even a `SystemExit`, would only
    end the deliveries.
    """
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


def forget_after_fork() -> None:
    """In a forked child: the threads that were delivering are not there, and their idents may come again."""
    our_threads.clear()
