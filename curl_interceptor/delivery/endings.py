"""The ends of processes that run no `atexit` hooks: children of multiprocessing and of Celery.

Both end by `os._exit`, after hooks of their own. Neither package is ever imported for that: one that is not there yet
has started no child.
"""

from __future__ import annotations

import os
import sys
from typing import Protocol

__all__ = ["arrange"]

_CELERY_PATIENCE = 0.5  # seconds; Celery kills a child that is replaced 0.6 s after it was told to end


class End(Protocol):
    """Delivers what it can, within so many seconds (None: as many as the pipelines say), and ends them."""

    def __call__(self, most: float | None = None) -> None: ...


def arrange(end: End) -> None:
    """Have `end` called when this process ends; to be said when it has its first record, and again in each child."""
    _with_multiprocessing(end)
    _with_celery(end)


def _with_multiprocessing(end: End) -> None:
    """The registry of finalisers runs. Not earlier than the first record: the start of a child clears it."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None:
        return
    if _finalized.get("pid") != os.getpid():
        _finalized["pid"] = os.getpid()
        util.Finalize(None, end, exitpriority=100)


_finalized: dict[str, int] = {}


def _with_celery(end: End) -> None:
    """The signal `worker_process_shutdown` is sent in each child of a prefork worker."""
    signals = sys.modules.get("celery.signals")
    shutdown = getattr(signals, "worker_process_shutdown", None)  # absent while Celery is being imported
    # Once: a signal handler that comes here in the middle of `connect` would wait for its lock for ever.
    if shutdown is not None and _connected.get("pid") != os.getpid():
        _connected["pid"] = os.getpid()

        def last_moment(**_: object) -> None:
            end(_CELERY_PATIENCE)

        shutdown.connect(last_moment, weak=False, dispatch_uid="curl_interceptor")


_connected: dict[str, int] = {}
