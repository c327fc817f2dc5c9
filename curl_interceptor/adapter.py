"""
The adapter that stands in the app's call path: it translates, and decides nothing.

It forwards every argument untouched, gives back the same response object, and lets the same exception through.
"""

from __future__ import annotations

import os
import secrets
import weakref
from collections.abc import Iterable
from difflib import get_close_matches
from time import perf_counter
from typing import Any

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from .capture.call import Capture
from .delivery.destination import LanePolicies, Route, plan_route
from .delivery.guard import our_threads
from .delivery.pipeline import Pipeline, default_pipeline
from .errors import ConfigurationError
from .inspectors.base import Inspector
from .inspectors.logger import LoggingInspector
from .inspectors.recognise import inspector_for
from .observe.stats import Stats
from .policies import CapturePolicy, PipelinePolicy, check_flag, check_policy
from .records.match import Match
from .records.redaction import Redaction

__all__ = ["CaptureMixin", "CurlInterceptor", "mount"]

_PIPELINE_NUMBERS = frozenset(PipelinePolicy.__dataclass_fields__)
_DEFAULT_REDACTION = Redaction()
_OWN = frozenset({"inspectors", "match", "capture", "redaction", "enabled", "pipeline"})
_ADAPTER_KEYWORDS = frozenset({"pool_connections", "pool_maxsize", "max_retries", "pool_block"})

# A copy or pickle of an adapter carries only a name; in its own process it finds its settings by it.
_settings: weakref.WeakValueDictionary[str, _Settings] = weakref.WeakValueDictionary()


class _Settings:
    """What an adapter was configured with, shared by its copies."""

    def __init__(self, pipeline: Pipeline, route: Route, policy: CapturePolicy) -> None:
        self.name = secrets.token_hex(16)
        self.pipeline = pipeline
        self.route = route
        self.claims = pipeline.register(route)
        self.capture = Capture(route.screen, policy, pipeline.sink(route), our_threads)
        _settings[self.name] = self


class CaptureMixin(HTTPAdapter):
    """Captures what an adapter sends; put it before the adapter's class: `class Mine(CaptureMixin, TheirAdapter)`.

    Parameters
    ----------
    inspectors:
        Inspectors or webhook URLs; a single one needs no list. None and empty texts among them are off. Default: a
        `LoggingInspector`, which writes redacted commands to the logger `curl_interceptor`.
    match:
        Which exchanges are wanted. Default: failures, that is statuses 400 to 599 and exceptions.
    capture:
        How much of an exchange is kept. Default: the first 64 KiB of each body.
    redaction:
        What is hidden. Default: `Redaction()`. To hide nothing say `UNREDACTED`.
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

    def __init__(
        self,
        *args: Any,
        inspectors: Any = (),
        match: Match | None = None,
        capture: CapturePolicy | None = None,
        redaction: Redaction = _DEFAULT_REDACTION,
        enabled: bool = True,
        pipeline: Pipeline | None = None,
        **kwargs: Any,
    ) -> None:
        options = {name: kwargs.pop(name) for name in LanePolicies.keywords() & set(kwargs)}
        numbers = {name: kwargs.pop(name) for name in _PIPELINE_NUMBERS & set(kwargs)}
        unknown = sorted(set(kwargs) - _adapter_keywords(type(self)))
        if unknown:
            known = _OWN | LanePolicies.keywords() | _PIPELINE_NUMBERS | _ADAPTER_KEYWORDS
            raise TypeError(f"{type(self).__name__} got an unknown keyword {unknown[0]!r}{_nearest(unknown[0], known)}")
        check_flag("enabled", enabled)
        made = _plan(inspectors, match, capture, redaction, pipeline, options, numbers)
        super().__init__(*args, **kwargs)
        self._adopt(made if enabled and _enabled_by_environment() else None)

    def _adopt(self, settings: _Settings | None) -> None:
        self._curl_interceptor = settings
        self._capture = settings.capture if settings else None

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send a request as the adapter's class does, and capture what came of it."""
        capture = self._capture
        if capture is None:
            return super().send(request, *args, **kwargs)
        began = perf_counter()
        try:
            response = super().send(request, *args, **kwargs)
        except Exception as error:
            capture.failed(request, args, kwargs, began, error)
            raise
        capture.answered(request, args, kwargs, began, response)
        return response

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that delivers for this adapter."""
        if self._curl_interceptor is None:
            raise ConfigurationError(
                "this adapter has no pipeline: it is disabled, has no inspectors, or was unpickled elsewhere"
            )
        return self._curl_interceptor.pipeline

    def flush(self, timeout: float = 5.0) -> bool:
        """Deliver at once what waits in the adapter's pipeline; see `Pipeline.flush`. True if nothing is captured."""
        return self._curl_interceptor is None or self._curl_interceptor.pipeline.flush(timeout)

    def stats(self) -> Stats:
        """Return the books of the adapter's pipeline; empty ones if nothing is captured."""
        if self._curl_interceptor is None:
            return Stats.empty()
        return self._curl_interceptor.pipeline.stats()

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[misc]
        state["_curl_interceptor_name"] = self._curl_interceptor.name if self._curl_interceptor else ""
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        name = state.pop("_curl_interceptor_name", "")
        super().__setstate__(state)  # type: ignore[misc]
        self._adopt(_settings.get(name))


class CurlInterceptor(CaptureMixin, HTTPAdapter):
    """An `HTTPAdapter` that sends what failed as curl commands to where your team reads.

    Mount it on a session: `session.mount("https://", CurlInterceptor(inspectors=[...]))`. Its keywords are those of
    `CaptureMixin` and of `requests.adapters.HTTPAdapter`.
    """


def mount(session: requests.Session, *inspectors: Inspector | str | None, **options: Any) -> CurlInterceptor:
    """Mount an interceptor on a session, for `http://` and `https://`, and return it.

    It takes over `max_retries` and the pool sizes of the `HTTPAdapter` that it replaces.

    Parameters
    ----------
    session: The session.
    inspectors: Inspectors or webhook URLs, as for `CaptureMixin`.
    options: The keywords of `CurlInterceptor`.

    Raises
    ------
    ConfigurationError
        If the session has an adapter of another class, which would be lost: combine it with `CaptureMixin` instead.
    """
    if not isinstance(session, requests.Session):
        raise ConfigurationError(f"session must be a requests.Session, got {type(session).__name__}")
    prefixes = ("https://", "http://")
    for prefix in prefixes:
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
    adapter = CurlInterceptor(**{**_taken_over(session.adapters.get("https://")), **options})
    for prefix in prefixes:
        session.mount(prefix, adapter)
    return adapter


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


def _plan(
    inspectors: Any,
    match: Match | None,
    capture: CapturePolicy | None,
    redaction: Redaction,
    pipeline: Pipeline | None,
    options: dict[str, Any],
    numbers: dict[str, Any],
) -> _Settings | None:
    match = Match() if match is None else match
    capture = CapturePolicy() if capture is None else capture
    check_policy("match", match, Match)
    check_policy("capture", capture, CapturePolicy)
    check_policy("redaction", redaction, Redaction, hint="to hide nothing say UNREDACTED")
    if pipeline is not None:
        check_policy("pipeline", pipeline, Pipeline)
        if numbers:
            name = next(iter(numbers))
            raise ConfigurationError(
                f"{name} and pipeline are both given; say pipeline=Pipeline({name}={numbers[name]!r})"
            )
    PipelinePolicy(**numbers)
    found = _inspectors(inspectors)
    route = plan_route(found, match=match, redaction=redaction, options=options)
    if not found:
        return None
    return _Settings(default_pipeline(**numbers) if pipeline is None else pipeline, route, capture)


def _inspectors(given: Any) -> list[Inspector]:
    if given == () or given == []:
        return [LoggingInspector()]
    items: Iterable[Any] = (given,) if given is None or isinstance(given, (str, Inspector)) else given
    if not isinstance(items, Iterable):
        raise ConfigurationError(f"inspectors must be a list of inspectors or webhook URLs, got {type(given).__name__}")
    found: list[Inspector] = []
    for item in items:
        if item is None or item == "":
            continue
        if isinstance(item, str):
            item = inspector_for(item)
        if not isinstance(item, Inspector):
            raise ConfigurationError(f"inspectors must be inspectors or webhook URLs, got a {type(item).__name__}")
        found.append(item)
    return found


def _enabled_by_environment() -> bool:
    return os.environ.get("CURL_INTERCEPTOR_ENABLED", "").strip().lower() not in ("0", "false", "no", "off")


def _adapter_keywords(kind: type) -> frozenset[str]:
    """Keywords that the classes behind `CaptureMixin` take."""
    names: set[str] = set()
    for base in kind.__mro__:
        init = base.__dict__.get("__init__")
        code = getattr(init, "__code__", None)
        if code is not None and base is not CaptureMixin:
            names.update(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
    return frozenset(names)


def _nearest(name: str, known: frozenset[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; it takes {', '.join(sorted(known))}"
