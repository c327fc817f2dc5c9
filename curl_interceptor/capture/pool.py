"""Watching one call that a urllib3 pool manager makes by a connection pool: the same drafts, without requests."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from functools import partial
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple, cast
from weakref import ref

from requests import PreparedRequest, Response
from urllib3 import HTTPHeaderDict
from urllib3.util import Timeout, parse_url
from urllib3.util.proxy import connection_requires_http_tunnel
from urllib3.util.ssl_ import resolve_cert_reqs

from ..observe.calls import EXCEPTION
from ..records.exchange import BodyState, Exchange
from . import response_body
from .call import Capture
from .connection import Tee
from .draft import Draft, body_head
from .spare import Spare

__all__ = ["PoolCapture"]

_ARGUMENTS = ("method", "url", "body", "headers", "retries", "redirect", "assert_same_host", "timeout")


class PoolCapture(Capture):
    """Notes down what a pool manager sends; the parameters are those of `Capture`."""

    __slots__ = ()

    def call(self, url: str) -> PoolCall:
        """Return who sees one call of a pool's `urlopen` for this URL."""
        return PoolCall(self, url)

    def sends(self, url: str, pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the pool's `urlopen` with every argument untouched but a body that is consumed by the sending."""
        given = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs}
        body = given.get("body")
        tee = None if body is None or isinstance(body, (bytes, str)) else self._tee_of(url, given)
        began = perf_counter()
        try:
            raw = pool.urlopen(*args, **kwargs) if tee is None else tee.urlopen(pool, args, kwargs)
        except Exception as error:
            self._went_wrong(url, pool, given, tee, began, error)
            raise
        finally:
            if tee is not None:
                tee.leave()
        self._came_back(url, pool, given, tee, began, raw)
        return raw

    def _tee_of(self, url: str, given: Mapping[str, Any]) -> Tee | None:
        try:
            question = _Question("", url, HTTPHeaderDict(given.get("headers")), given["body"])
        except Exception:
            self._sink.trouble()
            return None
        return self.tee(cast("PreparedRequest", question))

    def _went_wrong(
        self, url: str, pool: Any, given: Mapping[str, Any], tee: Tee | None, began: float, error: Exception
    ) -> None:
        try:
            now = perf_counter()
            elapsed = now - began
            self._called(url, EXCEPTION, now)
            if self._screen.passes_failure(elapsed) and threading.get_ident() not in self._exempt:
                self._draft(url, pool, given, tee, began, elapsed).end("none", error)
        except Exception:
            self._sink.trouble()

    def _came_back(
        self, url: str, pool: Any, given: Mapping[str, Any], tee: Tee | None, began: float, raw: Any
    ) -> None:
        try:
            now = perf_counter()
            elapsed = now - began
            self._called(url, raw.status, now)
            wanted = raw.status in self._statuses or self._screen.passes(raw.status, elapsed)
            preloaded = given.get("preload_content", True)
            # Where errors are wanted the body of every stream is watched: it may break.
            if not (wanted or (self._errors and not preloaded)) or threading.get_ident() in self._exempt:
                return
            if not wanted:
                if raw.length_remaining != 0:
                    make = partial(self._draft, url, pool, *self._without_body(pool, given, tee), began, elapsed)
                    response_body.watch(raw, Spare(make, ref(raw), self._sink, self._policy))
                return
            draft = self._draft(url, pool, given, tee, began, elapsed, raw)
            if preloaded:
                draft.note(raw.data)
                draft.end("complete" if raw.data else "none")
            elif raw.length_remaining == 0:
                draft.end("none")
            elif not response_body.watch(raw, draft):
                draft.end("missing")
            else:
                self._sink.watch(draft)
                draft.noted_at = perf_counter()
        except Exception:
            self._sink.trouble()

    def _without_body(
        self, pool: Any, given: Mapping[str, Any], tee: Tee | None
    ) -> tuple[Mapping[str, Any], Tee | _Seen | None]:
        """Return the arguments without the body, which would live as long as the stream, and what was seen of it."""
        body = given.get("body")
        if body is None or tee is not None:
            return {**given, "body": None}, tee
        headers = None if self._policy.content_types is None else HTTPHeaderDict(given.get("headers") or pool.headers)
        return {**given, "body": None}, _Seen(body_head(body, headers, self._policy))

    def _draft(
        self,
        url: str,
        pool: Any,
        given: Mapping[str, Any],
        tee: Tee | _Seen | None,
        began: float,
        elapsed: float,
        raw: Any = None,
    ) -> Draft:
        scheme = "https" if url[:6].lower() == "https:" else "http"
        question = _Question(given["method"], url, _headers(pool, given, scheme), given.get("body"))
        draft = _PoolDraft(
            self._sink,
            self._policy,
            cast("PreparedRequest", question),
            ((), _options(pool, given, scheme)),
            began,
            elapsed,
            cast("Response | None", raw and _Answer(raw.status, raw.reason, raw.headers, raw)),
            cast("Tee | None", tee),
        )
        draft.framing = bool(given.get("chunked")), isinstance(tee, Tee)
        return draft


class PoolCall:
    """Sees one call of a pool's `urlopen`."""

    __slots__ = ("__weakref__", "capture", "url")

    def __init__(self, capture: PoolCapture, url: str) -> None:
        self.capture = capture
        self.url = url

    def urlopen(self, pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send by the pool, and capture what comes of it."""
        return self.capture.sends(self.url, pool, args, kwargs)


class _Seen:
    """What was seen of a body that is still there when it has been sent; a draft asks it as it asks a `Tee`."""

    __slots__ = ("_head",)

    def __init__(self, head: tuple[bytes | str | None, BodyState, int | None]) -> None:
        self._head = head

    @property
    def body(self) -> _Seen:
        """A tee's body is asked what was seen."""
        return self

    def seen(self) -> tuple[bytes | str | None, BodyState, int | None]:
        """Return the head of the body, what is known of it, and its size."""
        return self._head


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
