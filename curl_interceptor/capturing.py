"""
What captures is configured with: the keywords that adapters and pool managers share, checked and put together once.

A copy or pickle carries none of it but a name, so that no webhook URL and no callable leaves the process.
"""

from __future__ import annotations

import inspect
import os
import secrets
import weakref
from collections.abc import Mapping
from typing import Any

from urllib3.util import Retry

from .capture.call import Capture
from .capture.versions import FIND_CONNECTION
from .delivery.announcement import SendsNotices
from .delivery.destination import Route, plan_route
from .delivery.guard import our_threads
from .delivery.pipeline import Off, Pipeline, default_pipeline, no_pipeline
from .errors import ConfigurationError
from .inspectors.base import Inspector
from .inspectors.given import inspectors_from
from .inspectors.options import DELIVERY_KEYWORDS, check_options, count_off, nearest
from .observe.stats import Stats
from .policies import CapturePolicy, PipelinePolicy, check_flag, check_number, check_policy, shown
from .records.match import Match, Matcher, Wanting, as_match
from .records.notice import RawNotice
from .records.redaction import Redaction

__all__ = ["ADAPTER_KEYWORDS", "Capturing"]

_DEFAULT_REDACTION = Redaction()
_PIPELINE_NUMBERS = frozenset(PipelinePolicy.__dataclass_fields__)
_OWN = frozenset({"inspectors", "match", "capture", "redaction", "recovery", "enabled", "pipeline"})
ADAPTER_KEYWORDS = frozenset({"pool_connections", "pool_maxsize", "max_retries", "pool_block"})
_CHANGEABLE = frozenset({"inspectors", "match", "capture", "redaction", "recovery"}) | DELIVERY_KEYWORDS
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

    def __init__(
        self, *, inspectors: Any, match: Any, capture: Any, redaction: Any, recovery: Any, **options: Any
    ) -> None:
        asked = {"inspectors": inspectors, "match": match, "capture": capture, "redaction": redaction}
        self.asked = {**asked, "recovery": recovery, **options}
        self.capture = CapturePolicy() if capture is None else capture
        match = Match() if match is None else as_match("match", match)
        check_policy("capture", self.capture, CapturePolicy, hint="say capture=CapturePolicy(request_body=0)")
        check_policy("redaction", redaction, Redaction, hint="to hide nothing say UNREDACTED")
        if recovery is not None:
            check_number("recovery", recovery, minimum=0, maximum=86_400, unit="seconds")
        check_options("CurlInterceptor", options)
        # A factory is asked once, also if the plan changes: what stands for it stays.
        self.asked["inspectors"] = found = inspectors_from(inspectors)
        self.inspectors = [inspector for inspector in found if inspector is not None]
        self.off = len(found) - len(self.inspectors)
        self.off += sum(map(count_off, (options, *(inspector.options for inspector in self.inspectors))))
        self.route = plan_route(self.inspectors, match=match, redaction=redaction, options=options, recovery=recovery)


class _Settings:
    """What an adapter or a pool manager is configured with, shared by its copies."""

    def __init__(self, pipeline: Pipeline, plan: _Plan, kind: type[Capture]) -> None:
        self.name = secrets.token_hex(16)
        self.pipeline = pipeline
        self.plan = plan
        self.claims = pipeline.register(plan.route)
        self.off = Off(plan.off, pipeline)
        self.capture = kind(plan.route.screen, plan.capture, pipeline.sink(plan.route), our_threads)
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
        self.off.count = plan.off
        self.capture.change(plan.route.screen, plan.capture, self.pipeline.sink(plan.route))


class Capturing(SendsNotices):
    """Takes the keywords of capture and delivery, and passes the others on to the class behind it.

    `CaptureMixin` says what they mean.
    """

    _capture_type: type[Capture] = Capture
    """What notes down what is sent."""
    _known_keywords: frozenset[str] = frozenset()
    """What a class behind takes that takes anything; empty if that is not known."""
    _takes_url = False
    """Whether a URL by position is meant for the class behind."""

    def __init__(
        self,
        *args: Any,
        inspectors: Any = (),
        match: Matcher | Wanting | None = None,
        capture: CapturePolicy | None = None,
        redaction: Redaction = _DEFAULT_REDACTION,
        recovery: float | None = None,
        enabled: bool = True,
        pipeline: Pipeline | None = None,
        **kwargs: Any,
    ) -> None:
        options = {name: kwargs.pop(name) for name in DELIVERY_KEYWORDS & set(kwargs)}
        numbers = {name: kwargs.pop(name) for name in _PIPELINE_NUMBERS & set(kwargs)}
        _check_arguments(type(self), args, kwargs)
        check_flag("enabled", enabled)
        on = _enabled_by_environment() and enabled
        _check_pipeline(pipeline, numbers)
        plan = _Plan(
            inspectors=inspectors, match=match, capture=capture, redaction=redaction, recovery=recovery, **options
        )
        settings = _set_up(plan, pipeline, numbers, self._capture_type) if on else None
        super().__init__(*args, **kwargs)
        self._adopt(settings)
        if on and settings is None:
            self._curl_interceptor_off = Off(plan.off, pipeline)

    def _adopt(self, settings: _Settings | None) -> None:
        self._curl_interceptor = settings
        self._capture = settings.capture if settings else None

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

    def _announce_notice(self, raw: RawNotice, to: tuple[str, ...]) -> bool:
        settings = self._curl_interceptor
        return settings is not None and settings.pipeline.announce(raw, to, settings.route)

    def _count_unsent_notice(self) -> None:
        if self._curl_interceptor is not None:
            self._curl_interceptor.pipeline._count_unsent_notice()

    def configure(self, **changes: Any) -> None:
        """Change keywords while the adapter is in use; those that are not named stay as they are.

        Calls that end from now on are captured by the new values, and lanes go on under them at once. What waits stays.
        Copies of the adapter change with it.

        Parameters
        ----------
        changes:
            `inspectors`, `match`, `capture`, `redaction`, `recovery`, and every delivery keyword, such as `cooldown`.
            Numbers of the pipeline are changed by `adapter.pipeline.configure(...)`.

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
        state.pop(FIND_CONNECTION, None)
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


def _set_up(
    plan: _Plan, pipeline: Pipeline | None, numbers: Mapping[str, Any], kind: type[Capture]
) -> _Settings | None:
    if not plan.inspectors:
        return None
    return _Settings(default_pipeline(**numbers) if pipeline is None else pipeline, plan, kind)


def _instead(name: str) -> str:
    if name in _PIPELINE_NUMBERS:
        return f"; say adapter.pipeline.configure({name}=...)"
    if name in ADAPTER_KEYWORDS | _OWN:
        return "; make another adapter"
    return f"; say {_OTHER_NAMES[name]}" if name in _OTHER_NAMES else nearest(name, _CHANGEABLE)


def _enabled_by_environment() -> bool:
    value = os.environ.get("CURL_INTERCEPTOR_ENABLED", "").strip().lower()
    if value in ("", "1", "true", "yes", "on", "y", "t", "enabled"):
        return True
    if value in ("0", "false", "no", "off", "n", "f", "disabled"):
        return False
    raise ConfigurationError("CURL_INTERCEPTOR_ENABLED in the environment must be 1 or 0, and is neither")


def _check_arguments(kind: type[Capturing], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse what the class behind would take in silence, or without saying what is meant."""
    if args and not kind._takes_url and not isinstance(args[0], int):
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
    """Return the keywords that the classes behind `Capturing` take, and whether one of them takes any."""
    names: set[str] = set()
    open_ended = False
    for base in kind.__mro__:
        if base in (Capturing, object) or "__init__" not in base.__dict__:
            continue
        for parameter in list(inspect.signature(base.__dict__["__init__"]).parameters.values())[1:]:
            names.add(parameter.name)
            open_ended = open_ended or parameter.kind is parameter.VAR_KEYWORD
    return names, open_ended
