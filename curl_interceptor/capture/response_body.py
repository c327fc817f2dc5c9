"""
Seeing a response's body pass without standing in its way.

urllib3's response object is given a cached subclass of its own class for as long as its body is open. No wrapper takes
its place, nothing is read ahead, and no cycle is made; when the body ends, the object gets its own class back.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    twin = _twins.get(type(raw)) or _twin_of(type(raw))
    if twin is None:
        return False
    raw.__dict__[_KEY] = observer
    raw.__class__ = twin
    return True


def _leave(raw: Any, kind: Any) -> Any:
    """Give a response its own class back, and return who watched it."""
    raw.__class__ = kind
    return raw.__dict__.pop(_KEY, None)


def _pass(raw: Any, kind: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Read by the class's own method, and let the observer see what came."""
    observer = raw.__dict__.get(_KEY)
    if observer is None or observer.ended:
        _leave(raw, kind)
        return getattr(kind, name)(raw, *args, **kwargs)  # type: ignore[no-any-return]
    try:
        data: bytes = getattr(kind, name)(raw, *args, **kwargs)
    except Exception as error:
        _leave(raw, kind)
        observer.end("broken", error)
        raise
    if data:
        observer.note(data)
    amount = args[0] if args else kwargs.get("amt")
    everything = name == "read" and (amount is None or amount < 0)  # read1 returns what is there, not all
    if everything or (not data and amount != 0):
        _leave(raw, kind)
        observer.end("complete")
    return data


def _pass_all(raw: Any, kind: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on the pieces of a generator of the class's own.

    While it runs, the response has its own class: it reads by other methods of itself, which would be seen twice.
    """
    observer = _leave(raw, kind)
    if observer is None:
        yield from pieces
        return
    try:
        for data in pieces:
            observer.note(data)
            yield data
    except GeneratorExit:  # left in the middle: the rest may be read otherwise, or never
        if raw.closed:
            observer.end("abandoned")
        elif not observer.ended:
            watch(raw, observer)
        raise
    except Exception as error:
        observer.end("broken", error)
        raise
    observer.end("complete")


def _twin_of(kind: Any) -> Any:
    """Return the subclass that a response of this class has while it is watched; None if it cannot be watched."""
    if not issubclass(kind, BaseHTTPResponse) or kind in _twins.values():
        return None

    class Watched(kind):  # type: ignore[misc]
        __slots__ = ()

        def read(self, *args: Any, **kwargs: Any) -> bytes:
            return _pass(self, kind, "read", args, kwargs)

        def read_chunked(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            return _pass_all(self, kind, kind.read_chunked(self, *args, **kwargs))

        def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            return _pass_all(self, kind, kind.stream(self, *args, **kwargs))

        def close(self) -> None:
            # Also called by the finaliser of a response that is dropped, at any moment, in any thread.
            complete = getattr(self, "length_remaining", None) == 0
            observer = _leave(self, kind)
            kind.close(self)
            if observer is not None:
                observer.end("complete" if complete else "abandoned")

    if hasattr(kind, "read1"):

        def read1(self: Any, *args: Any, **kwargs: Any) -> bytes:
            return _pass(self, kind, "read1", args, kwargs)

        Watched.read1 = read1

    Watched.__name__, Watched.__qualname__, Watched.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return _twins.setdefault(kind, Watched)
