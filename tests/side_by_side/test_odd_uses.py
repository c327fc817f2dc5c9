"""Odd uses that an engineer would think of who wants to prove that we change something, or that a record is wrong."""

from __future__ import annotations

import gc
import gzip
import inspect
import io
import sys
import traceback
import weakref

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from support import receiver as replies
from support.side_by_side import attempt, look, run
from urllib3.util import Retry

from curl_interceptor import CaptureMixin, CurlInterceptor, Match, testing
from curl_interceptor.capture.connection import pending

BODY = b"one\ntwo\r\nthree\n\nlast line without end"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
BIG = b"hello world " * 3_000
ANSWERS = {
    "plain": replies.status(200, body=BODY),
    "chunks": replies.raw(CHUNKED, keep=True),
    "gzip": replies.status(200, headers={"Content-Encoding": "gzip"}, body=gzip.compress(BIG)),
}


def _mixed(response):
    pieces = response.iter_content(4)
    return next(pieces), response.raw.read(5), list(pieces)


def _rest_by_raw(response):
    pieces = response.iter_content(4)
    return next(pieces), response.raw.read(), list(pieces)


def _two_at_a_time(response):
    one, other = response.raw.stream(4), response.raw.stream(3)
    return [next(one), next(other), next(one), list(other), list(one)]


def _closed_and_read_on(response):
    pieces = response.iter_content(4)
    return next(pieces), response.close(), attempt(list, pieces)


def _left_and_kept(response):
    pieces = response.raw.stream(4)
    return next(pieces), pieces.close(), response.close()


def _last_piece_and_left(response):
    pieces = response.iter_content(1_000)
    return next(pieces), pieces.close()


def _not_chunked(response):
    return attempt(list, response.raw.read_chunked()), response.content


def _piece_by_piece(response):
    return b"".join(iter(lambda: response.raw.read(200, decode_content=True), b""))


def _first_piece(response):
    return response.raw.read(200, decode_content=True), response.close()


def _nothing_and_then_all(response):
    return list(response.raw.stream(0)), response.content


def _thrown_in(response):
    pieces = response.raw.stream(4)
    return next(pieces), attempt(pieces.throw, KeyError("x")), response.raw.closed, attempt(response.raw.read)


USES = [
    ("plain", _mixed, "complete", BODY),
    ("plain", _rest_by_raw, "complete", BODY),
    ("plain", _two_at_a_time, "complete", BODY),
    ("chunks", _two_at_a_time, "complete", BODY),
    ("plain", _closed_and_read_on, "abandoned", BODY[:4]),
    ("chunks", _closed_and_read_on, "abandoned", BODY[:4]),
    ("chunks", _left_and_kept, "abandoned", BODY[:4]),
    ("plain", _last_piece_and_left, "complete", BODY),
    ("plain", _not_chunked, "complete", BODY),
    ("gzip", _piece_by_piece, "complete", BIG),
    ("gzip", _first_piece, "abandoned", BIG[:200]),
    ("plain", _thrown_in, "complete", BODY),
    ("chunks", _thrown_in, "broken", BODY[:4]),
]
if "if amt == 0" in inspect.getsource(urllib3.HTTPResponse.stream):
    USES.append(("plain", _nothing_and_then_all, "complete", BODY))


@pytest.mark.parametrize(("answer", "use", "state", "kept"), USES, ids=lambda value: getattr(value, "__name__", None))
def test_a_body_read_in_an_odd_order_is_recorded_as_it_was_read(side_by_side, answer, use, state, kept):
    """
    Nothing is missing in what is called complete, and what cannot be read one way and is read another did not break.
    """

    def scenario(session, server):
        server.script("/", [ANSWERS[answer]])
        response = session.get(server.url("/"), stream=True)
        seen = use(response), response.raw.closed
        response.close()
        return seen

    (record,) = side_by_side(scenario)
    assert (record.response_body_state, record.response_body) == (state, kept)


def test_a_way_to_read_that_urllib3_refuses_is_no_broken_body(side_by_side):
    """
    Decoded and not, in turns; older versions of urllib3 let it pass.
    """
    pieces = []

    def scenario(session, server):
        pieces.clear()
        server.script("/", [ANSWERS["gzip"]])
        with session.get(server.url("/"), stream=True) as response:
            for decoded in (True, False, True):
                pieces.append(attempt(response.raw.read, 5, decode_content=decoded))
        return list(pieces)

    (record,) = side_by_side(scenario)
    read = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    assert (record.response_body_state, record.response_body, record.error) == ("abandoned", read, None)


def test_an_open_body_has_the_methods_that_it_had(side_by_side):
    """
    By name, text and signature, for whoever wraps or shows them.
    """

    def scenario(session, server):
        raw = session.get(server.url("/"), stream=True).raw
        names = [
            name for name in ("read", "read1", "stream", "read_chunked", "close", "drain_conn") if hasattr(raw, name)
        ]
        methods = [getattr(raw, name) for name in names]
        about = [(method.__name__, method.__doc__, str(inspect.signature(method))) for method in methods]
        return about, raw.__doc__, raw.stream().__name__

    side_by_side(scenario)


class Sealed(urllib3.HTTPResponse):
    """Nobody may derive from it."""

    def __init_subclass__(cls, **keywords):
        raise TypeError("sealed")


def test_a_response_that_nobody_may_derive_from_comes_back_and_is_recorded(pipeline):
    """
    Without its body.
    """

    class Theirs(HTTPAdapter):
        def build_response(self, req, resp):
            resp.__class__ = Sealed
            return super().build_response(req, resp)

    class Ours(CaptureMixin, Theirs):
        pass

    inspector = testing.RecordingInspector()
    ours = {"inspectors": inspector, "match": Match(statuses="2xx"), "cooldown": None, "pipeline": pipeline}

    def scenario(session, server):
        return look(session.get(server.url("/"), stream=True))

    assert run(scenario, Ours, ours, {}) == run(scenario, Theirs, {}, {})
    (record,) = inspector.records
    assert (record.status, record.response_body_state) == (200, "missing")


def test_a_pool_ends_once(pipeline):
    """
    What stands in for a pool is no pool of its own.
    """

    class Pool(urllib3.HTTPConnectionPool):
        ended = 0

        def __del__(self):
            Pool.ended += 1

    class Theirs(HTTPAdapter):
        def init_poolmanager(self, *args, **kwargs):
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": Pool}

    class Ours(CaptureMixin, Theirs):
        pass

    def scenario(session, server):
        session.post(server.url("/"), data=iter([b"a"]))
        return Pool.ended

    ours = {"inspectors": testing.RecordingInspector(), "match": Match(statuses="2xx"), "pipeline": pipeline}
    assert run(scenario, Theirs, {}, {})["the app saw"] == 0
    Pool.ended = 0
    assert run(scenario, Ours, ours, {})["the app saw"] == 0


class Body(bytearray):
    """A body that can be watched by a weak reference."""


@pytest.mark.parametrize("body", [lambda: Body(b"abc"), lambda: io.BytesIO(b"abc")], ids=["bytes", "a file"])
def test_an_open_body_keeps_nothing_else(side_by_side, body):
    """
    Not the request, and not what it sent, though a body that breaks is to be told with both.
    """

    def scenario(session, server):
        gc.collect()
        gc.disable()
        try:
            given = body()
            prepared = session.prepare_request(requests.Request("POST", server.url("/"), data=b"abc"))
            prepared.body = given
            raw = session.send(prepared, stream=True, timeout=5).raw
            kept = [weakref.ref(given), weakref.ref(prepared)]
            del given, prepared
            return [ref() is None for ref in kept], raw.read()
        finally:
            gc.enable()

    side_by_side(scenario, captured=False, match=Match())


def test_cleared_frames_hold_nothing(side_by_side):
    """
    As `unittest.TestCase.assertRaises` leaves them; to know of retries we look at frames, which must not show.
    """

    def scenario(session, server):
        server.script("/", then=replies.reset())
        body = io.BytesIO(b"abc")
        kept = weakref.ref(body)
        try:
            session.post(server.url("/"), data=body)
        except requests.ConnectionError as error:
            error.request = None
            failures = [error, error.__context__]
        del body
        for failure in failures:
            traceback.clear_frames(failure.__traceback__)
        urllib3s = failures[1].__context__
        if urllib3s is not None:
            traceback.clear_frames(urllib3s.__traceback__)
        return kept() is None

    (record,) = side_by_side(scenario, max_retries=Retry(1, allowed_methods=None))
    assert record.retried == ("ProtocolError",)


class NotIterable:
    """Says that it can be iterated, and cannot."""

    def __iter__(self):
        raise KeyError("not today")


def test_messages_of_python_name_the_body(side_by_side):
    """
    And nothing of ours, all the way down the chain.
    """

    def scenario(session, server):
        return look(session.post(server.url("/"), data=NotIterable(), timeout=1))

    side_by_side(scenario)


CAPTURING = ("curl_interceptor.adapter", "curl_interceptor.capture.")


class Cut(BaseException):
    """An interrupt."""


def _cut_at(number, call):
    """Call, and be interrupted at a line of what captures; return whether there were so many."""
    left = number

    def at_line(frame, event, argument):
        nonlocal left
        left -= event == "line"
        if not left:
            sys.settrace(None)
            raise Cut
        return at_line

    def at_call(frame, event, argument):
        # Not of what delivers: no signal comes between a block and the end of its lock, as this one would.
        return at_line if frame.f_globals.get("__name__", "").startswith(CAPTURING) else None

    before = sys.gettrace()
    sys.settrace(at_call)
    try:
        call()
    except Cut:
        return True
    finally:
        sys.settrace(before)
    return False


def test_an_interrupt_at_any_line_that_captures_leaves_nothing_behind(pipeline):
    """
    The body that was being sent is let go of, and the next call is a call as any other.
    """
    inspector = testing.RecordingInspector()
    options = {"inspectors": inspector, "match": Match(statuses="2xx"), "cooldown": None, "pipeline": pipeline}

    def scenario(session, server):
        session.post(server.url("/"), data=iter([b"first"]))
        for number in range(1, 1_000):
            if not _cut_at(number, lambda: session.post(server.url("/"), data=io.BytesIO(b"abc"), stream=True).content):
                break
            observer = pending.get()
            assert observer is None or observer() is None
            if number % 20 == 0:
                assert session.post(server.url("/"), data=iter([b"between"])).content == b"ok"
        server.forget()
        server.accepted = 0
        return number > 50

    assert run(scenario, CurlInterceptor, options, {})["the app saw"] is True
    assert {record.request_body for record in inspector.records} >= {b"first", b"between"}
