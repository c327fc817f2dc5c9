"""
Seeing a response's body pass without standing in its way.

urllib3's response object is given a cached subclass of its own class for as long as its body is open. No wrapper takes
its place, nothing is read ahead, and no cycle is made; when the body ends, the object gets its own class back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

from urllib3.response import BaseHTTPResponse

from ..records.exchange import BodyState

__all__ = ["BodyWatch", "watch"]

_KEY = "_curl_interceptor_watch"


class BodyWatch(Protocol):
    """What wants to see a body pass. Raises nothing."""

    ended: bool

    def note(self, data: bytes) -> None:
        """A piece of the body passes."""

    def end(self, state: BodyState, error: BaseException | None = None) -> None:
        """The body ended; called once or several times, of which the first counts."""


def watch(raw: Any, observer: BodyWatch) -> bool:
    """Let an observer see the body of a response pass; False if this kind of response cannot be watched."""
    kind: Any = type(raw)
    if not isinstance(raw, BaseHTTPResponse) or _KEY in raw.__dict__:
        return False
    raw.__dict__[_KEY] = observer
    raw.__class__ = _twin(kind)
    return True


def _leave(raw: Any, kind: type) -> None:
    raw.__dict__.pop(_KEY, None)
    raw.__class__ = kind


def _pass(raw: Any, kind: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Read by the class's own method, and let the observer see what came."""
    read = getattr(kind, name)
    observer = raw.__dict__.get(_KEY)
    if observer is None or observer.ended:
        _leave(raw, kind)
        return read(raw, *args, **kwargs)  # type: ignore[no-any-return]
    try:
        data: bytes = read(raw, *args, **kwargs)
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


@lru_cache(maxsize=256)
def _twin(kind: Any) -> Any:
    """Return the subclass that a response of this class has while it is watched."""

    class Watched(kind):  # type: ignore[misc]
        __slots__ = ()

        def read(self, *args: Any, **kwargs: Any) -> bytes:
            return _pass(self, kind, "read", args, kwargs)

        def read_chunked(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            return _pass_all(self, kind, kind.read_chunked(self, *args, **kwargs), note=True)

        def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            # It reads by `read` or `read_chunked`, which note what passes; only its end is news.
            return _pass_all(self, kind, kind.stream(self, *args, **kwargs), note=False)

        def close(self) -> None:
            # Also called by the finaliser of a response that is dropped, at any moment, in any thread.
            observer = self.__dict__.get(_KEY)
            complete = getattr(self, "length_remaining", None) == 0
            _leave(self, kind)
            kind.close(self)
            if observer is not None:
                observer.end("complete" if complete else "abandoned")

    if hasattr(kind, "read1"):

        def read1(self: Any, *args: Any, **kwargs: Any) -> bytes:
            return _pass(self, kind, "read1", args, kwargs)

        Watched.read1 = read1

    Watched.__name__, Watched.__qualname__, Watched.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return Watched


def _pass_all(raw: Any, kind: type, pieces: Iterator[bytes], *, note: bool) -> Iterator[bytes]:
    observer = raw.__dict__.get(_KEY)
    try:
        for data in pieces:
            if note and observer is not None and not observer.ended:
                observer.note(data)
            yield data
    except Exception as error:
        if observer is not None:
            _leave(raw, kind)
            observer.end("broken", error)
        raise
    if observer is not None:
        _leave(raw, kind)
        observer.end("complete")
