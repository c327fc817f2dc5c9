"""What fails, on the network and in the app: the same exceptions down the whole chain, and a record of each."""

from __future__ import annotations

import gzip
import io

import pytest
import requests
import urllib3
from support import receiver as replies
from support.side_by_side import Tape, attempt, look

HALF = gzip.compress(b"x" * 99)[:20]
BROKEN = {
    "a body that is too short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789",
    "a body that is too long": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0123456789",
    "lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n0123456789",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n0123456789",
    "chunks that break": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n10\r\nxy",
    "chunks without an end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
    "chunks of no size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabcd\r\n0\r\n\r\n",
    "gzip that is none": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    "gzip that breaks": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + HALF,
    "no status line": b"hello\r\n\r\n",
    "half a status line": b"HTTP/1.1 2",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "half of the headers": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n",
    "a line that is no header": b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 2\r\n\r\nok",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 200 + b"\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 70_000 + b"\r\n\r\n",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("stream", [False, True], ids=["read at once", "streamed"])
def test_a_broken_answer_breaks_as_it_did(side_by_side, name, stream):
    """
    Bodies that lie about their length, break in the middle or are no gzip; heads that are none.
    """

    def scenario(session, server):
        server.script("/", [replies.raw(BROKEN[name])])
        response = session.get(server.url("/"), stream=stream)
        return look(response, read=False), attempt(lambda: list(response.iter_content(3))), response.raw.closed

    side_by_side(scenario)


@pytest.mark.parametrize("name", ["a body that is too short", "chunks that break", "gzip that is none"])
def test_a_broken_body_breaks_raw_as_it_did(side_by_side, name):
    """
    Read by urllib3's own means, the exceptions are urllib3's own.
    """

    def scenario(session, server):
        server.script("/", [replies.raw(BROKEN[name])])
        raw = session.get(server.url("/"), stream=True).raw
        return attempt(raw.read, decode_content=True), attempt(raw.read), raw.closed

    (record,) = side_by_side(scenario)
    assert record.response_body_state == "broken"


def test_an_endless_body_is_left_as_it_was(side_by_side):
    """
    Its head is kept, and the connection closes with the response.
    """

    def scenario(session, server):
        server.script("/", [replies.endless()])
        with session.get(server.url("/"), stream=True) as response:
            return len(response.raw.read(100_000)), response.raw.closed

    (record,) = side_by_side(scenario)
    assert (record.response_body_state, len(record.response_body)) == ("abandoned", 65_536)


def _read_timeout(session, server):
    server.script("/", [replies.hang()])
    return session.get(server.url("/"), timeout=(2, 0.1))


def _read_timeout_in_the_body(session, server):
    server.script("/", [replies.drip(b"abc", 0.3, before=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")])
    return session.get(server.url("/"), timeout=0.1)


def _total_timeout(session, server):
    server.script("/", [replies.hang()])
    return session.get(server.url("/"), timeout=urllib3.Timeout(total=0.1))


def _unheard(server, call, *args, **kwargs):
    """How much of it arrives is chance, or random."""
    try:
        return call(*args, **kwargs)
    finally:
        server.settle()
        server.accepted += 1
        server.forget()


CALLS = {
    "refused": lambda session, server: session.get(replies.refused_url()),
    "no such host": lambda session, server: session.get("http://nowhere.invalid/"),
    "reset": lambda session, server: (server.script("/", [replies.reset()]), session.get(server.url("/"))),
    "reset while a stream is sent": lambda session, server: (
        server.script("/", [replies.Reply(replies.reset().play, reads_body=False)]),
        _unheard(server, session.post, server.url("/"), data=(b"x" * 100_000 for _ in range(200))),
    ),
    "a read timeout": _read_timeout,
    "a read timeout in the body": _read_timeout_in_the_body,
    "a total timeout": _total_timeout,
    "a timeout that is none": lambda session, server: session.get(server.url("/"), timeout=(1, 2, 3)),
    "TLS to a server without": lambda session, server: _unheard(
        server, session.get, server.url("/").replace("http:", "https:"), timeout=0.2
    ),
    "certificates that do not exist": lambda session, server: session.get("https://127.0.0.1/", verify="/no/such/file"),
    "a client certificate that does not exist": lambda session, server: session.get(
        "https://127.0.0.1/", cert=("/no/such/file", "/no/key")
    ),
    "a proxy that refuses": lambda session, server: session.get(
        "http://example.com/", proxies={"http": replies.refused_url("")}
    ),
    "a proxy that refuses the tunnel": lambda session, server: (
        server.script("example.com:443", [replies.status(407)]),
        session.get("https://example.com/", proxies={"https": server.url("")}),
    ),
    "a proxy that is none": lambda session, server: session.get("http://example.com/", proxies={"http": "http://"}),
}


# urllib3 2.0 forgets the socket of a proxy that refuses a tunnel, in a plain session, too.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", CALLS)
def test_a_call_fails_as_it_did(side_by_side, name):
    """
    Type, arguments, cause, request and response of every exception in the chain.
    """
    side_by_side(CALLS[name])


def _unadapted(url):
    return lambda session, server: session.get(url)


@pytest.mark.parametrize("url", ["http://[", "http://", "nonsense", "ftp://x/", "http://.example.com/"])
def test_what_never_reaches_an_adapter_fails_as_it_did(side_by_side, url):
    """
    And is not captured.
    """
    side_by_side(_unadapted(url), captured=False)


def test_tls_fails_and_works_as_it_did(side_by_side, authority):
    """
    An unknown authority, a name that does not match, no verification, and the right authority.
    """

    def scenario(session, server):
        url = server.url("/")
        return [
            attempt(session.get, url),
            attempt(session.get, url.replace("127.0.0.1", "localhost"), verify=authority.bundle),
            look(session.get(url, verify=authority.bundle)),
        ]

    records = side_by_side(scenario, server={"tls": authority.server("127.0.0.1")})
    assert [record.outcome for record in records] == ["SSLError", "SSLError", "200"]
    assert records[2].verify == authority.bundle


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_tls_without_verification_works_as_it_did(side_by_side, authority):
    """
    With a warning, as always.
    """

    def scenario(session, server):
        with pytest.warns(urllib3.exceptions.InsecureRequestWarning) as caught:
            seen = look(session.post(server.url("/"), data=io.BytesIO(b"abc"), verify=False))
        return seen, [str(warning.message) for warning in caught]

    (record,) = side_by_side(scenario, server={"tls": authority.server()})
    assert record.verify is False
    assert record.request_body == b"abc"


@pytest.mark.parametrize("secure", [False, True], ids=["forwarded", "tunnelled"])
def test_proxies_work_as_they_did(side_by_side, authority, secure):
    """
    With a body that has to be seen on its way.
    """

    def scenario(session, server):
        with Tape(tls=authority.server()) as far:
            if secure:
                server.default = replies.tunnel()
            url = far.url("/x") if secure else "http://far.example.com/x"
            response = session.post(
                url,
                data=iter([b"a", b"b"]),
                proxies={"http": server.url(""), "https": server.url("")},
                verify=authority.bundle,
            )
            server.forget()  # what is encrypted is another each time, and so is the far port
            return response.status_code, [one.body for one in (far if secure else server).requests]

    (record,) = side_by_side(scenario)
    assert record.request_body == b"ab"


class Failing(io.BytesIO):
    """A file that breaks."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(b"0123456789")
        self.error = error

    def read(self, size: int = -1) -> bytes:
        if self.tell():
            raise self.error
        return super().read(4)


def _failing_generator(error):
    yield b"0123"
    raise error


class FailingSeek(io.BytesIO):
    """A file that cannot be rewound after all."""

    def seek(self, *args):
        if self.tell() > 3:
            raise OSError("no way back")
        return super().seek(*args)


ERRORS = [(KeyError, "x"), (OSError, 5, "broken disk"), (ValueError,), (TimeoutError, "slow disk"), (UnicodeError, "?")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error[0].__name__)
@pytest.mark.parametrize("kind", ["file", "generator"])
def test_a_body_that_raises_raises_what_it_raised(side_by_side, error, kind):
    """
    urllib3 makes something of an OSError, and lets others through; the record says that the body broke.
    """

    def scenario(session, server):
        raised = error[0](*error[1:])
        session.post(server.url("/"), data=Failing(raised) if kind == "file" else _failing_generator(raised))

    (record,) = side_by_side(scenario)
    assert record.request_body_state == "broken"
    assert record.request_body == b"0123"


def test_a_body_that_cannot_be_rewound_fails_as_it_did(side_by_side):
    """
    On a redirect and on a retry.
    """
    from urllib3.util import Retry

    def scenario(session, server):
        server.script("/a", [replies.redirect("/b", 307)])
        server.script("/c", [replies.status(503)])
        return [attempt(session.post, server.url(path), data=FailingSeek(b"content")) for path in ("/a", "/c")]

    side_by_side(scenario, max_retries=Retry(2, status_forcelist=[503], allowed_methods=None))


@pytest.mark.parametrize("body", [5, object(), [1, 2], {"a": 1}, iter([5]), [b"a", "b"]], ids=str)
def test_a_body_that_is_none_fails_as_it_did(side_by_side, body):
    """
    Put into a prepared request by hand; urllib3 says what it thinks of it.
    """
    body = list(body) if hasattr(body, "__next__") else body

    def scenario(session, server):
        prepared = requests.Request("POST", server.url("/"), data=b"x").prepare()
        prepared.body = body
        return look(session.send(prepared, timeout=1))

    side_by_side(scenario)


def test_what_is_no_request_fails_as_it_did(side_by_side):
    """
    Handed to the adapter directly.
    """

    def scenario(session, server):
        adapter = session.get_adapter(server.url("/"))
        return [attempt(adapter.send, thing) for thing in (None, "GET", requests.PreparedRequest())]

    side_by_side(scenario, captured=None)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_app_is_no_failure(side_by_side, kind):
    """
    It goes through, and is not captured.
    """

    def scenario(session, server):
        def body():
            yield b"a"
            raise kind("now")

        try:
            session.post(server.url("/"), data=body())
        except BaseException as error:
            return type(error), error.args

    side_by_side(scenario, captured=False)
