"""
Health and metrics over HTTP: one plain WSGI callable, for any server, and to be mounted in Django and Flask.

    from curl_interceptor.observe.wsgi import endpoints

    application = endpoints(token=os.environ["METRICS_TOKEN"])

| path | says |
|---|---|
| `/livez` | 200 while the process answers |
| `/readyz` | 200 while the figures can be read as well; webhooks in trouble do not change that |
| `/health` | `application/health+json`: `pass` or `warn`, with 200 |
| `/metrics` | text for Prometheus, or OpenMetrics if `Accept` prefers it |
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from ..errors import ConfigurationError
from ..policies import check_flag, shown
from .access import Access
from .health import MEDIA_TYPE, health
from .log import TroubleLog
from .metrics import OPENMETRICS, TEXT, exposition
from .source import Source, process
from .stats import Stats

__all__ = ["PATHS", "Endpoints", "Reply", "endpoints"]

PATHS = ("/livez", "/readyz", "/health", "/metrics")
"""Everything there is."""

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Reply(NamedTuple):
    """What is answered: a status line without the version, headers, and the body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class _Page(NamedTuple):
    status: str
    content_type: str
    text: str
    more: tuple[tuple[str, str], ...] = ()


def endpoints(
    *sources: Source,
    token: str | None = None,
    public: Collection[str] = (),
    strict: bool = False,
    hosts: bool = True,
) -> Endpoints:
    """Return a WSGI callable that shows health and metrics.

    Parameters
    ----------
    sources:
        Pipelines or adapters to be shown besides the process's own pipeline. Figures of all are added up.
    token:
        Who sends it as `Authorization: Bearer …` is let in, and nobody else. Default None: only requests from this
        machine that no proxy has passed on. Behind a reverse proxy set one.
    public:
        Paths that everybody may see, such as `("/livez", "/readyz")` for an orchestrator's probes. Default: none.
    strict:
        True: `/health` says `fail` with 503 for a webhook in trouble. Nothing that takes instances out of rotation
        should look there then. Default False: `warn` with 200.
    hosts:
        False leaves the hosts that the app calls out of the metrics. Default True.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    """
    return Endpoints(*sources, token=token, public=public, strict=strict, hosts=hosts)


class Endpoints:
    """The callable that `endpoints` returns; its parameters are the same."""

    def __init__(self, *sources: Source, token: str | None, public: Collection[str], strict: bool, hosts: bool) -> None:
        for source in sources:
            if not callable(getattr(source, "stats", None)):
                kind = type(source).__name__  # and not its text: a token that was given without its name is a secret
                raise ConfigurationError(f"sources must be pipelines or adapters, got a {kind}; a token is token=...")
        if isinstance(public, str) or not isinstance(public, Collection) or not all(path in PATHS for path in public):
            raise ConfigurationError(f"public must be some of {', '.join(PATHS)}, got {shown(public)}")
        check_flag("strict", strict)
        check_flag("hosts", hosts)
        self._sources = sources
        self._access = Access(token)
        self._public = frozenset(public)
        self._strict = strict
        self._hosts = hosts
        self._troubles = TroubleLog()

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer as WSGI asks for it."""
        status, headers, body = self.reply(environ)
        start_response(status, headers)
        return [body]

    def reply(self, environ: Mapping[str, Any]) -> Reply:
        """Return the answer to a request, for frameworks whose views return one; raises nothing.

        Parameters
        ----------
        environ: The WSGI environment; Django's `request.META` is one, with a server of either kind.
        """
        try:
            page = self._page(environ)
        except Exception as error:
            self._troubles.note("endpoints", f"a health endpoint met {type(error).__name__}: please report this")
            page = _plain("500 Internal Server Error", "the figures cannot be read")
        body = page.text.encode("utf-8")
        headers = [
            ("Content-Type", page.content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *page.more,
        ]
        return Reply(page.status, headers, b"" if environ.get("REQUEST_METHOD") == "HEAD" else body)

    def _page(self, environ: Mapping[str, Any]) -> _Page:
        # Where it is mounted stands in SCRIPT_NAME, and is not ours to know.
        path = str(environ.get("PATH_INFO", "")).rstrip("/")
        pages: Mapping[str, Callable[[Mapping[str, Any]], _Page]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/health": self._health,
            "/metrics": self._metrics,
        }
        if path not in pages:
            return _plain("404 Not Found", f"there are {', '.join(PATHS)}")
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _plain("405 Method Not Allowed", "only GET and HEAD", ("Allow", "GET, HEAD"))
        refusal = None if path in self._public else self._access.refusal(environ)
        if refusal is None:
            return pages[path](environ)
        if refusal.startswith("401"):
            return _plain(refusal, "send the token as Authorization: Bearer", ("WWW-Authenticate", "Bearer"))
        return _plain(refusal, "only for this machine and without a proxy in between, unless a token is set up")

    def _livez(self, environ: Mapping[str, Any]) -> _Page:
        return _document({"status": "pass"})

    def _readyz(self, environ: Mapping[str, Any]) -> _Page:
        status = health(self._stats(), at=time.time())["status"]
        return _document({"status": status, **({} if status == "pass" else {"output": "see /health"})})

    def _health(self, environ: Mapping[str, Any]) -> _Page:
        return _document(health(self._stats(), at=time.time(), trouble="fail" if self._strict else "warn"))

    def _metrics(self, environ: Mapping[str, Any]) -> _Page:
        stats = self._stats()
        if not self._hosts:
            stats = replace(stats, hosts=())
        openmetrics = prefers_openmetrics(str(environ.get("HTTP_ACCEPT", "")))
        text = exposition(stats, openmetrics=openmetrics)
        return _Page("200 OK", OPENMETRICS if openmetrics else TEXT, text)

    def _stats(self) -> Stats:
        """The figures of all, each pipeline once, however many adapters of it were given."""
        named = (getattr(source, "pipeline", source) for source in self._sources)
        distinct = {id(source): source for source in (process.source(), *named)}
        return reduce(add, (source.stats() for source in distinct.values()))


def _document(document: Mapping[str, Any]) -> _Page:
    status = "503 Service Unavailable" if document["status"] == "fail" else "200 OK"
    return _Page(status, MEDIA_TYPE, json.dumps(document, allow_nan=False))


def _plain(status: str, text: str, *more: tuple[str, str]) -> _Page:
    return _Page(status, "text/plain; charset=utf-8", text + "\n", more)


def prefers_openmetrics(accept: str) -> bool:
    """Whether an `Accept` header names OpenMetrics 1.0, and plain text not before it."""
    quality = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for choice in accept.split(","):
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        given = dict(part.partition("=")[::2] for part in parameters)
        if name in quality and not (name.startswith("app") and given.get("version", "1.0.0") != "1.0.0"):
            quality[name] = max(quality[name], _quality(given.get("q", "1")))
    return 0.0 < quality["application/openmetrics-text"] >= quality["text/plain"]


def _quality(text: str) -> float:
    try:
        return float(text) if 0.0 <= float(text) <= 1.0 else 0.0
    except ValueError:
        return 0.0
