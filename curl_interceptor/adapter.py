"""
The adapter that stands in the app's call path: it translates, and decides nothing.

It forwards every argument untouched, gives back the same response object, and lets the same exception through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from .capture.connection import stand_between
from .capturing import ADAPTER_KEYWORDS, Capturing
from .errors import ConfigurationError
from .inspectors.base import Inspector
from .policies import shown

__all__ = ["CaptureMixin", "CurlInterceptor", "mount"]

# At run time the mixin stands before whatever adapter it is combined with.
if TYPE_CHECKING:
    _Adapter = HTTPAdapter
else:
    _Adapter = object

# Bodies that are still there when they have been sent; the others are seen on their way.
_SLICED = frozenset({type(None), bytes, str})


class CaptureMixin(Capturing, _Adapter):
    """Captures what an adapter sends; put it before the adapter's class: `class Mine(CaptureMixin, TheirAdapter)`.

    Parameters
    ----------
    inspectors:
        Inspectors or webhook URLs; a single one needs no list. A callable among them is a factory, and makes one when
        it is first wanted (see `LazyInspector`); a text such as `"myapp.alerts.inspector"` is imported at once and
        names any of these. None and empty texts are off. Default: a `LoggingInspector`, which writes redacted commands
        to the logger `curl_interceptor`.
    match:
        Which exchanges are wanted: a `Match`, or several joined with `&`, `|` and `~`; or any object with a method
        `wants(record)`, which is asked about each of them. Default: failures, that is statuses 400 to 599 and
        exceptions.
    capture:
        How much of an exchange is kept. Default: the first 64 KiB of each body.
    redaction:
        What is hidden. Default: `Redaction()`. To hide nothing say `UNREDACTED`.
    recovery:
        Seconds, 0 to 86,400: when a host answers again after its calls had failed for at least so long, those who
        wanted a failure get a notice. Failures are exceptions and 5xx. Default None: nobody is told.
    batch, cooldown, rate_limit, retry, breaker, transport, lane, fallbacks, fallback_after:
        How it is delivered; see the policies of these names. `cooldown=None` holds nothing back.
    enabled:
        False makes a plain adapter of it; so does `CURL_INTERCEPTOR_ENABLED=0` in the environment. Default True.
    pipeline:
        A `Pipeline` of its own. Default: the process's.
    queue_size, queue_bytes, overflow, workers, exit_timeout, linger:
        Numbers of the process's pipeline, as in `Pipeline`; the first adapter that names them makes it with them.
    kwargs:
        Everything else goes to the adapter's class, such as `max_retries` and `pool_maxsize`.

    Raises
    ------
    ConfigurationError
        If a value cannot be used; the message names the keyword.
    TypeError
        If a keyword is unknown.
    """

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send a request as the adapter's class does, and capture what came of it."""
        capture = self._capture
        if capture is None:
            return super().send(request, *args, **kwargs)
        tee = None
        if type(getattr(request, "body", None)) not in _SLICED:
            tee = capture.tee(request)
            if tee is not None:
                stand_between(self)
        began = perf_counter()
        try:
            response = super().send(request, *args, **kwargs)
        except Exception as error:
            capture.failed(request, args, kwargs, began, error, tee)
            raise
        finally:
            if tee is not None:
                tee.leave()
        capture.answered(request, args, kwargs, began, response, tee)
        return response


class CurlInterceptor(CaptureMixin, HTTPAdapter):
    """An `HTTPAdapter` that sends what failed as curl commands to where your team reads.

    Mount it on a session: `session.mount("https://", CurlInterceptor(inspectors=[...]))`. Its keywords are those of
    `CaptureMixin` and of `requests.adapters.HTTPAdapter`.
    """


def mount(
    session: requests.Session, *inspectors: Inspector | str | Callable[[], Any] | Sequence[Any] | None, **options: Any
) -> CurlInterceptor:
    """Mount an interceptor on a session, for `http://` and `https://`, and return it.

    Every plain `HTTPAdapter` of the session is replaced, also one for a part of the web only, and keeps its
    `max_retries` and pool sizes unless `options` say otherwise. Mounting again replaces what was mounted before.

    Parameters
    ----------
    session: The session.
    inspectors: Inspectors, webhook URLs, factories or dotted paths, as for `CaptureMixin`.
    options: The keywords of `CurlInterceptor`.

    Raises
    ------
    ConfigurationError
        If the session has an adapter of another class for `http://` or `https://`, which would be lost: combine it with
        `CaptureMixin` instead.
    """
    if not isinstance(session, requests.Session):
        raise ConfigurationError(f"session must be a requests.Session, got {shown(session)}")
    for prefix in ("https://", "http://"):
        present = session.adapters.get(prefix)
        if present is not None and type(present) not in (HTTPAdapter, CurlInterceptor):
            name = type(present).__name__
            raise ConfigurationError(
                f"the session has a {name} for {prefix}, which mount() would replace; "
                f"make a class Mine(CaptureMixin, {name}) and mount that"
            )
    if inspectors:
        if "inspectors" in options:
            raise ConfigurationError("inspectors are given twice: once by position, once by keyword")
        options["inspectors"] = inspectors
    main = CurlInterceptor(**{**_taken_over(session.adapters.get("https://")), **options})
    present_ones = {"https://": main, "http://": main, **session.adapters}
    for prefix, present in present_ones.items():
        if type(present) in (HTTPAdapter, CurlInterceptor):
            session.mount(prefix, _like(main, present, options))
    return main


def _like(main: CurlInterceptor, present: Any, options: Mapping[str, Any]) -> CurlInterceptor:
    """Return an adapter that captures as the main one does and sends as the present one did."""
    numbers = {**_taken_over(present), **{name: options[name] for name in ADAPTER_KEYWORDS & set(options)}}
    own = _taken_over(main)
    if present is main or all(_same(own[name], value) for name, value in numbers.items()):
        return main
    twin = CurlInterceptor(inspectors=None, **numbers)
    twin._adopt(main._curl_interceptor)
    twin._curl_interceptor_off = main._curl_interceptor_off
    return twin


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (isinstance(one, Retry) and isinstance(other, Retry) and vars(one) == vars(other))


def _taken_over(adapter: Any) -> dict[str, Any]:
    if not isinstance(adapter, HTTPAdapter):
        return {}
    names = {
        "max_retries": "max_retries",
        "pool_connections": "_pool_connections",
        "pool_maxsize": "_pool_maxsize",
        "pool_block": "_pool_block",
    }
    return {keyword: getattr(adapter, name) for keyword, name in names.items() if hasattr(adapter, name)}
