"""
From one call of `HTTPAdapter.send` to an exchange: asked in the caller's thread, so it hurries and it never raises.

An exchange is handed over when its body has ended: at once for an exception, and a moment later for a response, since
requests reads the body right after the adapter returns. One whose app reads slowly, or never, is handed over without
its body by the dispatcher after five seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic, perf_counter, time
from typing import Any, Protocol

from requests import PreparedRequest, Response

from ..policies import CapturePolicy
from ..records.exchange import BodyState, Exchange, Failure, RawHeaders, RequestFacts, ResponseFacts
from ..records.match import Screen
from . import response_body
from .request import request_facts, snapshot, wanted_type

__all__ = ["Capture", "Sink"]

_PATIENCE = 5.0  # seconds after the headers until an exchange goes without its body


class Sink(Protocol):
    """Where exchanges go. Neither method waits."""

    def offer(self, exchange: Exchange, size: int) -> object:
        """Take an exchange of about so many bytes."""

    def watch(self, exchange: Any) -> object:
        """Remember an exchange whose body is still open."""


class Capture:
    """Makes exchanges of what an adapter sends.

    Parameters
    ----------
    screen: What no inspector can want.
    policy: How much is kept.
    sink: Where exchanges go.
    exempt: Whether this thread's calls are our own deliveries, and not captured.
    """

    __slots__ = ("_exempt", "_policy", "_screen", "_sink", "trouble")

    def __init__(self, screen: Screen, policy: CapturePolicy, sink: Sink, exempt: Callable[[], bool]) -> None:
        self._screen = screen
        self._policy = policy
        self._sink = sink
        self._exempt = exempt
        self.trouble = 0
        """Calls that could not be captured."""

    def answered(
        self,
        request: PreparedRequest,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        began: float,
        response: Response,
    ) -> None:
        """A response's headers came. `began` is on the clock of `perf_counter`."""
        try:
            elapsed = perf_counter() - began
            screen = self._screen
            wanted = screen.passes(response.status_code, elapsed)
            if not (wanted or screen.errors) or self._exempt():
                return
            facts = request_facts(request, args, kwargs, self._policy)
            opened = _OpenExchange(self._sink, self._policy, facts, response, began, elapsed, wanted)
            raw = response.raw
            if getattr(raw, "length_remaining", None) == 0:
                opened.end("none")
            elif not response_body.watch(raw, opened):
                opened.end("missing")
            elif wanted:
                self._sink.watch(opened)
        except Exception:
            self.trouble += 1

    def failed(
        self, request: PreparedRequest, args: tuple[Any, ...], kwargs: Mapping[str, Any], began: float, error: Exception
    ) -> None:
        """The call ended in an exception."""
        try:
            elapsed = perf_counter() - began
            if not self._screen.errors or self._exempt():
                return
            facts = request_facts(request, args, kwargs, self._policy)
            exchange = Exchange(facts, None, Failure.of(error), time() - elapsed, elapsed)
            self._sink.offer(exchange, _size(facts, ()))
        except Exception:
            self.trouble += 1


class _OpenExchange:
    """An exchange whose response's body is on its way; whoever ends it first hands it over."""

    __slots__ = (
        "_began",
        "_chunks",
        "_elapsed",
        "_facts",
        "_headers",
        "_room",
        "_seen",
        "_sink",
        "_status",
        "_token",
        "_wanted",
        "due",
        "ended",
    )

    def __init__(
        self,
        sink: Sink,
        policy: CapturePolicy,
        facts: RequestFacts,
        response: Response,
        began: float,
        elapsed: float,
        wanted: bool,
    ) -> None:
        self._sink = sink
        self._facts: RequestFacts | None = facts
        self._status = (response.status_code, response.reason, getattr(response.raw, "version", None))
        self._headers = _response_headers(response)
        self._began = began
        self._elapsed = elapsed
        self._wanted = wanted
        self._room = policy.response_body if wanted_type(response.headers.get("Content-Type"), policy) else -1
        self._seen = 0
        self._chunks: list[bytes] = []
        self._token = [None]
        self.ended = False
        self.due = monotonic() + _PATIENCE

    def note(self, data: bytes) -> None:
        """Keep the head of the body."""
        room = self._room - self._seen
        self._seen += len(data)
        if room > 0:
            self._chunks.append(data if len(data) <= room else data[:room])

    def give_up(self) -> None:
        """It has taken too long: go without the body."""
        self.end("missing")

    def end(self, state: BodyState, error: BaseException | None = None) -> None:
        """The body ended: hand the exchange over, if it is wanted."""
        try:
            self._token.pop()  # atomic: the app's thread, the dispatcher and a finaliser may all come at once
        except IndexError:
            return
        self.ended = True
        facts, chunks, self._facts, self._chunks = self._facts, self._chunks, None, []
        if facts is None or not (self._wanted or error is not None):
            return
        try:
            now = perf_counter()
            exchange = Exchange(
                facts,
                self._response(state, chunks),
                None if error is None else Failure.of(error),
                time() - (now - self._began),
                self._elapsed,
                None if state == "missing" else now - self._began,
            )
            self._sink.offer(exchange, _size(facts, self._headers) + sum(map(len, chunks)))
        except Exception:
            return

    def _response(self, state: BodyState, chunks: list[bytes]) -> ResponseFacts:
        size: int | None = self._seen
        if state == "missing":
            size, chunks = None, []
        elif self._room < 0 or (self._room == 0 and self._seen):
            state, chunks = "missing", []
        elif state == "complete" and self._seen > self._room:
            state = "cut"
        elif state in ("broken", "abandoned"):
            size = None
        status, reason, version = self._status
        return ResponseFacts(status, reason, self._headers, tuple(chunks), state, size, version)


def _response_headers(response: Response) -> RawHeaders:
    container = getattr(getattr(response.raw, "headers", None), "_container", None)
    if type(container) is dict:  # urllib3's HTTPHeaderDict: lists of a name and its values, repeated ones kept apart
        return tuple(container.values())
    return snapshot(response.headers)


def _size(facts: RequestFacts, headers: RawHeaders) -> int:
    """Approximate memory of an exchange, its response's body left out."""
    size = 2_000 + len(facts.url) + (len(facts.body) if facts.body else 0)
    for pair in facts.headers:
        size += len(pair[1])
    for values in headers:
        size += 100 + len(values[1])
    return size
