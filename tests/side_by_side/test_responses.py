"""What comes back: responses, their bodies however they are read, and how time and memory are spent on them."""

from __future__ import annotations

import gc
import gzip
import io
import threading
import time
import tracemalloc
import zlib

import pytest
import urllib3
from support import receiver as replies
from support.side_by_side import attempt, look

JSON = b'{"a": [1, 2, 3], "b": "zw\xc3\xb6lf"}'
LINES = b"one\ntwo\r\nthree\n\nlast"
CHUNKS = b"4\r\none\n\r\n9;x=1\r\ntwo\nthree\r\n0\r\nX-Trailer: 1\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + LINES
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

ANSWERS = {
    "200": replies.status(200, headers={"Content-Type": "text/plain"}, body=LINES),
    "200 without a body": replies.status(200),
    "201 with JSON": replies.status(201, headers={"Content-Type": "application/json"}, body=JSON),
    "204": replies.status(204),
    "304": replies.status(304, headers={"ETag": '"x"'}),
    "404": replies.status(404, body=b"not here"),
    "500 in latin-1": replies.status(500, headers={"Content-Type": "text/plain; charset=latin-1"}, body=b"zw\xf6lf"),
    "599": replies.status(599),
    "103 before 200": replies.raw(EARLY, keep=True),
    "chunks": replies.raw(CHUNKED, keep=True),
    "to the end of the connection": replies.raw(CLOSING),
    "HTTP/1.0": replies.raw(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "gzip": replies.status(200, headers={"Content-Encoding": "gzip"}, body=gzip.compress(JSON)),
    "deflate": replies.status(200, headers={"Content-Encoding": "deflate"}, body=zlib.compress(JSON)),
    "gzip without a body": replies.status(200, headers={"Content-Encoding": "gzip"}),
    "repeated headers": replies.raw(
        b"HTTP/1.1 200 \r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n",
        keep=True,
    ),
    "a header that is not ASCII": replies.status(200, headers={"X-A": "zw\xf6lf", "Link": '<http://x/>; rel="next"'}),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("stream", [False, True], ids=["read at once", "streamed"])
def test_every_kind_of_answer_comes_back_as_it_did(side_by_side, name, stream):
    """
    Response, headers, body, and what is left of `raw`.
    """

    def scenario(session, server):
        server.script("/", [ANSWERS[name]])
        response = session.get(server.url("/"), stream=stream)
        again = session.get(server.url("/"))
        return look(response), look(again)

    side_by_side(scenario)


@pytest.mark.parametrize("code", [200, 204, 404])
def test_a_head_comes_back_as_it_did(side_by_side, code):
    """
    Its length speaks of a body that does not come.
    """

    def scenario(session, server):
        server.script("/", [replies.raw(b"HTTP/1.1 %d X\r\nContent-Length: 1000\r\n\r\n" % code, keep=True)])
        return look(session.head(server.url("/"))), look(session.get(server.url("/")))

    side_by_side(scenario)


def _raw_read(response):
    return [response.raw.read(5), response.raw.read(5, decode_content=True), response.raw.read()]


def _raw_encoded(response):
    return response.raw.read(decode_content=False)


def _raw_stream(response):
    return list(response.raw.stream(7, decode_content=True))


def _readinto(response):
    into = bytearray(10)
    return response.raw.readinto(into), bytes(into), response.raw.read()


def _buffered(response):
    return io.BufferedReader(response.raw).read()


def _closed_in_the_middle(response):
    piece = next(response.iter_content(4))
    response.close()
    return piece, response.raw.closed, attempt(response.raw.read)


def _with_block(response):
    with response as same:
        return same is response, next(same.iter_content(3))


def _left_in_the_middle(response):
    pieces = response.iter_content(4)
    first = next(pieces)
    pieces.close()
    return first, attempt(lambda: response.content)


def _nothing_and_all(response):
    return response.raw.read(0), response.raw.read(), response.raw.read(), response.raw.read(1)


READERS = {
    "content": lambda response: (response.content, response.content),
    "text": lambda response: response.text,
    "json": lambda response: attempt(response.json),
    "iter_content(1)": lambda response: list(response.iter_content(1)),
    "iter_content(None)": lambda response: b"".join(response.iter_content(None)),
    "iter_content in unicode": lambda response: list(response.iter_content(3, decode_unicode=True)),
    "iter_lines": lambda response: list(response.iter_lines()),
    "iter_lines with a delimiter": lambda response: list(response.iter_lines(4, delimiter=b"\n")),
    "the response itself": lambda response: b"".join(response),
    "raw.read": _raw_read,
    "raw.read without decoding": _raw_encoded,
    "raw.read(0) and at the end": _nothing_and_all,
    "raw.stream": _raw_stream,
    "raw.data": lambda response: (response.raw.data, response.raw.data),
    "raw itself": lambda response: b"".join(response.raw),
    "raw.readinto": _readinto,
    "a buffer on raw": _buffered,
    "raw.drain_conn": lambda response: (response.raw.drain_conn(), attempt(response.raw.read)),
    "closed in the middle": _closed_in_the_middle,
    "a with block": _with_block,
    "left in the middle": _left_in_the_middle,
    "content after raw": lambda response: (response.raw.read(3), attempt(lambda: response.content)),
    "closed at once": lambda response: (response.close(), response.close(), attempt(lambda: response.content)),
    "never": lambda response: None,
}
if hasattr(urllib3.HTTPResponse, "read1"):  # urllib3 2.2
    READERS["raw.read1"] = lambda response: [response.raw.read1(4), response.raw.read1(), response.raw.read()]
    READERS["raw.read1 to the end"] = lambda response: [response.raw.read1() for _ in range(3)]

BODIES = {
    "plain": (LINES, {"Content-Type": "text/plain; charset=utf-8"}),
    "gzip": (gzip.compress(LINES * 50), {"Content-Encoding": "gzip", "Content-Type": "text/plain"}),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("body", [*BODIES, "chunks"])
def test_every_way_to_read_gives_what_it_gave(side_by_side, name, body):
    """
    And the connection is used again, or is not, as before.
    """

    def scenario(session, server):
        if body == "chunks":
            server.script("/", [replies.raw(CHUNKED, keep=True)])
        else:
            server.script("/", [replies.status(200, headers=BODIES[body][1], body=BODIES[body][0])])
        response = session.get(server.url("/"), stream=True)
        read = READERS[name](response)
        raw = response.raw
        afterwards = (raw.__class__.__name__, raw.tell(), raw.closed, raw.isclosed(), raw._connection is None)
        del response, raw
        gc.collect()
        return read, afterwards, session.get(server.url("/")).content

    side_by_side(scenario)


@pytest.mark.parametrize("amount", [None, 3])
def test_chunks_are_read_one_by_one_as_they_were(side_by_side, amount):
    """
    By urllib3's own way to read chunks.
    """

    def scenario(session, server):
        server.script("/", [replies.raw(CHUNKED, keep=True)])
        response = session.get(server.url("/"), stream=True)
        return list(response.raw.read_chunked(amount)), session.get(server.url("/")).content

    side_by_side(scenario)


def test_the_first_byte_comes_at_once(side_by_side):
    """
    `elapsed` tells of the headers, and the first piece does not wait for the last.
    """

    def scenario(session, server):
        go_on = threading.Event()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
        server.script("/", [replies.held(head + b"a", go_on, b"bcdefgh")])
        began = time.perf_counter()
        response = session.get(server.url("/"), stream=True)
        pieces = response.iter_content(1)
        first = next(pieces)
        took = time.perf_counter() - began
        go_on.set()
        return first, took < 5, b"".join(pieces), response.elapsed.total_seconds() <= took

    (record,) = side_by_side(scenario)
    assert record.response_body == b"abcdefgh"


@pytest.mark.parametrize("upload", [False, True], ids=["download", "upload"])
def test_a_large_stream_is_never_in_memory(side_by_side, upload):
    """
    50 MB one way or the other, in less than 3 MB more than before.
    """

    def scenario(session, server):
        pieces = (b"x" * 65_536 for _ in range(800))
        server.script("/", [replies.status(200) if upload else replies.huge(50_000_000)], then=replies.status(200))
        if upload:
            server.script("/", [replies.Reply(_swallow, reads_body=False)])
        tracemalloc.start()
        try:
            if upload:
                size = session.post(server.url("/"), data=pieces).status_code
            else:
                response = session.get(server.url("/"), stream=True)
                size = sum(map(len, response.iter_content(65_536)))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        server.forget()
        return size, peak < 3_000_000

    (record,) = side_by_side(scenario)
    assert "cut" in (record.request_body_state, record.response_body_state)


def _swallow(connection):
    """Read chunks without keeping them, and answer."""
    connection.sock = connection.sock._sock
    tail = connection.buffer[-5:]
    connection.buffer = b""
    # In small pieces: what the server holds is counted, too, since it lives in the same process.
    while tail[-5:] != b"0\r\n\r\n":
        tail = tail[-5:] + connection.sock.recv(65_536)
    return replies.raw(replies.OK).play(connection)
