"""What goes out: the bytes on the wire, whatever the body is, and the body object afterwards."""

from __future__ import annotations

import array
import io
import mmap
import tempfile

import pytest
import requests
from support import receiver as replies
from support.side_by_side import look


class OnlyReads:
    """Has `read` and an iterator, and cannot be asked where it stands."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)

    def __iter__(self):
        return iter(self._data)


class Sized:
    """An iterable with a length, as multipart encoders are."""

    def __len__(self) -> int:
        return 6

    def __iter__(self):
        yield b"abc"
        yield b"def"


class WithLen:
    """A readable with the attribute `len`, as requests-toolbelt's encoders have."""

    len = 5

    def __init__(self) -> None:
        self._data = io.BytesIO(b"abcde")

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)

    def __iter__(self):
        return iter(self._data)


def a_file(data: bytes, at: int = 0):
    made = tempfile.TemporaryFile()  # noqa: SIM115
    made.write(data)
    made.seek(at)
    return made


def a_map():
    made = mmap.mmap(-1, 6)
    made[:] = b"mapped"
    return made


def a_generator():
    yield b"first "
    yield "zwölf "
    yield b""
    yield bytearray(b"third ")
    yield memoryview(b"last")


BODIES = {
    "none": dict,
    "bytes": lambda: {"data": b"\0\xff"},
    "empty bytes": lambda: {"data": b""},
    "text": lambda: {"data": "zwölf"},
    "a form": lambda: {"data": {"a": "1", "b": ["2", "3"]}},
    "JSON": lambda: {"json": {"a": [1, None]}},
    "multipart": lambda: {"files": {"f": ("name.txt", b"content")}, "data": {"a": "1"}},
    "bytearray": lambda: {"data": bytearray(b"abc")},
    "memoryview": lambda: {"data": memoryview(b"abc")},
    "array": lambda: {"data": array.array("b", [1, 2, 3])},
    "a file": lambda: {"data": a_file(b"content")},
    "a file in its middle": lambda: {"data": a_file(b"content", 3)},
    "an empty file": lambda: {"data": a_file(b"")},
    "a large file": lambda: {"data": a_file(b"x" * 300_000)},
    "BytesIO": lambda: {"data": io.BytesIO(b"content")},
    "StringIO": lambda: {"data": io.StringIO("content")},
    "a mapped file": lambda: {"data": a_map()},
    "an object that only reads": lambda: {"data": OnlyReads(b"content")},
    "an object with len": lambda: {"data": WithLen()},
    "a generator": lambda: {"data": a_generator()},
    "an empty generator": lambda: {"data": iter(())},
    "an iterator of texts": lambda: {"data": iter(["ein", "zwölf"])},
    "an iterable with a length": lambda: {"data": Sized()},
    "a file and a length": lambda: {"data": io.BytesIO(b"abc"), "headers": {"Content-Length": "3"}},
}


@pytest.mark.parametrize("name", BODIES)
def test_every_kind_of_body_goes_out_as_it_did(side_by_side, name):
    """
    The same bytes in the same frames, and the same object is the request's body afterwards.
    """

    def scenario(session, server):
        given = BODIES[name]()
        response = session.post(server.url("/"), **given)
        data = given.get("data")
        rest = data.read() if hasattr(data, "read") else None
        if hasattr(data, "close"):
            data.close()
        return look(response), response.request.body is data, rest

    (record,) = side_by_side(scenario)
    assert record.request_body_state in ("none", "complete", "cut")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PURGE"])
@pytest.mark.parametrize("with_body", [False, True], ids=["without body", "with a stream"])
def test_every_method_goes_out_as_it_did(side_by_side, method, with_body):
    """
    With and without a body.
    """

    def scenario(session, server):
        server.script("/", [replies.status(200, headers={"X-A": "1"}, body=b"" if method == "HEAD" else b"ok")])
        return look(session.request(method, server.url("/"), data=iter([b"a", b"b"]) if with_body else None))

    (record,) = side_by_side(scenario)
    assert record.request_body == (b"ab" if with_body else None)


def test_headers_of_odd_types_go_out_as_they_did(side_by_side):
    """
    Bytes as names and values, a header that is left out, one that is repeated in another case.
    """

    def scenario(session, server):
        headers = {b"X-Bytes": b"\xff", "x-lower": "1", "User-Agent": None, "X-Empty": ""}
        return look(session.get(server.url("/"), headers=headers))

    side_by_side(scenario)


@pytest.mark.parametrize("value", [5, object(), ["a"]], ids=["a number", "an object", "a list"])
def test_headers_that_cannot_be_sent_fail_as_they_did(side_by_side, value):
    """
    requests refuses some of them, http.client others.
    """

    def scenario(session, server):
        request = session.prepare_request(requests.Request("GET", server.url("/")))
        request.headers["X-Odd"] = value
        return look(session.send(request))

    side_by_side(scenario)


def test_authentication_goes_out_as_it_did(side_by_side):
    """
    Basic, and digest with its second request, which rewinds a file by itself.
    """
    from requests.auth import HTTPDigestAuth

    def scenario(session, server):
        challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'}
        server.script("/digest", [replies.status(401, headers=challenge, body=b"who?")])
        session.get(server.url("/basic"), auth=("user", "password"))
        auth = HTTPDigestAuth("user", "password")
        response = session.post(server.url("/digest"), data=io.BytesIO(b"upload"), auth=auth)
        return response.status_code, len(response.history), [one.body for one in server.requests]

    # The digest itself holds a random number, so the wire is looked at by its bodies.
    def comparable(session, server):
        result = scenario(session, server)
        server.forget()
        return result

    records = side_by_side(comparable)
    assert [record.request_body for record in records] == [None, b"upload", b"upload"]


def test_cookies_and_hooks_work_as_they_did(side_by_side):
    """
    Cookies come and go; hooks get the response, and may put another in its place.
    """

    def scenario(session, server):
        server.script("/set", [replies.status(200, headers={"Set-Cookie": "a=1; Path=/"})])
        seen = []
        session.hooks["response"].append(lambda response, **kwargs: seen.append((response.status_code, sorted(kwargs))))
        session.get(server.url("/set"), cookies={"b": "2"})
        response = session.get(server.url("/"))
        return seen, session.cookies.get_dict(), look(response)

    side_by_side(scenario)


def test_what_the_app_sends_while_it_sends_is_not_mixed_up(side_by_side):
    """
    A generator that makes calls of its own, with bodies of their own, on the same session.
    """

    def scenario(session, server):
        def outer():
            yield b"outer "
            yield session.post(server.url("/inner"), data=iter([b"inner"])).content
            yield b" end"

        session.post(server.url("/outer"), data=outer())
        return sorted(server.bodies())

    records = side_by_side(scenario)
    assert sorted(record.request_body for record in records) == [b"inner", b"outer ok end"]
