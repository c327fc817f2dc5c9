"""What uWSGI wants otherwise: no thread in its master process, and a word where it runs none at all."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress

__all__ = ["complain", "in_master"]


def in_master() -> bool:
    """Whether this is the master process of uWSGI, which forks its workers without running Python's fork hooks.

    A thread that is busy in Python at that moment leaves the worker with a lock that nobody will release.
    """
    uwsgi = sys.modules.get("uwsgi")
    try:
        return uwsgi is not None and uwsgi.masterpid() == os.getpid()
    except Exception:  # somebody else's module of that name
        return False


def complain() -> bool:
    """Warn where uWSGI lets no thread run between two requests; whether that is so.

    By `warnings`, which says it once and ends in uWSGI's own log: it is the server that is to be set up otherwise.
    """
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None or getattr(uwsgi, "has_threads", True):
        return False
    with suppress(Warning):  # where the app makes errors of them
        warnings.warn(_NO_THREADS, RuntimeWarning, stacklevel=1)
    return True


_NO_THREADS = (
    "curl_interceptor: uWSGI runs no threads between requests, so records are delivered late or not at all; "
    "start it with --enable-threads"
)
