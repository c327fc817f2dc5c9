"""
What is noted of a call that nobody wants, unless its response's body breaks.

Where errors are wanted this is all that a successful call pays for, so it is next to nothing: the draft is made when a
body breaks, which is rare.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..records.exchange import BodyState
from .draft import Draft

__all__ = ["Spare"]


class Spare:
    """Watches a body, and becomes a draft if it breaks.

    Parameters
    ----------
    make: Returns the draft; called at most once.
    room: How much of the body's head is kept for it, in bytes.
    """

    __slots__ = ("_chunks", "_make", "_room", "ended")

    def __init__(self, make: Callable[[], Draft | None], room: int) -> None:
        self._make = [make]
        self._room = room
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
            make: Any = self._make.pop()  # atomic
        except IndexError:
            return
        draft = make() if error is not None else None
        if draft is not None:
            for data in self._chunks:
                draft.note(data)
            draft.end(state, error)
        self._chunks.clear()
