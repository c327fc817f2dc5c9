"""
The adapter that stands in the app's call path: it translates, and decides nothing.

It forwards every argument untouched, gives back the same response object, and lets the same exception through.
"""

from __future__ import annotations

import inspect
import os
import secrets
import weakref
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from .capture.call import Capture
from .delivery.destination import Route, plan_route
from .delivery.guard import our_threads
from .delivery.pipeline import Off, Pipeline, default_pipeline, no_pipeline
from .errors import ConfigurationError
from .inspectors.base import Inspector
from .inspectors.given import inspectors_from
from .inspectors.options import DELIVERY_KEYWORDS, check_options, nearest
from .observe.stats import Stats
from .policies import CapturePolicy, PipelinePolicy, check_flag, check_number, check_policy, shown
from .records.match import Match, Matcher, Wanting, as_match
from .records.redaction import Redaction

__all__ = ["CaptureMixin", "CurlInterceptor", "mount"]

# At run time the mixin stands before whatever adapter it is combined with.
if TYPE_CHECKING:
    _Adapter = HTTPAdapter
else:
    _Adapter = object

_DEFAULT_REDACTION = Redaction()
_PIPELINE_NUMBERS = frozenset(PipelinePolicy.__dataclass_fields__)
_OWN = frozenset({"inspectors", "match", "capture", "redaction", "enabled", "pipeline"})
_ADAPTER_KEYWORDS = frozenset({"pool_connections", "pool_maxsize", "max_retries", "pool_block"})
_CHANGEABLE = frozenset({"inspectors", "match", "capture", "redaction"}) | DELIVERY_KEYWORDS
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


class _Plan:
    """What an adapter was asked to do, checked, and the route that follows from it."""

    def __init__(self, *, inspectors: Any, match: Any, capture: Any, redaction: Any, **options: Any) -> None:
        self.asked = {"inspectors": inspectors, "match": match, "capture": capture, "redaction": redaction, **options}
        self.capture = CapturePolicy() if capture is None else capture
        match = Match() if match is None else as_match("match", match)
        check_policy("capture", self.capture, CapturePolicy, hint="say capture=CapturePolicy(request_body=0)")
        check_policy("redaction", redaction, Redaction, hint="to hide nothing say UNREDACTED")
        check_options("CurlInterceptor", options)
        # A factory is asked once, also if the plan changes: what stands for it stays.
        found = inspectors_from(inspectors)
        self.asked["inspectors"] = self.inspectors = [inspector for inspector in found if inspector is not None]
        self.off = len(found) - len(self.inspectors)
        self.route = plan_route(self.inspectors, match=match, redaction=redaction, options=options)


class _Settings:
    """What an adapter is configured with, shared by its copies."""

    def __init__(self, pipeline: Pipeline, plan: _Plan) -> None:
        self.name = secrets.token_hex(16)
        self.pipeline = pipeline
        self.plan = plan
        self.claims = pipeline.register(plan.route)
        self.off = Off(plan.off, pipeline)
        self.capture = Capture(plan.route.screen, plan.capture, pipeline.sink(plan.route), our_threads)
        _settings[self.name] = self

    @property
    def route(self) -> Route:
        """Where its exchanges go."""
        return self.plan.route

    def change(self, changes: Mapping[str, Any]) -> None:
        """Go on as planned with these changes; if one of them cannot be used, nothing changes."""
        plan = _Plan(**{**self.plan.asked, **changes})
        if not plan.inspectors:
            raise ConfigurationError("inspectors would leave none; to capture nothing say adapter.pause()")
        self.pipeline.register(plan.route, self.claims)
        self.plan = plan
        if "inspectors" in changes:
            self.off.count = plan.off
        self.capture.change(plan.route.screen, plan.capture, self.pipeline.sink(plan.route))


class CaptureMixin(_Adapter):
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
        match: Matcher | Wanting | None = None,
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
        _check_pipeline(pipeline, numbers)
        plan = _Plan(inspectors=inspectors, match=match, capture=capture, redaction=redaction, **options)
        settings = _set_up(plan, pipeline, numbers) if on else None
        super().__init__(*args, **kwargs)
        self._adopt(settings)
        if on and settings is None:
            self._curl_interceptor_off = Off(plan.off, pipeline)

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
        """The pipeline that delivers for this adapter; a closed one if nothing is captured."""
        return no_pipeline() if self._curl_interceptor is None else self._curl_interceptor.pipeline

    def flush(self, timeout: float = 5.0) -> bool:
        """Deliver at once what waits in the adapter's pipeline; see `Pipeline.flush`."""
        return self.pipeline.flush(timeout)

    def stats(self) -> Stats:
        """Return the figures of the adapter's pipeline; see `Stats`."""
        if self._curl_interceptor is None and self._curl_interceptor_off is not None:
            return Stats(off=self._curl_interceptor_off.count)
        return self.pipeline.stats()

    @property
    def inspectors(self) -> tuple[Inspector, ...]:
        """The inspectors of this adapter; `initialized` says of each whether its factory has made it."""
        return () if self._curl_interceptor is None else tuple(self._curl_interceptor.plan.inspectors)

    def configure(self, **changes: Any) -> None:
        """Change keywords while the adapter is in use; those that are not named stay as they are.

        Calls that end from now on are captured by the new values, and lanes go on under them at once. What waits stays.
        Copies of the adapter change with it.

        Parameters
        ----------
        changes:
            `inspectors`, `match`, `capture`, `redaction`, and every delivery keyword, such as `cooldown`. Numbers of
            the pipeline are changed by `adapter.pipeline.configure(...)`.

        Raises
        ------
        ConfigurationError
            If a value cannot be used, if another adapter wants other numbers for the same address, or if this adapter
            captures nothing at all. Then nothing has changed.
        TypeError
            If a keyword is unknown.
        """
        for name in changes:
            if name not in _CHANGEABLE:
                raise TypeError(f"configure() got a keyword {name!r} that it cannot change{_instead(name)}")
        if self._curl_interceptor is None:
            raise ConfigurationError("this adapter captures nothing, so nothing can be configured; make another")
        self._curl_interceptor.change(changes)

    def pause(self) -> None:
        """Capture nothing until `resume`; the calls themselves go on. What was captured is delivered all the same.

        It costs a caller as little as a call that nobody wants. Copies of the adapter pause with it, and a forked child
        inherits it. To keep capturing and hold back the deliveries, pause the pipeline.
        """
        if self._capture is not None:
            self._capture.pause(True)

    def resume(self) -> None:
        """Capture again; see `pause`."""
        if self._capture is not None:
            self._capture.pause(False)

    @property
    def paused(self) -> bool:
        """Whether nothing is captured for the time being."""
        return self._capture is not None and self._capture.paused

    def __getstate__(self) -> dict[str, Any]:
        parent = getattr(super(), "__getstate__", None)
        state: dict[str, Any] = dict(parent() if parent and hasattr(self, "__attrs__") else self.__dict__)
        state.pop("_capture", None)
        state.pop("_curl_interceptor_off", None)
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
    _curl_interceptor_off: Off | None = None


class CurlInterceptor(CaptureMixin, HTTPAdapter):
    """An `HTTPAdapter` that sends what failed as curl commands to where your team reads.

    Mount it on a session: `session.mount("https://", CurlInterceptor(inspectors=[...]))`. Its keywords are those of
    `CaptureMixin` and of `requests.adapters.HTTPAdapter`.
    """


def mount(
    session: requests.Session, *inspectors: Inspector | str | Callable[[], Any] | None, **options: Any
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
    numbers = {**_taken_over(present), **{name: options[name] for name in _ADAPTER_KEYWORDS & set(options)}}
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


def _check_pipeline(pipeline: Pipeline | None, numbers: Mapping[str, Any]) -> None:
    """Refuse a pipeline that cannot be used, and numbers that nobody would obey."""
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


def _set_up(plan: _Plan, pipeline: Pipeline | None, numbers: Mapping[str, Any]) -> _Settings | None:
    if not plan.inspectors:
        return None
    return _Settings(default_pipeline(**numbers) if pipeline is None else pipeline, plan)


def _instead(name: str) -> str:
    if name in _PIPELINE_NUMBERS:
        return f"; say adapter.pipeline.configure({name}=...)"
    if name in _ADAPTER_KEYWORDS | _OWN:
        return "; make another adapter"
    return f"; say {_OTHER_NAMES[name]}" if name in _OTHER_NAMES else nearest(name, _CHANGEABLE)


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
