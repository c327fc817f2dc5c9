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


class _Process:
    """The figures of the process's own pipeline, whichever that is at the moment they are asked for."""

    def __init__(self) -> None:
        self.ask: Callable[[], Stats] = Stats.empty

    def stats(self) -> Stats:
        """The figures of the process's pipeline; empty ones while there is none."""
        return self.ask()


process = _Process()
"""The process's own source."""
