"""
What is noted of a call that nobody wants, unless its response's body breaks.

Where errors are wanted this is all that a successful call pays for, so it is next to nothing: the draft is made when a
body breaks, which is rare.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import recording
from ..policies import CapturePolicy
from ..records.context import labels
from ..records.exchange import BodyState
from .caller import caller
from .draft import Draft, Sink

__all__ = ["Spare"]


class Spare:
    """Watches a body, and becomes a draft if it breaks.

    Parameters
    ----------
    make: Returns the draft, given the response; called at most once.
    response: Returns the response while it is alive. Held, it would hold its body, which holds who watches it, and the
        connection of a stream that is dropped would not be closed. For the like reason `make` holds no request: what
        an app keeps of a call may be nothing but the open body.
    sink: Where trouble is counted.
    policy: How much of the body's head is kept.
    """

    __slots__ = ("_call", "_chunks", "_make", "_response", "_room", "_sink", "ended")

    def __init__(
        self, make: Callable[[Any], Draft], response: Callable[[], Any], sink: Sink, policy: CapturePolicy
    ) -> None:
        self._make = [make]
        self._response = response
        self._sink = sink
        self._room = policy.response_body
        # Of when the call was made: its body may break elsewhere.
        self._call = labels.get(), recording.current, caller() if policy.caller else None
        self._chunks: list[bytes] = []
        self.ended: BodyState | None = None
        """How the body ended; None while it is open."""

    def note(self, data: bytes) -> None:
        """A piece of the body passes; keep the head."""
        room = self._room
        if room > 0:
            self._chunks.append(data if len(data) <= room else data[:room])
            self._room = room - len(data)

    def end(self, state: BodyState, error: BaseException | None = None) -> None:
        """The body ended; only an error is worth telling. Raises nothing, and of several calls the first one counts."""
        self.ended = state
        try:
            make = self._make.pop()  # atomic
        except IndexError:
            return
        if error is None:
            return
        try:
            response = self._response()
            if response is None:  # somebody reads a body of which the rest is gone
                self._sink.trouble()
                return
            draft = make(response)
            draft.context, draft.recorder, draft.caller = self._call
            for data in self._chunks:
                draft.note(data)
            draft.end(state, error)
        except Exception:
            self._sink.trouble()
