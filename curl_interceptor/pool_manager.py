"""Capture for code that uses urllib3 without requests: pool managers that send what fails by the same pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager
from urllib3.exceptions import PoolError
from urllib3.poolmanager import PoolKey

from .capture.connection import pending, pool_itself, stand_in
from .capture.pool import PoolCapture
from .capturing import Capturing

__all__ = ["CapturePoolManager", "CaptureProxyManager"]

# At run time it stands before either of the two.
if TYPE_CHECKING:
    _Manager = PoolManager
else:
    _Manager = object


class _CapturesCalls(Capturing, _Manager):
    """What the two have in common: each hop of `urlopen` is one exchange."""

    _capture: PoolCapture | None = None
    _capture_type = PoolCapture
    _known_keywords = frozenset(name.removeprefix("key_") for name in PoolKey._fields)

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> BaseHTTPResponse:  # type: ignore[override]
        """Send as urllib3 does, and capture what came of it; it calls itself for each redirect."""
        capture = self._capture
        if capture is None:
            return super().urlopen(method, url, redirect, **kw)
        before = pending.get()
        call = capture.call(url)
        try:
            pending.set(ref(call))
            return super().urlopen(method, url, redirect, **kw)
        except PoolError as error:
            error.pool = pool_itself(error.pool)  # urllib3 names the pool that it was given: too many redirects
            raise
        finally:
            pending.set(before)

    def connection_from_host(self, *args: Any, **kwargs: Any) -> Any:
        """Find the connection pool as urllib3 does; the call that looks for one is seen on its way there."""
        pool = stand_in(super().connection_from_host(*args, **kwargs))
        pending.set(None)  # it is for one call; what is asked for while that one runs is another's
        return pool


class CapturePoolManager(_CapturesCalls, PoolManager):
    """A `urllib3.PoolManager` that sends what failed as curl commands to where your team reads.

    It captures what is sent by its own `request` and `urlopen`, each redirect by itself. Pools that are taken out of it
    (`connection_from_url`) are plain ones. Where urllib3 reads the body at once, as it does unless it is told
    `preload_content=False`, `elapsed` includes the body, and the peer is not known.

    Parameters
    ----------
    args, kwargs:
        The keywords of `CaptureMixin`; everything else goes to `urllib3.PoolManager`, such as `num_pools`, `headers`,
        `retries`, `timeout` and `maxsize`.

    Raises
    ------
    ConfigurationError
        If a value cannot be used; the message names the keyword.
    TypeError
        If a keyword is unknown.
    """


class CaptureProxyManager(_CapturesCalls, ProxyManager):
    """A `urllib3.ProxyManager` that captures as `CapturePoolManager` does.

    Parameters
    ----------
    args, kwargs:
        The keywords of `CaptureMixin`; everything else goes to `urllib3.ProxyManager`, first of all `proxy_url`.

    Raises
    ------
    ConfigurationError
        If a value cannot be used; the message names the keyword.
    TypeError
        If a keyword is unknown.
    """

    _takes_url = True
