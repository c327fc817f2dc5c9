"""Where the figures of the process come from: the pipelines say so from above, for whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .stats import Stats

__all__ = ["Source", "process"]


class Source(Protocol):
    """Whatever has figures to show, such as a pipeline or an adapter."""

    def stats(self) -> Stats:
        """The figures at this moment."""


class _Nothing:
    """A process without a pipeline."""

    def stats(self) -> Stats:
        return Stats()


class _Process:
    """Finds the process's own source, whichever that is when it is asked for."""

    def __init__(self) -> None:
        self.source: Callable[[], Source] = _Nothing


process = _Process()
"""Asked by `process.source()`."""
