"""What uWSGI wants otherwise: no thread in its master process, and a word where it runs none at all."""

from __future__ import annotations

import os
import sys

__all__ = ["in_master", "without_threads"]


def in_master() -> bool:
    """Whether this is the master process of uWSGI, which forks its workers without running Python's fork hooks.

    A thread that is busy in Python at that moment leaves the worker with a lock that nobody will release.
    """
    uwsgi = sys.modules.get("uwsgi")
    try:
        return uwsgi is not None and uwsgi.masterpid() == os.getpid()
    except Exception:  # somebody else's module of that name
        return False


def without_threads() -> str:
    """Return what to tell an operator where uWSGI lets no thread run between two requests; empty elsewhere."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None or getattr(uwsgi, "has_threads", 1):
        return ""
    return "uWSGI runs no threads between requests, so records are delivered late: start it with --enable-threads"
