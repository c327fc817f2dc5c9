"""
Seeing a response's body pass without standing in its way.

urllib3's response object is given a cached subclass of its own class for as long as its body is open. No wrapper takes
its place, nothing is read ahead, and no cycle is made; when the body ends, the object gets its own class back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from urllib3.response import BaseHTTPResponse

from ..records.exchange import BodyState

__all__ = ["BodyWatch", "watch"]

_KEY = "_curl_interceptor_watch"
_twins: dict[type, type] = {}


class BodyWatch(Protocol):
    """What wants to see a body pass. Raises nothing."""

    @property
    def ended(self) -> object:
        """Whether nobody needs to see more of it."""

    def note(self, data: bytes) -> None:
        """A piece of the body passes."""

    def end(self, state: BodyState, error: BaseException | None = None) -> None:
        """The body ended; called once or several times, of which the first counts."""


def watch(raw: Any, observer: BodyWatch) -> bool:
    """Let an observer see the body of a response pass; False if this kind of response cannot be watched."""
    kind = type(raw)
    twin = _twins.get(kind) or _twin_of(kind)
    if twin is None:
        return False
    raw.__class__ = twin
    raw.__dict__[_KEY] = observer
    return True


def _twin_of(kind: Any) -> Any:
    """Return the subclass that a response of this class has while it is watched; None if it cannot be watched."""
    if not issubclass(kind, BaseHTTPResponse) or kind in _twins.values():
        return None
    body: dict[str, Any] = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    body.update({name: _reading(kind, name) for name in ("read", "read1") if hasattr(kind, name)})
    body.update({name: _passing(kind, name) for name in ("stream", "read_chunked") if hasattr(kind, name)})
    body["close"] = _closing(kind, "close")
    if hasattr(kind, "drain_conn"):
        body["drain_conn"] = _closing(kind, "drain_conn")  # which does not read by `read` in newer versions of urllib3
    return _twins.setdefault(kind, type(kind.__name__, (kind,), body))


def _reading(kind: Any, name: str) -> Callable[..., bytes]:
    """Return a method that reads by the class's own, and lets the observer see what came."""
    read = getattr(kind, name)
    at_once = name == "read"  # which returns the whole body if it is given no amount; read1 returns what is there

    def reading(self: Any, *args: Any, **kwargs: Any) -> bytes:
        observer = self.__dict__.get(_KEY)
        if observer is None or observer.ended:
            _leave(self, kind)
            return read(self, *args, **kwargs)  # type: ignore[no-any-return]
        try:
            data: bytes = read(self, *args, **kwargs)
        except Exception as error:
            _leave(self, kind)
            observer.end("broken", error)
            raise
        if data:
            observer.note(data)
        amount = args[0] if args else kwargs.get("amt")
        over = self.closed and not len(getattr(self, "_decoded_buffer", b""))  # by then no finaliser would call close
        if over or (at_once and (amount is None or amount < 0)) or (not data and amount != 0):
            _leave(self, kind)
            observer.end("complete")
        return data

    return reading


def _passing(kind: Any, name: str) -> Callable[..., Iterator[bytes]]:
    """Return a method that passes on the pieces of the class's own generator, and lets the observer see them.

    While it runs the response has its own class: it reads by other methods of itself, which would be seen twice.
    """
    pieces = getattr(kind, name)

    def passing(self: Any, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        # As in _leave, which costs the caller a call.
        self.__class__ = kind
        observer = self.__dict__.pop(_KEY, None)
        if observer is None:
            yield from pieces(self, *args, **kwargs)
            return
        note = observer.note
        try:
            for data in pieces(self, *args, **kwargs):
                note(data)
                yield data
        except GeneratorExit:  # left in the middle: the rest may be read otherwise, or never
            if self.closed:
                observer.end("abandoned")
            elif not observer.ended:
                watch(self, observer)
            raise
        except Exception as error:
            observer.end("broken", error)
            raise
        observer.end("complete")

    return passing


def _closing(kind: Any, name: str) -> Callable[..., None]:
    """Return a method after which nothing is read any more.

    `close` is also called by the finaliser of a response that is dropped: anywhere, in any thread.
    """
    end = getattr(kind, name)

    def close(self: Any) -> None:
        complete = getattr(self, "length_remaining", None) == 0
        observer = _leave(self, kind)
        try:
            end(self)
        finally:
            if observer is not None:
                observer.end("complete" if complete else "abandoned")

    return close


def _leave(raw: Any, kind: Any) -> Any:
    """Give a response its own class back, and return who watched it."""
    raw.__class__ = kind
    return raw.__dict__.pop(_KEY, None)
