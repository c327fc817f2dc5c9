"""
Watching one call of `HTTPAdapter.send`: asked in the caller's thread, so it hurries, and it raises nothing.

A call is handed over when its response's body has ended: at once for an exception, and a moment later for a response,
since requests reads the body right after the adapter returns. One whose app reads slowly, or never, is handed over
without its body by the dispatcher after five seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from threading import get_ident
from time import perf_counter
from typing import Any

from requests import PreparedRequest, Response

from ..policies import CapturePolicy
from ..records.match import Screen
from . import response_body
from .draft import Draft, Sink

__all__ = ["Capture"]


class Capture:
    """Notes down what an adapter sends.

    Parameters
    ----------
    screen: What no inspector can want.
    policy: How much is kept.
    sink: Where drafts go.
    exempt: Idents of the threads that deliver at the moment: what they send is not captured.
    """

    __slots__ = ("_errors", "_everything", "_exempt", "_policy", "_sink", "_slower_than", "_statuses")

    def __init__(self, screen: Screen, policy: CapturePolicy, sink: Sink, exempt: Set[int]) -> None:
        # The parts of the screen, which is asked without a call: this is what every request of the app pays for.
        self._statuses = screen.statuses
        self._errors = screen.errors
        self._slower_than = screen.slower_than
        self._everything = screen.open
        self._policy = policy
        self._sink = sink
        self._exempt = exempt

    def answered(
        self,
        request: PreparedRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        began: float,
        response: Response,
    ) -> None:
        """A response's headers came. `began` is on the clock of `perf_counter`."""
        try:
            elapsed = perf_counter() - began
            status = response.status_code
            wanted = status in self._statuses or elapsed > self._slower_than or self._everything
            # Where errors are wanted every body is watched: it may break.
            if not (wanted or self._errors) or get_ident() in self._exempt:
                return
            draft = Draft(self._sink, self._policy, request, (args, kwargs), began, elapsed, response, wanted)
            raw = response.raw
            if getattr(raw, "length_remaining", None) == 0:
                draft.end("none")
            elif not response_body.watch(raw, draft):
                draft.end("missing")
            elif wanted:
                self._sink.watch(draft)
        except Exception:
            self._sink.trouble()

    def failed(
        self,
        request: PreparedRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        began: float,
        error: Exception,
    ) -> None:
        """The call ended in an exception."""
        try:
            elapsed = perf_counter() - began
            if (self._errors or elapsed > self._slower_than) and get_ident() not in self._exempt:
                Draft(self._sink, self._policy, request, (args, kwargs), began, elapsed).end("none", error)
        except Exception:
            self._sink.trouble()
