"""Waiting for what other threads bring about, with patience: a machine may be busy with something else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curl_interceptor import Pipeline
    from curl_interceptor.observe.stats import InspectorStats

__all__ = ["books", "until"]


def until(condition: Callable[[], object], timeout: float = 20.0) -> float:
    """Wait for it; return how long it took. What never comes true fails the test."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout, f"it did not come true within {timeout} s"
        time.sleep(0.005)
    return time.monotonic() - began


def books(pipeline: Pipeline) -> InspectorStats:
    """Return the books of the only lane, as soon as there is one."""
    until(lambda: pipeline.stats().inspectors)
    (lane,) = pipeline.stats().inspectors
    return lane
