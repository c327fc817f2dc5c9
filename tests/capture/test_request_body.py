"""What is kept of a request's body that the sending consumes, and what is said of it."""

from __future__ import annotations

import io
import subprocess

import pytest
import requests
from support import receiver as replies
from support.api import Api
from support.wire import WireServer, compare

from curl_interceptor import UNREDACTED, CapturePolicy, Match, mount, testing
from curl_interceptor.capture.connection import pending, stand_in
from curl_interceptor.capture.request_body import BodyTee, is_consumed

EVERYTHING = Match(statuses="100-599", errors=True)


@pytest.fixture
def capturing(session, pipeline):
    """A session whose calls are all captured, and where they are."""

    def make(**options):
        inspector = testing.RecordingInspector()
        mount(session, inspector, pipeline=pipeline, cooldown=None, match=EVERYTHING, **options)
        return session, inspector

    return make


def body_of(record):
    return record.request_body, record.request_body_state, record.request_body_size


def test_the_head_is_kept_and_the_size_is_known(api, capturing):
    """
    Up to the cap, whatever the size of the pieces.
    """
    session, inspector = capturing(capture=CapturePolicy(request_body=10))
    session.post(api.url("/echo"), data=iter([b"12345", b"67890"]))
    session.post(api.url("/echo"), data=iter([b"1234567", b"890", b"x"]))
    session.post(api.url("/echo"), data=io.BytesIO(b"x" * 100_000))
    assert [body_of(record) for record in inspector.records] == [
        (b"1234567890", "complete", 10),
        (b"1234567890", "cut", 11),
        (b"x" * 10, "cut", 100_000),
    ]
    assert [record.chunked for record in inspector.records] == [True, True, False]


def test_what_is_not_wanted_is_counted_and_not_kept(api, capturing):
    """
    A cap of 0 bytes, and content types that are left out.
    """
    session, inspector = capturing(capture=CapturePolicy(content_types=["text/*", "application/*+json"]))
    for kind in ("text/plain", "image/png", "application/problem+json; charset=utf-8", "application/json", None):
        session.post(api.url("/echo"), data=iter([b"abc"]), headers={"Content-Type": kind} if kind else {})
    kept = (b"abc", "complete", 3)
    left_out = (None, "missing", 3)
    assert [body_of(record) for record in inspector.records] == [kept, left_out, kept, left_out, kept]
    assert [record.response_body_state for record in inspector.records] == [
        "complete",
        "missing",
        "complete",
        "missing",
        "missing",  # the server calls it application/octet-stream
    ]

    session, inspector = capturing(capture=CapturePolicy(request_body=0, response_body=0))
    session.post(api.url("/echo"), data=iter([b"abc"]))
    assert body_of(inspector.records[0]) == left_out


@pytest.mark.parametrize("wanted", ["application/json", "APPLICATION/JSON", "*/*", "application/*"])
def test_a_content_type_is_the_whole_of_it(api, capturing, wanted):
    """
    With a wildcard or without, in any case; one that only begins alike is another.
    """
    session, inspector = capturing(capture=CapturePolicy(content_types=[wanted]))
    session.post(api.url("/echo"), data=b"{}", headers={"Content-Type": "Application/JSON; charset=utf-8"})
    session.post(api.url("/echo"), data=b"{}", headers={"Content-Type": "application/json-seq"})
    assert [record.request_body for record in inspector.records] == [b"{}", b"{}" if "*" in wanted else None]


def test_bodies_that_broke_ended_early_or_were_never_sent_are_told_apart(api, receiver, capturing):
    """
    Broken is the body's own fault, abandoned the connection's.
    """
    session, inspector = capturing()

    def breaks():
        yield b"begin"
        raise KeyError("broken")

    with pytest.raises(KeyError):
        session.post(api.url("/echo"), data=breaks())
    with pytest.raises(requests.ConnectionError):
        session.post(replies.refused_url(), data=iter([b"never"]))
    receiver.script("/", [replies.Reply(replies.reset().play, reads_body=False)])
    with pytest.raises(requests.ConnectionError):
        session.post(receiver.url("/"), data=(b"x" * 100_000 for _ in range(500)))
    broken, never, early = inspector.records
    assert body_of(broken) == (b"begin", "broken", None)
    assert body_of(never) == (b"", "abandoned", None)
    assert (early.request_body_state, early.request_body_size) == ("abandoned", None)
    assert early.request_body.startswith(b"x")
    for command, reason in zip(
        inspector.commands, ["ended in an error", "not sent to its end", "not sent to its end"], strict=True
    ):
        assert command.startswith("# not runnable: the request body")
        assert reason in command


def test_a_server_that_answers_early_is_answered_by_a_part(receiver, capturing):
    """
    urllib3 reads the answer although the body could not be sent to its end.
    """
    session, inspector = capturing()

    def refuse(connection):
        connection.sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return False

    receiver.script("/", then=replies.Reply(refuse, reads_body=False))
    for _ in range(5):  # the reset may overtake the answer
        try:
            session.post(receiver.url("/"), data=(b"x" * 100_000 for _ in range(500)))
        except requests.ConnectionError:
            continue
    assert {record.request_body_state for record in inspector.records} == {"abandoned"}


def test_a_mocked_call_says_that_its_body_was_not_seen(capturing):
    """
    What stands in for `HTTPAdapter.send` reads no body.
    """
    import responses

    session, inspector = capturing()
    with responses.RequestsMock() as mock:
        mock.post("http://api.example.com/", status=500)
        session.post("http://api.example.com/", data=iter([b"abc"]))
    assert body_of(inspector.records[0]) == (None, "missing", None)
    assert pending.get() is None


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        (lambda: iter([b"one ", "zw\u00f6lf\n"]), {}),
        (lambda: io.BytesIO(b"a=1&b=2"), {"Content-Type": "text/plain"}),
        (lambda: iter([]), {}),
        (lambda: iter([bytes(range(256))]), {"Content-Type": "application/octet-stream"}),
        (lambda: io.BytesIO(b'{"a": "it\'s"}'), {"Content-Type": "application/json", "Content-Length": "13"}),
    ],
    ids=["chunks", "a file", "no chunk", "every byte", "a length of the app's"],
)
def test_the_command_sends_the_same_body(capturing, data, headers):
    """
    In chunks or with its length, as the wire had it; judged by the bytes that curl sends.
    """
    session, inspector = capturing(redaction=UNREDACTED)
    with WireServer() as server:
        session.post(f"{server.url}/x", data=data(), headers=headers)
        sent = server.take()
        (command,) = inspector.commands
        assert not command.startswith("#"), command
        subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=20)
        verdict = compare(sent, server.take())
        assert verdict, str(verdict)


def test_secrets_in_a_stream_are_hidden(api, capturing):
    """
    A body that was seen on its way is redacted like any other.
    """
    session, inspector = capturing()
    session.post(
        api.url("/echo"), data=iter([b'{"password": "s3', b'cr3t"}']), headers={"Content-Type": "application/json"}
    )
    assert "s3cr3t" not in str(inspector.records) + str(inspector.commands)
    assert b"REDACTED" in inspector.records[0].request_body


def test_a_request_that_is_changed_after_the_sending_is_recorded_as_it_was(api, session, capturing):
    """
    Headers, URL and body belong to the app again once the call is over.
    """
    session, inspector = capturing()
    prepared = requests.Request("POST", api.url("/status/500"), data=io.BytesIO(b"first")).prepare()
    session.send(prepared)
    prepared.headers["X-Later"] = "1"
    prepared.url, prepared.body, prepared.method = api.url("/status/501"), b"second", "PUT"
    prepared.headers["Content-Length"] = "6"
    session.send(prepared)
    first, second = inspector.records
    assert (first.method, first.request_body, first.status) == ("POST", b"first", 500)
    assert "X-Later" not in dict(first.request_headers)
    assert (second.method, second.request_body, second.status) == ("PUT", b"second", 501)


def test_ordinary_bodies_need_no_stand_in():
    """
    Text, bytes and other buffers are looked at afterwards; no pool is stood in for.
    """
    for body in (None, b"", "text", bytearray(b"x"), memoryview(b"x"), 5):
        assert not is_consumed(body)
    for body in (io.BytesIO(b"x"), iter(()), (b"x" for _ in range(1))):
        assert is_consumed(body)
    pool = object()
    assert stand_in(pool) is pool


def test_another_body_than_the_requests_is_left_alone():
    """
    An adapter may send something else than it was given.
    """
    tee = BodyTee(iter([b"a"]), 100)
    other = iter([b"b"])
    assert tee.view(other) is other
    assert tee.seen() == (None, "missing", None)


def test_many_small_pieces_take_no_more_than_they_are(api):
    """
    A body of single bytes is kept as one piece.
    """
    tee = BodyTee(iter([b"ab"] * 30_000), 65_536)
    assert sum(len(piece) for piece in tee.view(tee._body)) == 60_000
    assert tee._head.__sizeof__() < 80_000
    assert tee.seen() == (b"ab" * 30_000, "complete", 60_000)


def test_headers_that_urllib3_adds_are_recorded(capturing):
    """
    And those that the app leaves out are not.
    """
    session, inspector = capturing()
    with WireServer() as server:
        session.headers.clear()
        session.put(f"{server.url}/", data=iter([b"x"]))
        lines = server.take().partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    assert [f"{name}: {value}" for name, value in inspector.records[0].request_headers] == [
        line for line in lines if not line.startswith("Host:")
    ]


def test_each_hop_is_an_exchange_of_its_own(capturing):
    """
    With its own URL, status and time.
    """
    session, inspector = capturing()
    with Api() as server:
        session.get(server.url("/redirect/2"))
        assert [(record.url, record.status) for record in inspector.records] == [
            (server.url("/redirect/2"), 302),
            (server.url("/redirect/1"), 302),
            (server.url("/redirect/0"), 200),
        ]


@pytest.mark.parametrize("path", ["/status/500", "/status/204", "/chunked", "/broken-body"])
def test_the_peer_is_recorded_if_it_is_asked_for(api, capturing, path):
    """
    Its address and port, also where there is no body, or the connection ends with it.
    """
    session, inspector = capturing(capture=CapturePolicy(peer=True))
    session.get(api.url(path), stream=True).close()
    session, without = capturing()
    session.get(api.url(path), stream=True).close()
    assert inspector.records[0].peer == f"127.0.0.1:{api.port}"
    assert without.records[0].peer is None
