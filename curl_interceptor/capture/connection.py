"""
Standing in for the connection pool of one call, so that what urllib3 is given and gives back can be seen.

The stand-in is an instance of a cached subclass of the pool's own class that shares the pool's `__dict__`: whatever is
read from it or set on it is the pool's. Only `urlopen` goes by way of an observer, and on to the real pool.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol

from urllib3.connectionpool import ConnectionPool

from .request_body import BodyTee
from .versions import FIND_CONNECTION

__all__ = ["Observer", "Tee", "peer_of", "pending", "pool_itself", "stand_between", "stand_in"]

_twins: dict[type, type] = {}


class Observer(Protocol):
    """Who sees a call of `urlopen`."""

    def urlopen(self, pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the pool's `urlopen`, whatever else is done; raise what it raises."""


pending: ContextVar[Callable[[], Observer | None] | None] = ContextVar("curl_interceptor_pending", default=None)
"""Who sees the call for which a connection pool is looked for at the moment.

Held weakly: a call that an interrupt cuts off anywhere leaves nothing behind that would hold its body.
"""


class Tee:
    """Shows urllib3 a view of a body that is consumed by the sending; pending from when it is made until `leave`."""

    __slots__ = ("__weakref__", "_before", "body")

    def __init__(self, body: BodyTee) -> None:
        self.body = body
        self._before = pending.get()
        pending.set(weakref.ref(self))

    def urlopen(self, pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send by the pool, with the view in the place of the body."""
        if "body" in kwargs:
            kwargs["body"] = self.body.view(kwargs["body"])
        elif len(args) > 2:  # method, URL, body
            args = (*args[:2], self.body.view(args[2]), *args[3:])
        return pool.urlopen(*args, **kwargs)

    def leave(self) -> None:
        """The call is over."""
        pending.set(self._before)
        self.body.leave()


def stand_between(adapter: Any) -> None:
    """From now on look at each connection pool that an adapter finds for a call.

    An adapter whose bodies are all there when they have been sent is left alone: this would cost its callers a call.
    """
    own = getattr(adapter, "__dict__", {})
    if FIND_CONNECTION not in own:
        own[FIND_CONNECTION] = partial(_find_connection, weakref.ref(adapter))


def _find_connection(adapter: Callable[[], Any], *args: Any, **kwargs: Any) -> Any:
    """Find the connection pool as the adapter's class does; a body that needs it is seen on its way there."""
    whose = adapter()  # which is sending at the moment
    return stand_in(getattr(type(whose), FIND_CONNECTION)(whose, *args, **kwargs))


def stand_in(pool: Any) -> Any:
    """Return what stands in for a pool in the call that is pending; the pool itself if nobody is to see it."""
    found = pending.get()
    observer = found and found()
    if observer is None or not isinstance(pool, ConnectionPool):
        return pool
    kind = type(pool)
    try:
        return (_twins.get(kind) or _twin_of(kind))(pool, observer)
    except Exception:  # a class that will not be derived from: its calls go unseen
        return pool


def _twin_of(kind: Any) -> Any:
    """Return the subclass of a pool's class whose instances stand in for pools."""

    def init(self: Any, pool: Any, observer: Observer) -> None:
        self.__dict__ = pool.__dict__
        self._curl_interceptor_pool = pool  # which closes its connections as soon as nobody holds it
        self._curl_interceptor_observer = observer

    def urlopen(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self._curl_interceptor_observer.urlopen(self._curl_interceptor_pool, args, kwargs)

    body: dict[str, Any] = {
        "__slots__": ("_curl_interceptor_observer", "_curl_interceptor_pool"),
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__init__": init,
        "urlopen": urlopen,
    }
    if hasattr(kind, "__del__"):
        body["__del__"] = lambda self: None  # the end of a stand-in is not the pool's
    return _twins.setdefault(kind, type(kind.__name__, (kind,), body))


def pool_itself(pool: Any) -> Any:
    """Return the pool that another one stands in for, or else the pool that it is."""
    return getattr(pool, "_curl_interceptor_pool", pool)


def peer_of(raw: Any) -> str | None:
    """Return the address at the other end of a response's connection, which is a proxy's if there is one."""
    try:
        connection = raw._connection
        # http.client lets go of the socket as soon as it knows that the connection ends with the body.
        sock = (connection and connection.sock) or raw._original_response.fp.raw._sock
        address = sock.getpeername()
    except (AttributeError, OSError):
        return None
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(address) or None
