"""
What the caller's thread notes down of one call, and the exchange that the dispatcher makes of it.

Noting is a matter of a few references to values that do not change; taking them apart and naming them would cost the
caller several times as much, so that is done later, in the background.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from time import perf_counter, time
from typing import Any, Protocol

import requests
import urllib3
from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from .. import recording
from ..policies import CapturePolicy
from ..records.context import labels, with_origin
from ..records.exchange import BodyState, Exchange, Failure, RawHeaders, RequestFacts, ResponseFacts, failure_of
from .attempts import retried_before_answer, retried_before_failure
from .caller import caller
from .connection import Tee, peer_of
from .target import sent_url
from .versions import URLLIB3_USER_AGENT

__all__ = ["Draft", "Sink"]

_OVERHEAD = 2_000  # approximate memory of a draft without its headers and bodies
# What `Response.iter_content` makes of urllib3's exceptions.
_AS_THE_APP_SEES_IT: Mapping[type[BaseException], type[BaseException]] = {
    urllib3.exceptions.ProtocolError: requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.DecodeError: requests.exceptions.ContentDecodingError,
    urllib3.exceptions.ReadTimeoutError: requests.exceptions.ConnectionError,
    urllib3.exceptions.SSLError: requests.exceptions.SSLError,
}
_ARGUMENTS = ("stream", "timeout", "verify", "cert", "proxies")


class Sink(Protocol):
    """Where drafts go. No method waits."""

    def offer(self, draft: Draft, size: int) -> object:
        """Take a draft of about so many bytes."""

    def watch(self, draft: Draft) -> object:
        """Remember a draft whose response's body is still open."""

    def called(self, url: Any, status: int, now: float) -> object:
        """Count a call, whether it is wanted or not. `now` is on the clock of `perf_counter`."""

    def trouble(self) -> object:
        """Count a call that could not be captured."""


class Draft:
    """One call, noted down while the app waits.

    Parameters
    ----------
    sink: Where it goes once the call has ended.
    policy: How much of the bodies is kept.
    request: What was sent.
    options: What `HTTPAdapter.send` was called with besides the request: positional and keyword arguments.
    began: When it was sent, on the clock of `perf_counter`.
    elapsed: Seconds until the response's headers came, or until it failed.
    response: The response, if there is one.
    tee: What saw the request's body pass, if it was consumed by the sending.
    """

    __slots__ = (
        "_chunks",
        "_ended_at",
        "_facts",
        "_failure",
        "_head",
        "_left_at",
        "_peer",
        "_retried",
        "_room",
        "_seen",
        "_sink",
        "_token",
        "caller",
        "context",
        "ended",
        "noted_at",
        "recorder",
    )

    seen_as = _AS_THE_APP_SEES_IT
    """Which exceptions of a body the app sees as which others."""

    def __init__(
        self,
        sink: Sink,
        policy: CapturePolicy,
        request: PreparedRequest,
        options: tuple[tuple[Any, ...], Mapping[str, Any]],
        began: float,
        elapsed: float,
        response: Response | None = None,
        tee: Tee | None = None,
    ) -> None:
        body = request.body
        if tee is not None:
            head: tuple[bytes | str | None, BodyState, int | None] = tee.body.seen()
        else:
            head = (None, "none", 0) if body is None else body_head(body, request.headers, policy)
        self._sink = sink
        headers = request.headers
        try:  # its values are the pairs that `items` would make anew, ten times as slowly
            plain = type(headers) is CaseInsensitiveDict
            sent = tuple(headers._store.values()) if plain else snapshot(headers)  # type: ignore[attr-defined]
        except AttributeError:
            sent = snapshot(headers)
        args, kwargs = options
        if args or kwargs.get("proxies"):
            given = _given(args, kwargs)
        else:  # what nearly every call comes down to
            given = kwargs.get("timeout"), kwargs.get("verify", True), kwargs.get("cert"), ()
        self._facts = (request.method, request.url, sent, head, given, began, elapsed)
        self.recorder = recording.current
        """Who records it instead of having it delivered, if anybody does."""
        self._head: tuple[Any, ...] | None = None
        self._failure: Failure | None = None
        self._ended_at: float | None = None
        self.context = labels.get()
        """The labels that the app had set when the call was made."""
        self.caller = caller() if policy.caller else None
        """Where in the app's code it was made, if that was asked for."""
        self._peer: str | None = None
        self._retried: tuple[str, ...] = ()
        self._left_at = 0.0
        self.noted_at = 0.0
        """When the caller's thread left it alone until the body ends, on the clock of `perf_counter`; 0 if never."""
        self._token = [None]
        self._chunks: list[bytes] = []
        self._seen = 0
        self.ended: BodyState | None = None
        """How the response's body ended; None while it is open."""
        if response is not None:
            raw = response.raw
            try:  # urllib3's headers are lists of a name and its values, in which repeated ones are kept apart
                version, got = raw.version, tuple(raw.headers._container.values())
            except AttributeError:  # another library's
                version, got = getattr(raw, "version", None), snapshot(response.headers)
            self._head = (response.status_code, response.reason, version, got)
            self._retried = retried_before_answer(raw)
            if policy.peer:
                self._peer = peer_of(raw)
            self._room = policy.response_body
            if policy.content_types is not None and not has_wanted_type(response.headers, policy):
                self._room = -1

    # -- in the caller's thread ---------------------------------------------------------------------------------------

    def note(self, data: bytes) -> None:
        """A piece of the response's body passes; keep the head."""
        room = self._room - self._seen
        self._seen += len(data)
        if room > 0:
            self._chunks.append(data if len(data) <= room else data[:room])

    def end(self, state: BodyState, error: BaseException | None = None) -> None:
        """The call ended, with its response's body or in an exception: hand it over.

        Raises nothing. The app's thread, the dispatcher and a finaliser may all come at once; the first one counts.
        """
        try:
            self._token.pop()  # atomic
        except IndexError:
            return
        self.ended = state
        try:
            if error is not None:
                self._failure = failure_of(error, self.seen_as)
                if self._head is None:
                    self._retried = retried_before_failure(error)
            if state != "missing":
                self._ended_at = perf_counter()
            _, url, headers, (body, _, _), _, _, _ = self._facts
            size = _OVERHEAD
            if url:
                size += len(url)
            if body:
                size += len(body)
            for name, value in self.context:
                size += 200 + len(name) + len(value)
            try:
                for name, value in headers:
                    size += len(name) + len(value)
            except TypeError:  # a header that cannot be sent, which is why the call failed
                size += _OVERHEAD
            if self._head is not None:
                for values in self._head[3]:
                    size += 100 + (len(values[1]) if len(values) == 2 else sum(map(len, values)))
                for chunk in self._chunks:
                    size += len(chunk)
            self._sink.offer(self, size)
            self._left_at = perf_counter()
        except Exception:
            self._sink.trouble()

    # -- in the dispatcher --------------------------------------------------------------------------------------------

    def exchange(self) -> Exchange:
        """Return what was noted down as plain facts."""
        method, url, headers, (body, state, size), (timeout, verify, cert, proxies), began, elapsed = self._facts
        request = RequestFacts(
            method=_word(method),
            url=sent_url(_word(url), proxies),
            headers=headers,
            body=body,
            body_state=state,
            body_size=size,
            timeout=_plain_timeout(timeout),
            verify=_verification(verify),
            cert=cert,
            proxies=proxies,
            client=URLLIB3_USER_AGENT,
        )
        wall = time() - perf_counter()
        duration = None if self._ended_at is None or self._head is None else self._ended_at - began
        return Exchange(
            request,
            self._response(),
            self._failure,
            began + wall,
            elapsed,
            duration,
            context=with_origin(self.context),
            retried=self._retried,
            peer=self._peer,
            caller=None if self.caller is None else self.caller.shown,
        )

    @property
    def spent(self) -> float | None:
        """Seconds that noting it down and handing it over cost the caller's thread; None if that is not known."""
        began, elapsed = self._facts[5:]
        until = self.noted_at or self._left_at
        if not until:
            return None
        seconds: float = until - began - elapsed
        if self.noted_at and self._ended_at is not None and self._left_at:
            seconds += self._left_at - self._ended_at
        return seconds

    def _response(self) -> ResponseFacts | None:
        if self._head is None:
            return None
        status, reason, version, headers = self._head
        state = self.ended or "missing"
        if state == "missing" or (self._room <= 0 and self._seen):
            return ResponseFacts(status, reason, headers, (), "missing", None, version)
        if state == "complete" and self._seen > self._room >= 0:
            state = "cut"
        size = self._seen if state in ("none", "complete", "cut") else None
        return ResponseFacts(status, reason, headers, tuple(self._chunks), state, size, version)


def _given(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any, Any, tuple[tuple[str, str], ...]]:
    """Return timeout, verify, cert and proxies as they were given to `HTTPAdapter.send`."""
    if args:
        kwargs = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs}
    get = kwargs.get
    proxies = get("proxies")
    return get("timeout"), get("verify", True), get("cert"), tuple(proxies.items()) if proxies else ()


def _word(value: Any) -> str:
    """Return a text; what is none could not be sent, and nothing is made up for it."""
    return value if isinstance(value, str) else ""


def _verification(verify: Any) -> bool | str:
    """Return what requests makes of `verify`: whatever is false switches it off, a path may be any object of one."""
    if isinstance(verify, (str, bytes, os.PathLike)) and verify:
        return os.fsdecode(verify)
    return bool(verify)


def _plain_timeout(timeout: Any) -> Any:
    """Return a timeout as None, a number, or a pair of connecting and reading."""
    if not isinstance(timeout, urllib3.Timeout):
        return timeout
    connect = urllib3.Timeout.resolve_default_timeout(timeout.connect_timeout)
    try:
        return connect, timeout.read_timeout
    except urllib3.exceptions.HTTPError:  # with a total, the one for reading is known only while it runs
        return connect, timeout.total


def snapshot(headers: Any) -> RawHeaders:
    """Return the headers as they are now: the same request may be sent again with others."""
    return tuple(headers.items()) if headers else ()


def body_head(body: Any, headers: Any, policy: CapturePolicy) -> tuple[bytes | str | None, BodyState, int | None]:
    """Return the head of a request's body, what is known of it, and its size in bytes."""
    if not isinstance(body, (bytes, str, bytearray)):
        try:
            body = memoryview(body).cast("B")
        except TypeError:
            return None, "missing", None
    most = policy.request_body
    size: int | None = len(body)
    if isinstance(body, str) and not body.isascii():  # the cap is in bytes
        size = None if len(body) > most else len(body.encode("utf-8", "surrogatepass"))
        body = body[:most].encode("utf-8", "surrogatepass")
    if body and (not most or (policy.content_types is not None and not has_wanted_type(headers, policy))):
        return None, "missing", size
    state: BodyState = "complete"
    if size is None or size > most:
        # A slice: a reference would keep a whole upload alive for as long as the exchange waits.
        body, state = body[:most], "cut"
    return bytes(body) if isinstance(body, (bytearray, memoryview)) else body, state, size


def has_wanted_type(headers: Any, policy: CapturePolicy) -> bool:
    """Whether the policy wants bodies of this content type; one without a type is wanted."""
    content_type = headers.get("Content-Type")
    if isinstance(content_type, bytes):
        content_type = content_type.decode("latin-1")
    if policy.content_types is None or not content_type:
        return True
    kind = str(content_type).partition(";")[0].strip().lower()
    return any(fnmatchcase(kind, wanted) for wanted in policy.content_types)
