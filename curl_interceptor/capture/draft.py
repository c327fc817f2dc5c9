"""
What the caller's thread notes down of one call, and the exchange that the dispatcher makes of it.

Noting is a matter of a few references to values that do not change; taking them apart and naming them would cost the
caller several times as much, so that is done later, in the background.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic, perf_counter, time
from typing import Any, Protocol

from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from ..policies import CapturePolicy
from ..records.exchange import BodyState, Exchange, Failure, RawHeaders, RequestFacts, ResponseFacts
from .versions import URLLIB3_USER_AGENT

__all__ = ["Draft", "Sink"]

PATIENCE = 5.0  # seconds after the headers until an exchange goes without its body
_OVERHEAD = 2_000  # approximate memory of a draft without its headers and bodies
_ARGUMENTS = ("stream", "timeout", "verify", "cert", "proxies")


class Sink(Protocol):
    """Where drafts go. No method waits."""

    def offer(self, draft: Draft, size: int) -> object:
        """Take a draft of about so many bytes."""

    def watch(self, draft: Draft) -> object:
        """Remember a draft whose response's body is still open."""

    def trouble(self) -> object:
        """Count a call that could not be captured."""


class Draft:
    """One call, noted down while the app waits.

    Parameters
    ----------
    sink: Where it goes once the call has ended.
    policy: How much of the bodies is kept.
    request: What was sent.
    args, kwargs: What `HTTPAdapter.send` was called with besides the request.
    began: When it was sent, on the clock of `perf_counter`.
    elapsed: Seconds until the response's headers came, or until it failed.
    """

    __slots__ = (
        "_arguments",
        "_began",
        "_chunks",
        "_elapsed",
        "_ended_at",
        "_failure",
        "_request",
        "_response",
        "_response_headers",
        "_room",
        "_seen",
        "_sink",
        "_state",
        "_token",
        "_wanted",
        "due",
        "ended",
    )

    def __init__(
        self,
        sink: Sink,
        policy: CapturePolicy,
        request: PreparedRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        began: float,
        elapsed: float,
    ) -> None:
        self._sink = sink
        self._request = (request.method, request.url, snapshot(request.headers), *body_head(request, policy))
        self._arguments = (args, kwargs)
        self._began = began
        self._elapsed = elapsed
        self._response: tuple[Any, ...] | None = None
        self._response_headers: RawHeaders = ()
        self._failure: Failure | None = None
        self._chunks: list[bytes] = []
        self._room = self._seen = 0
        self._state: BodyState = "none"
        self._ended_at: float | None = None
        self._token = [None]
        self._wanted = True
        self.ended = False
        """Whether it was handed over."""
        self.due = 0.0
        """When it goes without its body, on the monotonic clock."""

    # -- in the caller's thread ---------------------------------------------------------------------------------------

    def answer(self, response: Response, policy: CapturePolicy, *, wanted: bool) -> None:
        """Note the head of the response. One that is not `wanted` is handed over only if its body breaks."""
        raw = response.raw
        self._response = (response.status_code, response.reason, getattr(raw, "version", None))
        container = getattr(getattr(raw, "headers", None), "_container", None)
        # urllib3's headers are lists of a name and its values, in which repeated ones are kept apart.
        self._response_headers = tuple(container.values()) if type(container) is dict else snapshot(response.headers)
        kept = policy.content_types is None or has_wanted_type(response.headers, policy)
        self._room = policy.response_body if kept else -1
        self._wanted = wanted
        self.due = monotonic() + PATIENCE

    def note(self, data: bytes) -> None:
        """A piece of the response's body passes; keep the head."""
        room = self._room - self._seen
        self._seen += len(data)
        if room > 0:
            self._chunks.append(data if len(data) <= room else data[:room])

    def fail(self, error: BaseException) -> None:
        """The call ended in an exception: hand it over."""
        self._failure = Failure.of(error)
        self._hand_over("none")

    def end(self, state: BodyState, error: BaseException | None = None) -> None:
        """The response's body ended: hand it over, if it is wanted. Raises nothing; the first call counts.

        The app's thread, the dispatcher and a finaliser may all come at once.
        """
        try:
            self._token.pop()  # atomic
        except IndexError:
            return
        try:
            self.ended = True
            if error is not None:
                self._failure = Failure.of(error)
            elif not self._wanted:
                self._chunks.clear()
                return
            if state != "missing":
                self._ended_at = perf_counter()
            self._hand_over(state)
        except Exception:
            self._sink.trouble()

    def give_up(self) -> None:
        """It has taken too long: go without the body."""
        self.end("missing")

    def _hand_over(self, state: BodyState) -> None:
        self._state = state
        body = self._request[3]
        size = _OVERHEAD + (len(body) if body else 0)
        size += sum([len(pair[1]) for pair in self._request[2]])
        size += sum([100 + len(values[1]) for values in self._response_headers])
        self._sink.offer(self, size + min(self._seen, self._room) if self._seen else size)

    # -- in the dispatcher --------------------------------------------------------------------------------------------

    def exchange(self) -> Exchange:
        """Return what was noted down as plain facts."""
        wall = time() - perf_counter()
        duration = None if self._ended_at is None else self._ended_at - self._began
        response = None if self._response is None else self._answered(*self._response)
        return Exchange(
            self._sent(*self._request), response, self._failure, self._began + wall, self._elapsed, duration
        )

    def _sent(
        self,
        method: str | None,
        url: str | None,
        headers: RawHeaders,
        body: bytes | str | None,
        state: BodyState,
        size: int | None,
    ) -> RequestFacts:
        args, kwargs = self._arguments
        options = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs}
        return RequestFacts(
            method=method or "",
            url=url or "",
            headers=headers,
            body=body,
            body_state=state,
            body_size=size,
            timeout=options.get("timeout"),
            verify=options.get("verify", True),
            cert=options.get("cert"),
            proxies=tuple((options.get("proxies") or {}).items()),
            client=URLLIB3_USER_AGENT,
        )

    def _answered(self, status: int, reason: str | None, version: int | None) -> ResponseFacts:
        state, chunks, size = self._state, tuple(self._chunks), self._seen
        if state == "missing" or (self._room <= 0 and self._seen):
            return ResponseFacts(status, reason, self._response_headers, (), "missing", None, version)
        if state == "complete" and self._seen > self._room >= 0:
            state = "cut"
        known = size if state in ("none", "complete", "cut") else None
        return ResponseFacts(status, reason, self._response_headers, chunks, state, known, version)


def snapshot(headers: Any) -> RawHeaders:
    """Return the headers as they are now: the same request may be sent again with others."""
    if type(headers) is CaseInsensitiveDict:
        store = getattr(headers, "_store", None)
        if store is not None:  # its values are the pairs that `items` would make anew, ten times as slowly
            return tuple(store.values())
    return tuple(headers.items()) if headers else ()


def body_head(request: PreparedRequest, policy: CapturePolicy) -> tuple[bytes | str | None, BodyState, int | None]:
    """Return the head of a request's body, what is known of it, and its size in bytes."""
    body: Any = request.body
    if body is None:
        return None, "none", 0
    if not isinstance(body, (bytes, str, bytearray)):
        return None, "missing", None
    size = len(body) if not isinstance(body, str) or body.isascii() else None
    most = policy.request_body
    if body and (not most or (policy.content_types is not None and not has_wanted_type(request.headers, policy))):
        return None, "missing", size
    state: BodyState = "complete"
    if len(body) > most:
        # A slice: a reference would keep a whole upload alive for as long as the exchange waits.
        body, state = body[:most], "cut"
    return bytes(body) if isinstance(body, bytearray) else body, state, size


def has_wanted_type(headers: Any, policy: CapturePolicy) -> bool:
    """Whether the policy wants bodies of this content type; one without a type is wanted."""
    content_type = headers.get("Content-Type")
    if isinstance(content_type, bytes):
        content_type = content_type.decode("latin-1")
    if policy.content_types is None or not content_type:
        return True
    return str(content_type).strip().lower().startswith(tuple(policy.content_types))
