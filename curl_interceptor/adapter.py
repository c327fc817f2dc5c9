"""
The adapter that stands in the app's call path: it translates, and decides nothing.

It forwards every argument untouched, gives back the same response object, and lets the same exception through.
"""

from __future__ import annotations

import inspect
import os
import secrets
import weakref
from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from .capture.call import Capture
from .capture.connection import stand_in
from .capture.versions import FIND_CONNECTION
from .delivery.destination import Route, plan_route
from .delivery.guard import our_threads
from .delivery.pipeline import Pipeline, default_pipeline, no_pipeline
from .errors import ConfigurationError
from .inspectors.base import Inspector
from .inspectors.logger import LoggingInspector
from .inspectors.options import DELIVERY_KEYWORDS, check_options, nearest
from .inspectors.recognise import inspector_for
from .observe.stats import Stats
from .policies import CapturePolicy, PipelinePolicy, check_flag, check_number, check_policy, shown
from .records.match import Match
from .records.redaction import Redaction

__all__ = ["CaptureMixin", "CurlInterceptor", "mount"]

# At run time the mixin stands before whatever adapter it is combined with.
if TYPE_CHECKING:
    _Adapter = HTTPAdapter
else:
    _Adapter = object

# Bodies that are still there when they have been sent; the others are seen on their way.
_SLICED = frozenset({type(None), bytes, str})
_DEFAULT_REDACTION = Redaction()
_PIPELINE_NUMBERS = frozenset(PipelinePolicy.__dataclass_fields__)
_OWN = frozenset({"inspectors", "match", "capture", "redaction", "enabled", "pipeline"})
_ADAPTER_KEYWORDS = frozenset({"pool_connections", "pool_maxsize", "max_retries", "pool_block"})
# What people write first, and what it is called here.
_OTHER_NAMES = {
    "retries": "retry=RetryPolicy(retries=...) for deliveries, max_retries= for your own requests",
    "timeout": "transport=TransportPolicy(total=...) for deliveries",
    "url": "inspectors=",
    "urls": "inspectors=",
    "webhook": "inspectors=",
    "webhooks": "inspectors=",
    "webhook_url": "inspectors=",
    "inspector": "inspectors=",
    "debounce": "cooldown=Cooldown(seconds=...)",
    "level": "inspectors=LoggingInspector(level=...)",
    "logger": "inspectors=LoggingInspector(logger)",
}

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


class CaptureMixin(_Adapter):
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
        options = {name: kwargs.pop(name) for name in DELIVERY_KEYWORDS & set(kwargs)}
        numbers = {name: kwargs.pop(name) for name in _PIPELINE_NUMBERS & set(kwargs)}
        _check_adapter(type(self), args, kwargs)
        check_flag("enabled", enabled)
        on = _enabled_by_environment() and enabled
        settings = _plan(inspectors, match, capture, redaction, pipeline, options, numbers, on=on)
        super().__init__(*args, **kwargs)
        self._adopt(settings)

    def _adopt(self, settings: _Settings | None) -> None:
        self._curl_interceptor = settings
        self._capture = settings.capture if settings else None

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send a request as the adapter's class does, and capture what came of it."""
        capture = self._capture
        if capture is None:
            return super().send(request, *args, **kwargs)
        tee = None if type(getattr(request, "body", None)) in _SLICED else capture.tee(request)
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

    def _find_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Find the connection pool as the adapter's class does; a body that needs it is seen on its way there."""
        return stand_in(getattr(super(), FIND_CONNECTION)(*args, **kwargs))

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that delivers for this adapter; a closed one if nothing is captured."""
        return no_pipeline() if self._curl_interceptor is None else self._curl_interceptor.pipeline

    def flush(self, timeout: float = 5.0) -> bool:
        """Deliver at once what waits in the adapter's pipeline; see `Pipeline.flush`."""
        return self.pipeline.flush(timeout)

    def stats(self) -> Stats:
        """Return the books of the adapter's pipeline."""
        return self.pipeline.stats()

    def __getstate__(self) -> dict[str, Any]:
        parent = getattr(super(), "__getstate__", None)
        state: dict[str, Any] = dict(parent() if parent and hasattr(self, "__attrs__") else self.__dict__)
        state.pop("_capture", None)
        settings = state.pop("_curl_interceptor", self._curl_interceptor)
        state["_curl_interceptor_name"] = settings.name if settings else ""
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        name = state.pop("_curl_interceptor_name", "")
        parent = getattr(super(), "__setstate__", None)
        if parent is None:
            self.__dict__.update(state)
        else:
            parent(state)
        self._adopt(_settings.get(name))

    # For a subclass that sends, or is asked, before our part of it is set up.
    _capture: Capture | None = None
    _curl_interceptor: _Settings | None = None


setattr(CaptureMixin, FIND_CONNECTION, CaptureMixin._find_connection)


class CurlInterceptor(CaptureMixin, HTTPAdapter):
    """An `HTTPAdapter` that sends what failed as curl commands to where your team reads.

    Mount it on a session: `session.mount("https://", CurlInterceptor(inspectors=[...]))`. Its keywords are those of
    `CaptureMixin` and of `requests.adapters.HTTPAdapter`.
    """


def mount(session: requests.Session, *inspectors: Inspector | str | None, **options: Any) -> CurlInterceptor:
    """Mount an interceptor on a session, for `http://` and `https://`, and return it.

    Every plain `HTTPAdapter` of the session is replaced, also one for a part of the web only, and keeps its
    `max_retries` and pool sizes unless `options` say otherwise. Mounting again replaces what was mounted before.

    Parameters
    ----------
    session: The session.
    inspectors: Inspectors or webhook URLs, as for `CaptureMixin`.
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
    numbers = {**_taken_over(present), **{name: options[name] for name in _ADAPTER_KEYWORDS & set(options)}}
    own = _taken_over(main)
    if present is main or all(_same(own[name], value) for name, value in numbers.items()):
        return main
    twin = CurlInterceptor(inspectors=None, **numbers)
    twin._adopt(main._curl_interceptor)
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


def _plan(
    inspectors: Any,
    match: Match | None,
    capture: CapturePolicy | None,
    redaction: Redaction,
    pipeline: Pipeline | None,
    options: dict[str, Any],
    numbers: dict[str, Any],
    *,
    on: bool,
) -> _Settings | None:
    match = Match() if match is None else match
    capture = CapturePolicy() if capture is None else capture
    check_policy("match", match, Match, hint="say match=Match(statuses='5xx')")
    check_policy("capture", capture, CapturePolicy, hint="say capture=CapturePolicy(request_body=0)")
    check_policy("redaction", redaction, Redaction, hint="to hide nothing say UNREDACTED")
    if pipeline is not None:
        check_policy("pipeline", pipeline, Pipeline, hint="say pipeline=Pipeline(workers=4)")
        if pipeline.closed:
            raise ConfigurationError(
                "pipeline is closed and would deliver nothing; give a new one: pipeline=Pipeline()"
            )
        if numbers:
            name = next(iter(numbers))
            raise ConfigurationError(
                f"{name} and pipeline are both given; say pipeline=Pipeline({name}={numbers[name]!r})"
            )
    PipelinePolicy(**numbers)
    check_options("CurlInterceptor", options)
    found = _inspectors(inspectors)
    route = plan_route(found, match=match, redaction=redaction, options=options)
    if not found or not on:
        return None
    return _Settings(default_pipeline(**numbers) if pipeline is None else pipeline, route, capture)


def _inspectors(given: Any) -> list[Inspector]:
    if given == () or given == []:
        return [LoggingInspector()]
    items: Iterable[Any] = (given,) if given is None or isinstance(given, (str, Inspector)) else given
    if not isinstance(items, Iterable):
        raise ConfigurationError(f"inspectors must be a list of inspectors or webhook URLs, got {shown(given)}")
    found: list[Inspector] = []
    for item in items:
        if item is None or item == "":
            continue
        if isinstance(item, (list, tuple)):
            raise ConfigurationError("inspectors is a list in a list: say mount(session, *urls) or inspectors=urls")
        if isinstance(item, str):
            item = inspector_for(item)
        if not isinstance(item, Inspector):
            raise ConfigurationError(f"inspectors must be inspectors or webhook URLs, got {shown(item)}")
        found.append(item)
    return found


def _enabled_by_environment() -> bool:
    value = os.environ.get("CURL_INTERCEPTOR_ENABLED", "").strip().lower()
    if value in ("", "1", "true", "yes", "on", "y", "t", "enabled"):
        return True
    if value in ("0", "false", "no", "off", "n", "f", "disabled"):
        return False
    raise ConfigurationError(f"CURL_INTERCEPTOR_ENABLED in the environment must be 1 or 0, got {value!r}")


def _check_adapter(kind: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse what the adapter's class would take in silence, or without saying what is meant."""
    if args and not isinstance(args[0], int):
        raise ConfigurationError(f"{kind.__name__} got {shown(args[0])} by position; say inspectors=[...]")
    names, open_ended = _parameters(kind)
    unknown = sorted(set(kwargs) - names)
    if unknown and not open_ended:
        name = unknown[0]
        known = _OWN | DELIVERY_KEYWORDS | _PIPELINE_NUMBERS | _ADAPTER_KEYWORDS
        hint = f"; say {_OTHER_NAMES[name]}" if name in _OTHER_NAMES else nearest(name, known)
        raise TypeError(f"{kind.__name__} got an unknown keyword {name!r}{hint}")
    retries = kwargs.get("max_retries", 0)
    if not isinstance(retries, (int, Retry, type(None))):
        raise ConfigurationError(
            f"max_retries must be a number or a urllib3 Retry, got {shown(retries)}; "
            f"the retries of deliveries are retry=RetryPolicy(...)"
        )
    for name in ("pool_connections", "pool_maxsize"):
        if name in kwargs:
            check_number(name, kwargs[name], minimum=0, whole=True)


def _parameters(kind: type) -> tuple[set[str], bool]:
    """Return the keywords that the classes behind `CaptureMixin` take, and whether one of them takes any."""
    names: set[str] = set()
    open_ended = False
    for base in kind.__mro__:
        if base in (CaptureMixin, object) or "__init__" not in base.__dict__:
            continue
        for parameter in list(inspect.signature(base.__dict__["__init__"]).parameters.values())[1:]:
            names.add(parameter.name)
            open_ended = open_ended or parameter.kind is parameter.VAR_KEYWORD
    return names, open_ended
