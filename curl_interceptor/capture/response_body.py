"""
Seeing a response's body pass without standing in its way.

urllib3's response object is given a cached subclass of its own class for as long as its body is open. No wrapper takes
its place, nothing is read ahead, and no cycle is made; when the body ends, the object gets its own class back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import wraps
from typing import Any, Protocol

from urllib3.exceptions import BodyNotHttplibCompatible, HTTPError, ResponseNotChunked
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
    try:
        twin = _twins.get(kind) or _twin_of(kind)
    except Exception:  # a class that will not be derived from
        return False
    if twin is None:
        return False
    raw.__dict__[_KEY] = observer
    raw.__class__ = twin
    return True


def _twin_of(kind: Any) -> Any:
    """Return the subclass that a response of this class has while it is watched; None if it cannot be watched."""
    if not issubclass(kind, BaseHTTPResponse) or kind in _twins.values():
        return None
    body: dict[str, Any] = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    body["__doc__"] = kind.__doc__
    # drain_conn does not read by `read` in newer versions of urllib3.
    makers = {_reading: ("read", "read1"), _passing: ("stream", "read_chunked"), _closing: ("close", "drain_conn")}
    for make, names in makers.items():
        body.update({name: make(kind, name) for name in names if hasattr(kind, name)})
    return _twins.setdefault(kind, type(kind.__name__, (kind,), body))


def _reading(kind: Any, name: str) -> Callable[..., bytes]:
    """Return a method that reads by the class's own, and lets the observer see what came."""
    read = getattr(kind, name)
    at_once = name == "read"  # which returns the whole body if it is given no amount; read1 returns what is there

    @wraps(read)
    def reading(self: Any, *args: Any, **kwargs: Any) -> bytes:
        observer = self.__dict__.get(_KEY)
        if observer is None or observer.ended:
            _leave(self, kind)
            return read(self, *args, **kwargs)  # type: ignore[no-any-return]
        try:
            data: bytes = read(self, *args, **kwargs)
        except Exception as error:
            if not _is_refusal(self, error):
                _leave(self, kind)
                observer.end("broken", error)
            raise
        if data:
            observer.note(data)
        amount = args[0] if args else kwargs.get("amt")
        over = self.closed and not _holds_back(self)  # by then no finaliser would call close
        if over or (at_once and (amount is None or amount < 0)) or (not data and amount != 0):
            _leave(self, kind)
            observer.end("complete")
        return data

    return reading


def _passing(kind: Any, name: str) -> Callable[..., Iterator[bytes]]:
    """Return a method that passes on the pieces of the class's own generator, and lets the observer see them.

    While that one runs the response has its own class: it reads by other methods of itself, which would be seen twice.
    While the app has a piece, what it reads by other means is seen, and so is that it closes the response.
    """
    pieces = getattr(kind, name)

    @wraps(pieces)
    def passing(self: Any, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        self.__class__ = kind
        observer = self.__dict__.get(_KEY)
        own = pieces(self, *args, **kwargs)
        if observer is None:
            yield from own
            return
        note = observer.note
        twin = _twins[kind]
        data = None
        try:
            for data in own:
                note(data)
                self.__class__ = twin
                try:
                    yield data
                except BaseException as error:  # of whoever iterates: the class's own is to see where it stands
                    self.__class__ = kind
                    if isinstance(own, Generator):
                        own.throw(error)  # not by a function of ours: its frame and the error would hold each other
                    raise
                self.__class__ = kind
        except BaseException as error:
            if isinstance(error, Exception) and not _is_refusal(self, error):
                _leave(self, kind)
                observer.end("broken", error)
            elif self.closed and not _holds_back(self):
                _leave(self, kind)
                observer.end(_state_of(self))
            else:  # the rest may be read otherwise, or never
                self.__class__ = twin
            raise
        if data is None and not self.closed:  # no bytes were asked for
            self.__class__ = twin
            return
        self.__dict__.pop(_KEY, None)  # as in _leave, which costs the caller a call
        observer.end("abandoned" if getattr(self, "length_remaining", None) else "complete")  # closed by another thread

    return passing


def _closing(kind: Any, name: str) -> Callable[..., None]:
    """Return a method after which nothing is read any more.

    `close` is also called by the finaliser of a response that is dropped: anywhere, in any thread.
    """
    end = getattr(kind, name)

    @wraps(end)
    def close(self: Any) -> None:
        state = _state_of(self)
        observer = _leave(self, kind)
        try:
            end(self)
        finally:
            if observer is not None:
                observer.end(state)

    return close


def _leave(raw: Any, kind: Any) -> Any:
    """Give a response its own class back, and return who watched it."""
    raw.__class__ = kind
    return raw.__dict__.pop(_KEY, None)


def _state_of(raw: Any) -> BodyState:
    """Return how a body ended of which nothing more is read."""
    return "complete" if getattr(raw, "length_remaining", None) == 0 and not _holds_back(raw) else "abandoned"


def _holds_back(raw: Any) -> bool:
    """Whether something was read off the wire that the app has not been given yet, decoded or still to be decoded."""
    decoder = getattr(raw, "_decoder", None)
    return bool(getattr(raw, "_decoded_buffer", None) or getattr(decoder, "has_unconsumed_tail", False))


def _is_refusal(raw: Any, error: Exception) -> bool:
    """Whether an error says that a body cannot be read this way, and not that it broke: it can be read otherwise."""
    if isinstance(error, (ResponseNotChunked, BodyNotHttplibCompatible)):
        return True
    return not isinstance(error, HTTPError) and not raw.closed
