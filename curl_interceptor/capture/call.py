"""
Watching one call of `HTTPAdapter.send`: asked in the caller's thread, so it hurries, and it raises nothing.

A call is handed over when its response's body has ended: at once for an exception, and a moment later for a response,
since requests reads the body right after the adapter returns. One whose app reads slowly, or never, is handed over
without its body by the dispatcher after five seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Set
from functools import partial
from time import perf_counter
from typing import Any
from weakref import ref

from requests import PreparedRequest, Response

from ..observe.calls import EXCEPTION
from ..policies import CapturePolicy
from ..records.screen import Screen
from . import response_body
from .connection import Tee
from .draft import Draft, Sink, has_wanted_type
from .request_body import BodyTee, is_consumed
from .spare import Spare

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

    __slots__ = (
        "_called",
        "_errors",
        "_exempt",
        "_others",
        "_policy",
        "_screen",
        "_sink",
        "_slower_than",
        "_statuses",
        "_wanted",
        "paused",
    )

    def __init__(self, screen: Screen, policy: CapturePolicy, sink: Sink, exempt: Set[int]) -> None:
        self._exempt = exempt
        self.paused = False
        """Whether nothing is captured for the time being."""
        self.change(screen, policy, sink)

    def change(self, screen: Screen, policy: CapturePolicy, sink: Sink) -> None:
        """Go on with other values; a call that ends meanwhile is captured by the old ones or by the new ones."""
        self._wanted = screen
        self._policy = policy
        self._sink = sink
        self._called = sink.called
        self.pause(self.paused)

    def pause(self, paused: bool) -> None:
        """Capture nothing, or go on: what is paused has a screen that nothing passes, which costs a caller no more."""
        self.paused = paused
        screen = Screen() if paused else self._wanted
        self._screen = screen
        # Its parts are asked without a call: this is what every request of the app pays for.
        self._statuses, self._errors = screen.statuses, screen.errors
        self._slower_than, self._others = screen.slower_than, screen.others

    def tee(self, request: PreparedRequest) -> Tee | None:
        """Return what sees the body pass while it is sent; None if it can be looked at afterwards."""
        try:
            body = request.body
            if not is_consumed(body) or threading.get_ident() in self._exempt:
                return None
            policy = self._policy
            room = policy.request_body if has_wanted_type(request.headers, policy) else 0
            return Tee(BodyTee(body, room))
        except Exception:
            self._sink.trouble()
            return None

    def answered(
        self,
        request: PreparedRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        began: float,
        response: Response,
        tee: Tee | None = None,
    ) -> None:
        """A response's headers came. `began` is on the clock of `perf_counter`."""
        try:
            now = perf_counter()
            elapsed = now - began
            status = response.status_code
            self._called(request.url, status, now)
            wanted = status in self._statuses or elapsed > self._slower_than
            if not wanted and self._others:
                wanted = self._screen.passes(status, elapsed)
            # Where errors are wanted every body is watched: it may break.
            if not (wanted or self._errors) or threading.get_ident() in self._exempt:
                return
            raw = response.raw
            bodiless = getattr(raw, "length_remaining", None) == 0
            if not wanted:
                if not bodiless:
                    make = partial(_late, self._sink, self._policy, ref(request), (args, kwargs), began, elapsed, tee)
                    response_body.watch(raw, Spare(make, ref(response), self._sink, self._policy))
                return
            draft = Draft(self._sink, self._policy, request, (args, kwargs), began, elapsed, response, tee)
            if bodiless:
                draft.end("none")
            elif not response_body.watch(raw, draft):
                draft.end("missing")
            else:
                self._sink.watch(draft)
                draft.noted_at = perf_counter()
        except Exception:
            self._sink.trouble()

    def failed(
        self,
        request: PreparedRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        began: float,
        error: Exception,
        tee: Tee | None = None,
    ) -> None:
        """The call ended in an exception."""
        try:
            now = perf_counter()
            elapsed = now - began
            self._called(request.url, EXCEPTION, now)
            if self._screen.passes_failure(elapsed) and threading.get_ident() not in self._exempt:
                draft = Draft(self._sink, self._policy, request, (args, kwargs), began, elapsed, tee=tee)
                draft.end("none", error)
        except Exception:
            self._sink.trouble()


def _late(
    sink: Sink,
    policy: CapturePolicy,
    request: Callable[[], PreparedRequest | None],
    options: tuple[tuple[Any, ...], Mapping[str, Any]],
    began: float,
    elapsed: float,
    tee: Tee | None,
    response: Response,
) -> Draft:
    """Return the draft of a call whose body broke; until then nothing of ours keeps the request alive, or its body."""
    return Draft(sink, policy, request() or response.request, options, began, elapsed, response, tee)
