"""
Seeing a request's body pass that is consumed by the sending: a file, an iterator, a generator.

urllib3 gets a view of such a body, which keeps the head of what is read through it. The body itself is not touched, and
nothing is read that urllib3 does not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from ..records.exchange import BodyState

__all__ = ["BodyTee", "is_consumed"]


def is_consumed(body: Any) -> bool:
    """Whether a body is gone when it has been sent: it can be read or iterated, and is neither text nor a buffer."""
    if body is None or isinstance(body, (str, bytes, bytearray)):
        return False
    if hasattr(body, "read"):
        return True
    try:
        memoryview(body)
    except TypeError:
        return hasattr(body, "__iter__")
    return False


class BodyTee:
    """What is seen of one body while it is sent.

    Each attempt of urllib3's own retries begins anew, so that it ends with what the last one sent.

    Parameters
    ----------
    body: The body; let go by `leave`.
    room: How much of its head is kept, in bytes.
    """

    __slots__ = ("_body", "_head", "_lost", "_room", "_size", "_state")

    def __init__(self, body: Any, room: int) -> None:
        self._body = body
        self._room = room
        self._begin("missing")

    def view(self, body: Any) -> Any:
        """Return what urllib3 is to read instead of a body; another body than ours is returned as it is."""
        if body is not self._body or body is None:
            return body
        self._begin("abandoned")
        return _view_type(type(body).__name__, hasattr(body, "__len__"))(body, self)

    def seen(self) -> tuple[bytes | None, BodyState, int | None]:
        """Return the head of the body, what is known of it, and its size if it was sent to its end."""
        state = self._state
        if state == "missing" or self._lost:
            return None, "missing", None
        size = self._size if state == "complete" else None
        if self._size and not self._room:
            return None, "missing", size
        if state == "complete" and self._size > self._room:
            state = "cut"
        return bytes(self._head), state, size

    def leave(self) -> None:
        """The call is over: let the body go."""
        self._body = None

    # -- used by the view ---------------------------------------------------------------------------------------------

    def _begin(self, state: BodyState = "abandoned") -> None:
        """An attempt begins: it is abandoned unless it reaches the body's end."""
        self._head = bytearray()
        self._size = 0
        self._lost = False
        self._state: BodyState = state

    def _note(self, data: Any) -> None:
        """A piece passes. What cannot be sent is urllib3's to refuse."""
        try:
            if isinstance(data, str):
                data = data.encode("utf-8")
            elif not isinstance(data, bytes):
                data = memoryview(data).cast("B")
            room = self._room - self._size
            self._size += len(data)
            if room > 0:  # copied into one piece: a thousand small ones would take many times their size
                self._head += data if len(data) <= room else data[:room]
        except Exception:
            self._lost = True

    def _end(self, state: BodyState) -> None:
        self._state = state


class _View:
    """Looks like a body to urllib3, which asks for `read`, `tell`, `seek`, an iterator and the class."""

    __slots__ = ("_body", "_tee")

    def __init__(self, body: Any, tee: BodyTee) -> None:
        self._body = body
        self._tee = tee

    # urllib3 encodes what an `io.TextIOBase` reads.
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self._body.__class__

    @property
    def read(self) -> Callable[..., Any]:
        """The body's own `read`, seen; an AttributeError where it has none."""
        read = self._body.read
        tee = self._tee

        def reading(*args: Any, **kwargs: Any) -> Any:
            try:
                data = read(*args, **kwargs)
            except BaseException:
                tee._end("broken")
                raise
            if data:
                tee._note(data)
            else:
                tee._end("complete")
            return data

        return reading

    # Each attempt begins with one of these two, whether the body has it or not.
    @property
    def tell(self) -> Callable[..., Any]:
        """The body's own `tell`."""
        self._tee._begin()
        return self._body.tell  # type: ignore[no-any-return]

    @property
    def seek(self) -> Callable[..., Any]:
        """The body's own `seek`."""
        self._tee._begin()
        return self._body.seek  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Any]:
        pieces = iter(self._body)  # at once: what is not iterable is to be refused here
        self._tee._begin()
        return self._passing(pieces)

    def _passing(self, pieces: Iterator[Any]) -> Iterator[Any]:
        tee = self._tee
        try:
            for piece in pieces:
                if piece:
                    tee._note(piece)
                yield piece
        except GeneratorExit:
            raise
        except BaseException:
            tee._end("broken")
            raise
        tee._end("complete")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def __repr__(self) -> str:
        return repr(self._body)


class _SizedView(_View):
    """The view of a body that has a length."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)


@lru_cache(256)
def _view_type(name: str, sized: bool) -> Any:
    """Return the class for views of bodies whose class has this name, by which Python calls them in its messages."""
    return type(name, (_SizedView if sized else _View,), {"__slots__": ()})
