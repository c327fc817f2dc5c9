"""Watching one call that a urllib3 pool manager makes by a connection pool: the same drafts, without requests."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Set
from threading import get_ident
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from urllib3 import HTTPHeaderDict
from urllib3.util import Timeout, parse_url
from urllib3.util.proxy import connection_requires_http_tunnel
from urllib3.util.ssl_ import resolve_cert_reqs

from ..policies import CapturePolicy
from ..records.exchange import Exchange
from ..records.match import Screen
from . import response_body
from .connection import Tee
from .draft import Draft, Sink, has_wanted_type
from .request_body import BodyTee, is_consumed

__all__ = ["PoolCapture"]

_ARGUMENTS = ("method", "url", "body", "headers", "retries", "redirect", "assert_same_host", "timeout")


class PoolCapture:
    """Notes down what a pool manager sends; the parameters are those of `Capture`."""

    __slots__ = ("exempt", "policy", "screen", "sink")

    def __init__(self, screen: Screen, policy: CapturePolicy, sink: Sink, exempt: Set[int]) -> None:
        self.screen = screen
        self.policy = policy
        self.sink = sink
        self.exempt = exempt

    def call(self, url: str) -> PoolCall:
        """Return who sees one call of a pool's `urlopen` for this URL."""
        return PoolCall(self, url)


class PoolCall:
    """Sees one call of a pool's `urlopen`."""

    __slots__ = ("_capture", "_url")

    def __init__(self, capture: PoolCapture, url: str) -> None:
        self._capture = capture
        self._url = url

    def urlopen(self, pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the pool's `urlopen` with every argument untouched but a body that is consumed by the sending."""
        given = MappingProxyType({**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs})
        tee = self._tee(given)
        began = perf_counter()
        try:
            answer = pool.urlopen(*args, **kwargs) if tee is None else tee.urlopen(pool, args, kwargs)
        except Exception as error:
            self._failed(pool, given, tee, began, error)
            raise
        finally:
            if tee is not None:
                tee.leave()
        self._answered(pool, given, tee, began, answer)
        return answer

    def _tee(self, given: Mapping[str, Any]) -> Tee | None:
        try:
            body = given.get("body")
            if body is None or isinstance(body, (bytes, str)) or not is_consumed(body):
                return None
            policy = self._capture.policy
            wanted = policy.content_types is None or has_wanted_type(HTTPHeaderDict(given.get("headers")), policy)
            return Tee(BodyTee(body, policy.request_body if wanted else 0))
        except Exception:
            self._capture.sink.trouble()
            return None

    def _failed(self, pool: Any, given: Mapping[str, Any], tee: Tee | None, began: float, error: Exception) -> None:
        capture = self._capture
        try:
            elapsed = perf_counter() - began
            if capture.screen.passes_failure(elapsed) and get_ident() not in capture.exempt:
                self._draft(pool, given, tee, began, elapsed).end("none", error)
        except Exception:
            capture.sink.trouble()

    def _answered(self, pool: Any, given: Mapping[str, Any], tee: Tee | None, began: float, raw: Any) -> None:
        capture = self._capture
        try:
            elapsed = perf_counter() - began
            wanted = capture.screen.passes(raw.status, elapsed)
            preloaded = given.get("preload_content", True)
            # Where errors are wanted the body of every stream is watched: it may break.
            if not (wanted or (capture.screen.errors and not preloaded)) or get_ident() in capture.exempt:
                return
            answer = _Answer(raw.status, raw.reason, raw.headers, raw)
            draft = self._draft(pool, given, tee, began, elapsed, answer, wanted)
            if preloaded:
                draft.note(raw.data)
                draft.end("complete" if raw.data else "none")
            elif raw.length_remaining == 0:
                draft.end("none")
            elif not response_body.watch(raw, draft):
                draft.end("missing")
            elif wanted:
                capture.sink.watch(draft)
        except Exception:
            capture.sink.trouble()

    def _draft(
        self,
        pool: Any,
        given: Mapping[str, Any],
        tee: Tee | None,
        began: float,
        elapsed: float,
        answer: _Answer | None = None,
        wanted: bool = True,
    ) -> Draft:
        scheme = "https" if self._url[:6].lower() == "https:" else "http"
        question = _Question(given["method"], self._url, _headers(pool, given, scheme), given.get("body"))
        draft = _PoolDraft(
            self._capture.sink,
            self._capture.policy,
            cast("Any", question),
            ((), _options(pool, given, scheme)),
            began,
            elapsed,
            cast("Any", answer),
            wanted,
            tee,
        )
        draft.framing = bool(given.get("chunked")), tee is not None
        return draft


class _Question(NamedTuple):
    """What a draft asks of a request."""

    method: str
    url: str
    headers: HTTPHeaderDict
    body: Any


class _Answer(NamedTuple):
    """What a draft asks of a response."""

    status_code: int
    reason: str | None
    headers: HTTPHeaderDict
    raw: Any


class _PoolDraft(Draft):
    """A draft whose errors are urllib3's, and whose body is framed by urllib3's rules."""

    __slots__ = ("framing",)

    seen_as = MappingProxyType({})
    framing: tuple[bool, bool]
    """Whether chunks were asked for, and whether the body has no length of its own."""

    def exchange(self) -> Exchange:
        """Return what was noted down as plain facts."""
        exchange = super().exchange()
        request = exchange.request
        names = {str(name).lower() for name, *_ in request.headers}
        chunked, consumed = self.framing
        if not chunked and "content-length" not in names:
            chunked = consumed or "transfer-encoding" in names
        return exchange._replace(request=request._replace(url=_sent(request.url), chunked=chunked))


def _sent(url: str) -> str:
    """Return a URL as a pool manager sends it."""
    try:
        return parse_url(url)._replace(fragment=None).url
    except Exception:  # it cannot be sent, and was not
        return url


def _headers(pool: Any, given: Mapping[str, Any], scheme: str) -> HTTPHeaderDict:
    headers = HTTPHeaderDict(given.get("headers") or pool.headers)
    # A proxy that gets the request itself gets its own headers with it.
    if pool.proxy is not None and not connection_requires_http_tunnel(pool.proxy, pool.proxy_config, scheme):
        headers.update(pool.proxy_headers)
    return headers


def _options(pool: Any, given: Mapping[str, Any], scheme: str) -> dict[str, Any]:
    """Return what `HTTPAdapter.send` would have been given for such a connection."""
    timeout = given.get("timeout", pool.timeout)
    options: dict[str, Any] = {"timeout": timeout if isinstance(timeout, (Timeout, int, float)) else None}
    if pool.proxy is not None:
        options["proxies"] = {scheme: pool.proxy.url}
    if pool.scheme == "https":
        context = pool.conn_kw.get("ssl_context")
        if pool.cert_reqs is None and context is not None:
            verified = context.verify_mode != ssl.CERT_NONE
        else:
            verified = resolve_cert_reqs(pool.cert_reqs) != ssl.CERT_NONE
        options["verify"] = verified and (pool.ca_certs or pool.ca_cert_dir or True)
        if pool.cert_file:
            options["cert"] = (pool.cert_file, pool.key_file) if pool.key_file else pool.cert_file
    return options
