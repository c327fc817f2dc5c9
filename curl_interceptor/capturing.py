"""
What captures is configured with: the keywords that adapters and pool managers share, checked and put together once.

A copy or pickle carries none of it but a name, so that no webhook URL and no callable leaves the process.
"""

from __future__ import annotations

import inspect
import os
import secrets
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from urllib3.util import Retry

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

__all__ = ["ADAPTER_KEYWORDS", "Capturing", "Settings"]

ADAPTER_KEYWORDS = frozenset({"pool_connections", "pool_maxsize", "max_retries", "pool_block"})
"""Keywords of `requests.adapters.HTTPAdapter`."""

_DEFAULT_REDACTION = Redaction()
_PIPELINE_NUMBERS = frozenset(PipelinePolicy.__dataclass_fields__)
_OWN = frozenset({"inspectors", "match", "capture", "redaction", "enabled", "pipeline"})
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

# By the name that a copy carries.
_settings: weakref.WeakValueDictionary[str, Settings] = weakref.WeakValueDictionary()


class Settings:
    """What an adapter or a pool manager was configured with, shared by its copies."""

    def __init__(self, pipeline: Pipeline, route: Route, policy: CapturePolicy) -> None:
        self.name = secrets.token_hex(16)
        self.pipeline = pipeline
        self.route = route
        self.claims = pipeline.register(route)
        self.terms = (route.screen, policy, pipeline.sink(route), our_threads)
        """What a capture is made of."""
        _settings[self.name] = self


class Capturing:
    """Takes the keywords of capture and delivery, and passes the others on to the class behind it.

    `CaptureMixin` says what they mean.
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
        _check_arguments(type(self), args, kwargs)
        check_flag("enabled", enabled)
        on = _enabled_by_environment() and enabled
        settings = _plan(inspectors, match, capture, redaction, pipeline, options, numbers, on=on)
        super().__init__(*args, **kwargs)
        self._adopt(settings)

    def _adopt(self, settings: Settings | None) -> None:
        self._curl_interceptor = settings
        self._capture = self._capture_type(*settings.terms) if settings else None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that delivers what is captured here; a closed one if nothing is captured."""
        return no_pipeline() if self._curl_interceptor is None else self._curl_interceptor.pipeline

    def flush(self, timeout: float = 5.0) -> bool:
        """Deliver at once what waits in the pipeline; see `Pipeline.flush`."""
        return self.pipeline.flush(timeout)

    def stats(self) -> Stats:
        """Return the books of the pipeline."""
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

    _capture_type: Any
    """The class that notes down what is sent."""

    _known_keywords: frozenset[str] = frozenset()
    """What a class behind takes that takes anything; empty if that is not known."""
    _takes_url = False
    """Whether a URL by position is meant for the class behind."""

    # For a subclass that sends, or is asked, before our part of it is set up.
    _capture: Any = None
    _curl_interceptor: Settings | None = None


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
) -> Settings | None:
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
    return Settings(default_pipeline(**numbers) if pipeline is None else pipeline, route, capture)


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


def _check_arguments(kind: type[Capturing], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse what the class behind would take in silence, or without saying what is meant."""
    if args and not isinstance(args[0], int) and not kind._takes_url:
        raise ConfigurationError(f"{kind.__name__} got {shown(args[0])} by position; say inspectors=[...]")
    names, open_ended = _parameters(kind)
    unknown = sorted(set(kwargs) - names - kind._known_keywords)
    if unknown and (kind._known_keywords or not open_ended):
        name = unknown[0]
        known = _OWN | DELIVERY_KEYWORDS | _PIPELINE_NUMBERS | ADAPTER_KEYWORDS
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
        if base in (Capturing, object) or "__init__" not in base.__dict__:
            continue
        for parameter in list(inspect.signature(base.__dict__["__init__"]).parameters.values())[1:]:
            names.add(parameter.name)
            open_ended = open_ended or parameter.kind is parameter.VAR_KEYWORD
    return names, open_ended
