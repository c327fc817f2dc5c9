"""What an attempt to deliver promises, on real sockets."""

from __future__ import annotations

import contextlib
import errno
import gc
import http.client
import logging
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from support.receiver import (
    OK,
    Authority,
    Receiver,
    close,
    drip,
    drip_body,
    drip_head,
    endless,
    endless_1xx,
    garbage,
    hang,
    hang_before_reading,
    huge,
    raw,
    redirect,
    refused_url,
    reset,
    slow,
    status,
    truncated,
    tunnel,
)

from curl_interceptor.delivery import stream, tls, transport
from curl_interceptor.delivery.http import Target
from curl_interceptor.delivery.route import _proxy_for
from curl_interceptor.delivery.transport import HttpTransport, LoggerTransport, open_transport, register_scheme
from curl_interceptor.errors import BadPayload, ConfigurationError, Transient
from curl_interceptor.inspectors.base import Answer, Payload
from curl_interceptor.policies import TransportPolicy

SECRET = "s3cr3t-t0k3n"
BODY = b'{"secret": "b0dy-s3cr3t"}'
PLAIN = TransportPolicy(trust_env=False)
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle")


def payload(body=BODY, **more):
    return Payload((), body, "application/json", **more)


def answer_with(data, **more):
    """Return what a transport makes of an answer with these bytes."""
    with Receiver() as receiver:
        receiver.default = raw(data, **more)
        return open_transport(receiver.url(), PLAIN).post(payload(), 0.5)


def trouble(url, timeout=0.3, policy=PLAIN, sent=None, kind=Transient):
    """Return the error of an attempt, after a look at the promises that hold for each of them."""
    started = time.monotonic()
    with pytest.raises(kind) as caught:
        open_transport(url, policy).post(sent or payload(), timeout)
    assert time.monotonic() - started < timeout + 0.75
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    for secret in (SECRET, "b0dy", "://", "hook", "127.0.0.1", "localhost"):
        assert secret not in str(error)
    return str(error)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusting(authority):
    return TransportPolicy(ca_bundle=authority.bundle, trust_env=False)


class TestRequest:
    def test_payload_arrives_as_one_post(self, receiver):
        """
        Body, content type and extra headers of the payload arrive as they are.
        """
        sent = payload(headers=(("X-Id", "7"),))

        answer = open_transport(receiver.url("/hook?wait=true"), PLAIN).post(sent, 1)

        assert answer == Answer(200, {"content-type": "text/plain", "content-length": "2"}, b"ok", True)
        (request,) = receiver.requests
        assert (request.method, request.target, request.body) == ("POST", "/hook?wait=true", BODY)
        assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["x-id"] == "7"
        assert request.headers["accept-encoding"] == "identity"
        assert re.fullmatch(r"curl_interceptor/[\w.]+", request.headers["user-agent"])
        assert "authorization" not in request.headers

    def test_payload_header_replaces_ours_but_not_the_framing(self, receiver):
        """
        A payload may name another user agent; it cannot name another length or host.
        """
        sent = payload(
            headers=(
                ("user-agent", "mine"),
                ("Content-Length", "3"),
                ("Host", "elsewhere"),
                ("Transfer-Encoding", "chunked"),
                ("Connection", "close"),
            )
        )
        post = open_transport(receiver.url(), PLAIN)

        post.post(sent, 1)
        post.post(sent, 1)

        request = receiver.requests[1]
        assert request.body == BODY
        assert request.headers["user-agent"] == "mine"
        assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert receiver.accepted == 1

    @pytest.mark.parametrize("header", [("X-A", "1\r\nX-B: 2"), ("X-A\n", "1"), ("X", "\0")])
    def test_header_with_a_line_break_is_not_sent(self, receiver, header):
        """
        A value cannot smuggle a header in.
        """
        assert "line break" in trouble(receiver.url(), sent=payload(headers=(header,)), kind=BadPayload)
        assert receiver.requests == []

    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("", "/"),
            ("?a=1", "/?a=1"),
            ("/a%2Fb?c=%20#fragment", "/a%2Fb?c=%20"),
            ("/grün/日本?q=ü", "/gr%C3%BCn/%E6%97%A5%E6%9C%AC?q=%C3%BC"),
            ('/a b"<>{}|^`\\', "/a%20b%22%3C%3E%7B%7D%7C%5E%60%5C"),
            ("/bot1:AA-b_c~d/send!$&'()*+,;=:@", "/bot1:AA-b_c~d/send!$&'()*+,;=:@"),
            ("//double//slash", "//double//slash"),
        ],
    )
    def test_path_travels_percent_encoded(self, receiver, path, target):
        """
        What is encoded stays, what has to be is, and the fragment stays at home.
        """
        open_transport(receiver.url(path), PLAIN).post(payload(), 1)

        assert receiver.requests[0].target == target

    @pytest.mark.parametrize(
        ("userinfo", "value"),
        [("me:pass@", "Basic bWU6cGFzcw=="), ("me@", "Basic bWU6"), ("m%40e:p%3Aw@", "Basic bUBlOnA6dw==")],
    )
    def test_userinfo_becomes_basic_authorization(self, receiver, userinfo, value):
        """
        Name and password leave the URL for the header.
        """
        open_transport(receiver.url("/hook").replace("://", f"://{userinfo}"), PLAIN).post(payload(), 1)

        (request,) = receiver.requests
        assert request.headers["authorization"] == value
        assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert request.target == "/hook"

    def test_netrc_is_never_read(self, receiver, tmp_path, monkeypatch):
        """
        Deliveries carry no credentials that somebody keeps for other purposes.
        """
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

        open_transport(receiver.url(), TransportPolicy()).post(payload(), 1)

        assert "authorization" not in receiver.requests[0].headers

    def test_international_host_is_looked_up_by_its_ascii_name(self, receiver, monkeypatch):
        """
        Host header and look-up use the xn-- form.
        """
        asked = []

        def look_up(host, port, **options):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

        open_transport(receiver.url(host="bücher.example"), PLAIN).post(payload(), 1)

        assert asked == ["xn--bcher-kva.example"]
        assert receiver.requests[0].headers["host"] == f"xn--bcher-kva.example:{receiver.port}"

    def test_ipv6_host_keeps_its_brackets_in_the_host_header(self):
        """
        An address of IPv6 is connected to as it stands, on its scheme's port too.
        """
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("::1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            heads = []

            def serve():
                sock, _ = listener.accept()
                with sock:
                    heads.append(sock.recv(65_536))
                    sock.sendall(OK)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            answer = open_transport(f"http://[::1]:{port}/hook", PLAIN).post(payload(), 1)
            thread.join(5)

        assert answer.status == 200
        assert f"Host: [::1]:{port}\r\n".encode() in heads[0]

    def test_large_body_arrives_whole(self, receiver):
        """
        A body larger than all buffers is sent in pieces.
        """
        body = os.urandom(5_000_000)

        open_transport(receiver.url(), PLAIN).post(payload(body), 3)

        assert receiver.requests[0].body == body


class TestAnswer:
    @pytest.mark.parametrize("code", [200, 204, 304, 400, 404, 410, 413, 429, 500, 503, 999])
    def test_every_status_is_an_answer(self, receiver, code):
        """
        What a status means is the inspector's business.
        """
        receiver.script("/hook", then=status(code, headers={"Retry-After": "7", "X-Two": "a"}))
        post = open_transport(receiver.url("/hook"), PLAIN)

        answers = [post.post(payload(), 1), post.post(payload(), 1)]

        assert [answer.status for answer in answers] == [code, code]
        assert answers[0].headers["retry-after"] == "7"
        assert receiver.accepted == 1

    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    def test_redirect_is_not_followed(self, receiver, code):
        """
        Whatever a webhook points to, nothing goes there.
        """
        receiver.script("/hook", then=redirect(receiver.url("/internal"), code))

        answer = open_transport(receiver.url("/hook"), PLAIN).post(payload(), 1)

        assert answer.status == code
        assert [request.target for request in receiver.requests] == ["/hook"]

    def test_informational_answers_are_skipped(self):
        """
        100 to 103 announce the answer; they are not it.
        """
        early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

        assert answer_with(early + OK, keep=True).body == b"ok"

    @pytest.mark.parametrize(
        ("data", "body"),
        [
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n",
                b"abc",
            ),
            (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
            (b"HTTP/1.1 200\nContent-Length: 2\n\nok", b"ok"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", b"ok"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\n\tb\r\nnonsense\r\n\r\nok", b"ok"),
            (b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", b""),
        ],
    )
    def test_every_framing_is_understood(self, data, body):
        """
        Chunks, lengths, and bodies that end with the connection.
        """
        answer = answer_with(data)

        assert (answer.body, answer.complete) == (body, True)

    def test_repeated_and_folded_headers_are_joined(self):
        """
        Headers with the same name become one value.
        """
        answer = answer_with(b"HTTP/1.1 204 No\r\nX: a\r\nx:b\r\n c\r\nN\xe4me: \xfc\r\n\r\n")

        assert answer.headers == {"x": "a, b c", "näme": "ü"}

    @pytest.mark.parametrize("reply", [huge(200_000_000), huge(65_500), endless()])
    def test_answer_is_cut_at_64_kb(self, receiver, reply):
        """
        A huge answer is judged by what was read, and its connection is not used again.
        """
        receiver.script("/hook", [reply, status(204)])
        post = open_transport(receiver.url("/hook"), PLAIN)

        started = time.monotonic()
        answer = post.post(payload(), 10)

        assert time.monotonic() - started < 5
        assert (answer.status, answer.complete) == (200, False)
        assert 64_000 < len(answer.body) <= 65_536
        assert post.idle_since is None
        assert post.post(payload(), 1).status == 204
        assert receiver.accepted == 2

    def test_answer_below_64_kb_is_whole(self, receiver):
        """
        The limit counts the head as well; what fits is complete.
        """
        receiver.default = huge(65_000)

        answer = open_transport(receiver.url(), PLAIN).post(payload(), 1)

        assert (len(answer.body), answer.complete) == (65_000, True)

    def test_answer_given_before_the_request_was_read_counts(self, receiver):
        """
        Whoever says 413 and hangs up has said 413.
        """
        reply = status(413, headers={"Connection": "close"})
        receiver.default = type(reply)(lambda connection: reply.play(connection) and False, reads_body=False)

        answer = open_transport(receiver.url(), PLAIN).post(payload(b"x" * 8_000_000), 2)

        assert answer.status == 413

    @pytest.mark.parametrize(
        "data",
        [
            b"\x00\xff\x13 not HTTP\r\n\r\n",
            b"<html>HTTP/0.9</html>\n",
            b"HTTP/2 200 OK\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 two OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK" + b"x" * 70_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 5_000 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Cut",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\nab",
        ],
    )
    def test_absurd_answer_is_transient(self, receiver, data):
        """
        What is no answer is trouble, and leaves no connection behind.
        """
        receiver.default = raw(data)

        assert "answer" in trouble(receiver.url("/hook"))

    @pytest.mark.parametrize("reply", [truncated(), close(), reset(), garbage()])
    def test_broken_connection_is_transient_and_tried_once(self, receiver, reply):
        """
        On a fresh connection there is no second try.
        """
        receiver.default = reply

        assert trouble(receiver.url("/hook"))
        assert receiver.accepted == 1


class TestDeadline:
    @pytest.mark.parametrize(
        "reply",
        [
            hang(),
            drip_head(),
            drip_body(),
            drip(b"1\r\nx\r\n" * 1000, 0.02, before=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            drip(b"x" * 1000, 0.02, before=b"HTTP/1.1 200 OK\r\n\r\n"),
            endless(0.02),
            endless_1xx(0.02),
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", keep=True),
            slow(1.0),
        ],
    )
    def test_attempt_ends_at_its_deadline(self, receiver, reply):
        """
        Silence and dripping end in time; a 200 whose body is unfinished by then is no success.
        """
        receiver.default = reply

        started = time.monotonic()

        assert trouble(receiver.url("/hook"), 0.25) == "timed out after 0.25 s"
        assert time.monotonic() - started >= 0.24

    @pytest.mark.parametrize("kept", [False, True])
    def test_nothing_is_sent_after_the_deadline(self, receiver, kept):
        """
        A name look-up may have used all the time up; what is sent then would arrive and count as failed.
        """
        post = open_transport(receiver.url(), PLAIN)
        if kept:
            post.post(payload(), 1)

        for timeout in (0, -1):
            with pytest.raises(Transient, match="timed out"):
                post.post(payload(), timeout)

        time.sleep(0.05)
        assert len(receiver.requests) == kept

    def test_endless_informational_answers_end(self, receiver):
        """
        However fast they come, they end with the deadline or the bytes.
        """
        receiver.default = endless_1xx()

        assert trouble(receiver.url("/hook"), 0.4) in ("timed out after 0.4 s", "the head of the answer is too long")

    def test_receiver_that_does_not_read_is_cut(self):
        """
        Sending ends at the deadline too.
        """
        with Receiver(receive_buffer=8_192) as receiver:
            receiver.default = hang_before_reading()

            assert trouble(receiver.url(), 0.25, sent=payload(b"x" * 30_000_000)) == "timed out after 0.25 s"

    def test_handshake_is_cut(self, receiver):
        """
        A server that takes connections and never speaks TLS costs one deadline.
        """
        url = receiver.url("/hook").replace("http:", "https:")

        assert trouble(url, 0.25) == "timed out after 0.25 s"

    @pytest.mark.parametrize("reply", [hang(), drip_head(), drip_body()])
    def test_deadline_holds_under_tls(self, authority, trusting, reply):
        """
        TLS records that drip end in time as well.
        """
        with Receiver(tls=authority.server()) as receiver:
            receiver.default = reply

            assert trouble(receiver.url(), 0.3, trusting) == "timed out after 0.3 s"

    def test_deadline_holds_on_a_kept_connection(self, receiver):
        """
        Each attempt has a deadline of its own.
        """
        receiver.script("/", [status(), hang(), status()])
        post = open_transport(receiver.url(), PLAIN)
        post.post(payload(), 1)

        with pytest.raises(Transient, match=re.escape("timed out after 0.2 s")):
            post.post(payload(), 0.2)

        assert post.post(payload(), 1).status == 200
        assert len(receiver.requests) == 3

    def test_connecting_has_a_budget_of_its_own(self, full_listener):
        """
        An address that does not respond costs the connect time, not the whole attempt.
        """
        policy = TransportPolicy(connect=0.2, trust_env=False)

        started = time.monotonic()
        message = trouble(f"http://127.0.0.1:{full_listener}/hook", 5, policy)

        assert message == "connecting timed out after 0.2 s"
        assert time.monotonic() - started < 2.5

    def test_connecting_ends_at_the_deadline(self, full_listener):
        """
        What remains of the attempt caps the connect time.
        """
        assert trouble(f"http://127.0.0.1:{full_listener}/hook", 0.2) == "timed out after 0.2 s"

    def test_connect_time_is_shared_out_among_the_addresses(self, receiver, full_listener, monkeypatch):
        """
        A dead first address and a refusing second one leave time for the third.
        """
        ports = [full_listener, int(refused_url("").rpartition(":")[2]), receiver.port]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        policy = TransportPolicy(connect=1.5, trust_env=False)

        started = time.monotonic()
        answer = open_transport(receiver.url(), policy).post(payload(), 5)

        assert answer.status == 200
        assert 0.45 < time.monotonic() - started < 1.3

    @pytest.fixture
    def full_listener(self):
        """The port of a listener whose backlog is full: a further SYN gets no answer."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            crowd = [socket.socket() for _ in range(4)]
            for sock in crowd:
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
            time.sleep(0.05)
            yield listener.getsockname()[1]
            for sock in crowd:
                sock.close()


class TestTrouble:
    def test_refused_connection(self):
        """
        Nobody listens.
        """
        assert trouble(refused_url(f"/hook/{SECRET}")) == "ConnectionRefusedError"

    def test_unknown_host(self, monkeypatch):
        """
        The name is not repeated: it may be the secret.
        """

        def look_up(*_, **__):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

        assert trouble(f"http://{SECRET}.invalid/hook") == "name look-up failed: Name or service not known"

    @pytest.mark.parametrize("host", ["a" * 70 + ".example", "ü" * 70 + ".example", "a..example", "[::1", "a b"])
    def test_impossible_host(self, host):
        """
        A host that cannot be encoded is trouble like any other.
        """
        assert trouble(f"http://{host}/hook?{SECRET}", kind=(BadPayload, Transient))

    @pytest.mark.parametrize("url", ["ftp://example.com/hook", "nonsense", "http://", "http://example.com:99999/hook"])
    def test_impossible_posting_url(self, url):
        """
        A payload's own URL is checked as late as it comes.
        """
        assert (
            trouble("http://127.0.0.1/hook", sent=payload(url=url), kind=BadPayload) == "the posting URL cannot be used"
        )

    def test_sockets_that_others_replaced(self, monkeypatch):
        """
        Whatever a test's socket blocker raises becomes trouble too.
        """

        class Blocked(RuntimeError):
            pass

        def block(*_, **__):
            raise Blocked(f"A test tried to use http://127.0.0.1/{SECRET}")

        monkeypatch.setattr(socket, "socket", block)

        assert trouble(f"http://127.0.0.1/{SECRET}") == "Blocked"

    def test_unreachable_network(self, monkeypatch):
        """
        Where the class says nothing, the number's name does.
        """

        def block(*_, **__):
            raise OSError(errno.ENETUNREACH, "unreachable")

        monkeypatch.setattr(socket, "socket", block)

        assert trouble(f"http://127.0.0.1/{SECRET}") == "OSError: ENETUNREACH"

    def test_failed_attempt_pins_nothing(self, receiver):
        """
        Without the traceback, nothing that is left of a failed attempt holds on to the body.
        """
        receiver.default = reset()
        gc.collect()
        gc.disable()
        try:
            for url in (receiver.url(), refused_url(), receiver.url().replace("http:", "https:")):
                body = bytes(1000)
                before = sys.getrefcount(body)
                try:
                    open_transport(url, PLAIN).post(payload(body), 0.2)
                except Transient as error:
                    kept = error.with_traceback(None)
                assert kept
                assert sys.getrefcount(body) == before
        finally:
            gc.enable()


class TestReuse:
    def test_one_connection_serves_all_posts(self, receiver):
        """
        A connection is kept while answers are read to their end.
        """
        post = open_transport(receiver.url(), PLAIN)
        assert post.idle_since is None

        before = time.monotonic()
        for _ in range(5):
            post.post(payload(), 1)

        assert receiver.accepted == 1
        assert before <= post.idle_since <= time.monotonic()

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
            b"HTTP/1.1 204 No\r\n\r\nbody",
            b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    )
    def test_doubtful_connection_is_not_kept(self, receiver, data):
        """
        Whoever says close, or says more than the answer, gets a new connection.
        """
        receiver.default = raw(data, keep=True)
        post = open_transport(receiver.url(), PLAIN)

        post.post(payload(), 1)
        assert post.idle_since is None
        post.post(payload(), 1)

        assert receiver.accepted == 2

    def test_http_1_0_with_keep_alive_is_kept(self, receiver):
        """
        Older servers have to ask for it.
        """
        receiver.default = raw(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", keep=True)
        post = open_transport(receiver.url(), PLAIN)

        post.post(payload(), 1)
        post.post(payload(), 1)

        assert receiver.accepted == 1

    @pytest.mark.parametrize("secure", [False, True])
    def test_closed_connection_is_noticed_before_it_is_used(self, authority, trusting, secure):
        """
        A server that hung up meanwhile costs no attempt.
        """
        with Receiver(tls=authority.server() if secure else None) as receiver:
            post = open_transport(receiver.url(), trusting)
            post.post(payload(), 1)
            receiver.drop_connections()
            time.sleep(0.05)

            assert post.post(payload(), 1).status == 200
            assert (receiver.accepted, len(receiver.requests)) == (2, 2)

    @pytest.mark.parametrize("reply", [close(), reset()])
    @pytest.mark.parametrize("secure", [False, True])
    def test_kept_connection_that_dies_is_replaced_at_once(self, authority, trusting, reply, secure):
        """
        A kept connection that ends before the first byte of an answer is nobody's failure.
        """
        with Receiver(tls=authority.server() if secure else None) as receiver:
            receiver.script("/", [status(), reply, status(204)])
            post = open_transport(receiver.url(), trusting)

            assert post.post(payload(), 1).status == 200
            assert post.post(payload(), 1).status == 204
            assert (receiver.accepted, len(receiver.requests)) == (2, 3)

    @pytest.mark.parametrize("reply", [raw(b"HTTP"), raw(b"HTTP/1.1 100 Continue\r\n\r\n"), truncated()])
    def test_kept_connection_is_not_replaced_once_it_answers(self, receiver, reply):
        """
        After one byte of an answer the request may have been taken.
        """
        receiver.script("/", [status(), reply, status()])
        post = open_transport(receiver.url(), PLAIN)
        post.post(payload(), 1)

        with pytest.raises(Transient):
            post.post(payload(), 1)

        assert len(receiver.requests) == 2

    def test_replacement_happens_once(self, receiver):
        """
        Where the fresh connection dies too, the attempt has failed.
        """
        receiver.script("/", [status()], then=close())
        post = open_transport(receiver.url(), PLAIN)
        post.post(payload(), 1)

        with pytest.raises(Transient, match="closed without an answer"):
            post.post(payload(), 1)

        assert len(receiver.requests) == 3

    def test_posting_url_shares_the_connection_of_its_origin(self, receiver):
        """
        Another path is no reason for another connection; another origin is.
        """
        with Receiver() as other:
            post = open_transport(receiver.url("/hook"), PLAIN)
            post.post(payload(), 1)
            post.post(payload(url=receiver.url("/upload")), 1)
            post.post(payload(url=other.url("/far")), 1)
            post.post(payload(), 1)

            assert [request.target for request in receiver.requests] == ["/hook", "/upload", "/hook"]
            assert [request.target for request in other.requests] == ["/far"]
            assert (receiver.accepted, other.accepted) == (2, 1)

    def test_closing_is_idempotent_and_not_final(self, receiver):
        """
        After close the next post opens another connection.
        """
        post = open_transport(receiver.url(), PLAIN)
        post.close()
        post.post(payload(), 1)
        post.close()
        post.close()
        assert post.idle_since is None

        post.post(payload(), 1)

        assert receiver.accepted == 2

    def test_descriptors_above_1024(self, receiver):
        """
        Processes with many files deliver as well.
        """
        files = [os.dup(0) for _ in range(1100)]
        try:
            post = open_transport(receiver.url(), PLAIN)
            assert [post.post(payload(), 1).status for _ in range(2)] == [200, 200]
        finally:
            for file in files:
                os.close(file)

    def test_without_poll_select_will_do(self, receiver, monkeypatch):
        """
        Windows has no poll, and eventlet removes it.
        """
        monkeypatch.delattr(select, "poll")
        receiver.script("/", [status(), hang()])
        post = open_transport(receiver.url(), PLAIN)

        assert post.post(payload(), 1).status == 200
        with pytest.raises(Transient, match="timed out"):
            post.post(payload(), 0.2)


class TestDescriptors:
    REPLIES = (
        status(),
        close(),
        reset(),
        garbage(),
        truncated(),
        huge(200_000),
        redirect("http://127.0.0.1/"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokk"),
    )

    @pytest.mark.parametrize("secure", [False, True])
    def test_no_path_leaks_a_descriptor(self, authority, trusting, secure):
        """
        However an attempt ends, its socket is closed.
        """
        with Receiver(tls=authority.server() if secure else None) as receiver:
            urls = [receiver.url(), refused_url(), receiver.url().replace("http:", "https:")]
            open_transport(urls[0], trusting).post(payload(), 1)
            gc.collect()
            gc.disable()  # leaks that a garbage collector hides are leaks
            try:
                before = descriptors()
                for reply in [*self.REPLIES, hang(), drip_body()]:
                    receiver.default = reply
                    for url in urls:
                        self.post_twice(url, trusting)
                receiver.drop_connections()
                self.wait_for_descriptors(before)
            finally:
                gc.enable()

    def post_twice(self, url, policy):
        post = open_transport(url, policy)
        for _ in range(2):
            with contextlib.suppress(Transient):
                post.post(payload(), 0.05)
        post.close()

    def wait_for_descriptors(self, wanted):
        """The receiver's ends live in this process, too; they take a moment."""
        deadline = time.monotonic() + 20
        while descriptors() > wanted and time.monotonic() < deadline:
            time.sleep(0.01)
        assert descriptors() <= wanted

    def test_interrupted_attempt_closes_its_socket(self, receiver, monkeypatch):
        """
        An exit in the middle of an attempt passes, without leaving the socket behind.
        """
        closed = []
        monkeypatch.setattr(stream.SocketStream, "close", lambda self: closed.append(self._socket.close()))

        def interrupt(self, size):
            raise KeyboardInterrupt

        monkeypatch.setattr(stream.SocketStream, "receive", interrupt)

        with pytest.raises(KeyboardInterrupt):
            open_transport(receiver.url(), PLAIN).post(payload(), 1)

        assert closed == [None]


class TestTls:
    def test_trusted_certificate(self, authority, trusting):
        """
        A certificate of the named authority is good, by name and by address, and the connection is kept.
        """
        with Receiver(tls=authority.server()) as receiver:
            for host in ("localhost", "127.0.0.1"):
                post = open_transport(receiver.url("/hook", host=host), trusting)
                assert [post.post(payload(), 2).status for _ in range(3)] == [200, 200, 200]
            assert receiver.accepted == 2

    def test_unknown_authority(self, authority):
        """
        What certifi does not know is not trusted.
        """
        with Receiver(tls=authority.server()) as receiver:
            message = trouble(receiver.url(f"/{SECRET}"), 1)

            assert message == "TLS: certificate verify failed: unable to get local issuer certificate"
            assert receiver.requests == []

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    def test_certificate_for_another_host(self, authority, trusting, host):
        """
        The name in the certificate counts; the message does not repeat ours.
        """
        with Receiver(tls=authority.server("elsewhere.example")) as receiver:
            message = trouble(receiver.url(f"/{SECRET}", host=host), 1, trusting)

            assert re.fullmatch("TLS: certificate verify failed: (Hostname|IP address) mismatch", message)
            assert receiver.requests == []

    def test_server_that_speaks_no_tls(self, receiver):
        """
        A plain answer to a handshake is trouble.
        """
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()

            def serve():
                sock, _ = listener.accept()
                with sock:
                    sock.recv(1000)
                    sock.sendall(OK)

            threading.Thread(target=serve, daemon=True).start()
            message = trouble(f"https://127.0.0.1:{listener.getsockname()[1]}/hook", 1)

        assert re.fullmatch("TLS: (wrong version number|record layer failure|.*)", message)

    def test_large_bodies_pass_both_ways(self, authority, trusting):
        """
        Many records in one request and in one answer.
        """
        body = os.urandom(2_000_000)
        with Receiver(tls=authority.server()) as receiver:
            receiver.default = huge(60_000)
            answer = open_transport(receiver.url(), trusting).post(payload(body), 3)

            assert len(answer.body) == 60_000
            assert receiver.requests[0].body == body

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_bundle_of_the_environment(self, authority, monkeypatch, name):
        """
        The environment may name a file, where it may speak at all.
        """
        monkeypatch.setenv(name, authority.bundle)
        with Receiver(tls=authority.server()) as receiver:
            assert open_transport(receiver.url(), TransportPolicy()).post(payload(), 2).status == 200
            assert "verify failed" in trouble(receiver.url(), 1, PLAIN)

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl's program makes the hash")
    def test_directory_of_certificates(self, authority, tmp_path, monkeypatch):
        """
        The environment may name a directory of hashed certificates.
        """
        text = Path(authority.bundle).read_text()
        hashed = subprocess.run(
            ["openssl", "x509", "-hash", "-noout"], input=text, capture_output=True, text=True, check=False
        )
        assert hashed.returncode == 0
        (tmp_path / f"{hashed.stdout.strip()}.0").write_text(text)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
        with Receiver(tls=authority.server()) as receiver:
            assert open_transport(receiver.url(), TransportPolicy()).post(payload(), 2).status == 200

    def test_missing_bundle(self, monkeypatch, tmp_path):
        """
        A bundle that is gone is named as such, without a connection.
        """
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / SECRET))

        assert trouble("https://127.0.0.1:1/hook", policy=TransportPolicy()) == (
            "TLS: the CA bundle cannot be loaded: FileNotFoundError"
        )

    def test_one_context_for_each_source(self, authority, trusting, monkeypatch):
        """
        Workers that need it at the same moment make it once; a forked child begins anew.
        """
        made = []
        make = tls._make

        def slow_make(bundle):
            made.append(bundle)
            time.sleep(0.05)
            return make(bundle)

        monkeypatch.setattr(tls, "_make", slow_make)
        tls.forget_after_fork()

        threads = [threading.Thread(target=tls.context_for, args=[trusting]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [authority.bundle]

        transport.forget_after_fork()
        tls.context_for(trusting)
        assert len(made) == 2

    def test_forgetting_takes_no_lock(self, trusting, monkeypatch):
        """
        A thread that was making a context when the process forked does not hold the child up.
        """
        entered, leave = threading.Event(), threading.Event()
        make = tls._make

        def stuck(bundle):
            entered.set()
            leave.wait(5)
            return make(bundle)

        monkeypatch.setattr(tls, "_make", stuck)
        tls.forget_after_fork()
        thread = threading.Thread(target=tls.context_for, args=[trusting])
        thread.start()
        entered.wait(5)
        monkeypatch.setattr(tls, "_make", make)

        tls.forget_after_fork()
        assert tls.context_for(trusting)

        leave.set()
        thread.join(5)


class TestProxy:
    @pytest.fixture
    def proxy(self):
        with Receiver() as proxy:
            yield proxy

    def test_http_goes_through_in_absolute_form(self, proxy):
        """
        A proxy gets the whole URL, without userinfo, and its own credentials.
        """
        policy = TransportPolicy(proxy=f"http://us%40er:pw@127.0.0.1:{proxy.port}")
        post = open_transport("http://me:mine@hooks.example:8080/hook?a=1#f", policy)

        assert [post.post(payload(), 1).status for _ in range(2)] == [200, 200]

        request = proxy.requests[1]
        assert request.target == "http://hooks.example:8080/hook?a=1"
        assert request.headers["host"] == "hooks.example:8080"
        assert request.headers["authorization"] == "Basic bWU6bWluZQ=="
        assert request.headers["proxy-authorization"] == "Basic dXNAZXI6cHc="
        assert request.body == BODY
        assert proxy.accepted == 1

    def test_https_goes_through_a_tunnel(self, proxy, authority, trusting):
        """
        A proxy sees host and port of an https webhook and no more; TLS is with the webhook.
        """
        proxy.default = tunnel()
        with Receiver(tls=authority.server()) as receiver:
            policy = TransportPolicy(proxy=f"http://user:pw@127.0.0.1:{proxy.port}", ca_bundle=authority.bundle)
            post = open_transport(receiver.url("/hook"), policy)

            assert [post.post(payload(), 2).status for _ in range(2)] == [200, 200]

            (connect,) = proxy.requests
            assert (connect.method, connect.target) == ("CONNECT", f"127.0.0.1:{receiver.port}")
            assert connect.headers["proxy-authorization"] == "Basic dXNlcjpwdw=="
            assert "proxy-authorization" not in receiver.requests[0].headers
            assert receiver.accepted == 1
            post.close()

    @pytest.mark.parametrize("secure", [False, True])
    def test_proxy_that_speaks_tls(self, authority, secure):
        """
        An https proxy works for both; for an https webhook TLS runs within TLS.
        """
        with Receiver(tls=authority.server()) as proxy, Receiver(tls=authority.server()) as receiver:
            if secure:
                proxy.default = tunnel()
            policy = TransportPolicy(proxy=f"https://localhost:{proxy.port}", ca_bundle=authority.bundle)
            post = open_transport(receiver.url("/hook") if secure else "http://hooks.example/hook", policy)

            assert [post.post(payload(), 2).status for _ in range(2)] == [200, 200]
            assert len(receiver.requests) == (2 if secure else 0)
            assert proxy.accepted == 1
            post.close()

    @pytest.mark.parametrize(
        ("reply", "message"),
        [
            (status(407), "the proxy refuses the tunnel: HTTP 407"),
            (status(502), "the proxy refuses the tunnel: HTTP 502"),
            (garbage(), "the answer is not HTTP/1.1"),
            (close(), "closed without an answer"),
            (hang(), "timed out after 0.3 s"),
            (drip_head(), "timed out after 0.3 s"),
        ],
    )
    def test_tunnel_that_fails(self, proxy, reply, message):
        """
        Building the tunnel belongs to the attempt and ends with it.
        """
        proxy.default = reply
        policy = TransportPolicy(proxy=f"http://user:{SECRET}@127.0.0.1:{proxy.port}")

        assert trouble("https://hooks.example/hook", policy=policy) == message

    def test_proxy_that_wants_credentials_is_not_the_webhook_s_fault(self, proxy):
        """
        A 407 says nothing about the webhook.
        """
        proxy.default = status(407)
        policy = TransportPolicy(proxy=f"http://127.0.0.1:{proxy.port}")

        assert "407" in trouble("http://hooks.example/hook", policy=policy)

    @pytest.mark.parametrize("value", ["http://127.0.0.1:{}", "127.0.0.1:{}"])
    def test_environment_names_a_proxy(self, proxy, monkeypatch, value):
        """
        The environment is obeyed, exceptions included, where it may speak.
        """
        monkeypatch.setenv("http_proxy", value.format(proxy.port))
        with Receiver() as receiver:
            url = receiver.url("/hook")
            open_transport(url, TransportPolicy()).post(payload(), 1)
            assert proxy.requests[0].target == url
            assert receiver.requests == []

            open_transport(url, PLAIN).post(payload(), 1)
            assert len(receiver.requests) == 1

            monkeypatch.setenv("no_proxy", "127.0.0.1")
            open_transport(url, TransportPolicy()).post(payload(), 1)
            assert len(receiver.requests) == 2

    def test_policy_wins_over_the_environment(self, proxy, monkeypatch):
        """
        A proxy that is named is used.
        """
        monkeypatch.setenv("http_proxy", refused_url(""))
        policy = TransportPolicy(proxy=f"http://127.0.0.1:{proxy.port}")

        assert open_transport("http://hooks.example/hook", policy).post(payload(), 1).status == 200

    @pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
    def test_socks_proxy_is_refused_in_clear_words(self, monkeypatch, scheme):
        """
        Somebody reads this message and has to know what to do.
        """
        monkeypatch.setenv("all_proxy", f"{scheme}://user:{SECRET}@127.0.0.1:1")

        with pytest.raises(Transient, match=r"SOCKS proxies are not supported.*NO_PROXY") as caught:
            open_transport("http://hooks.example/hook", TransportPolicy()).post(payload(), 1)
        assert SECRET not in str(caught.value)


class TestSolitude:
    def test_mocks_and_patches_of_requests_do_not_see_deliveries(self, receiver, monkeypatch):
        """
        While `responses` is active and sessions are patched, deliveries go where they go, unrecorded.
        """
        responses = pytest.importorskip("responses")

        def fail(*_, **__):
            raise AssertionError("a delivery came by here")

        monkeypatch.setattr(requests.Session, "send", fail)
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", fail)
        for name in ("request", "putrequest", "putheader", "endheaders", "send", "connect", "getresponse"):
            monkeypatch.setattr(http.client.HTTPConnection, name, fail)
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            assert open_transport(receiver.url(), PLAIN).post(payload(), 1).status == 200
            assert len(mock.calls) == 0

    def test_values_on_the_way_show_nothing(self):
        """
        Error trackers print the variables of each frame.
        """
        policy = TransportPolicy(proxy=f"http://user:{SECRET}@127.0.0.1:1")
        target = Target.of(f"https://me:{SECRET}@hooks.example/{SECRET}")
        values = [target, _proxy_for(target, policy), open_transport(f"http://hooks.example/{SECRET}", PLAIN)]

        assert SECRET not in repr(values)

    def test_nothing_is_logged(self, receiver, caplog):
        """
        At level DEBUG too, nobody's logger says where we post.
        """
        caplog.set_level(logging.DEBUG)
        receiver.script("/hook", [status(), status(503), reset()])
        post = open_transport(receiver.url("/hook"), PLAIN)

        for _ in range(3):
            with contextlib.suppress(Transient):
                post.post(payload(), 1)

        assert caplog.records == []

    def test_attempts_import_nothing(self, authority):
        """
        Everything is imported up front, and importing starts no thread.
        """
        script = """
import sys, threading
from curl_interceptor.delivery.http import Target
from curl_interceptor.delivery.route import _proxy_for
from curl_interceptor.delivery.transport import open_transport
from curl_interceptor.inspectors.base import Payload
from curl_interceptor.policies import TransportPolicy
assert threading.active_count() == 1
before = set(sys.modules)
for url in sys.argv[2:]:
    try:
        open_transport(url, TransportPolicy(ca_bundle=sys.argv[1])).post(Payload((), b"{}", "text/plain"), 1)
    except Exception as error:
        print(type(error).__name__, error)
print(sorted(set(sys.modules) - before))
"""
        with Receiver(tls=authority.server()) as receiver:
            urls = [receiver.url(), refused_url(), "http://bücher.invalid/", "https://me:pw@[::1]:1/ü"]
            ran = subprocess.run(
                [sys.executable, "-c", script, authority.bundle, *urls], capture_output=True, text=True, check=True
            )

        assert ran.stdout.splitlines()[-1] == "[]"
        assert ran.stderr == ""


class TestSchemes:
    def test_scheme_chooses_the_transport(self):
        """
        Schemes are read without regard to case.
        """
        assert isinstance(open_transport("HTTPS://hooks.example/", PLAIN), HttpTransport)
        assert isinstance(open_transport("http://hooks.example/", PLAIN), HttpTransport)
        assert isinstance(open_transport("logging:calls:30", PLAIN), LoggerTransport)

    def test_unknown_scheme_is_said_at_once(self):
        """
        The message names the scheme and not the address.
        """
        with pytest.raises(ConfigurationError, match="'gopher'") as caught:
            open_transport(f"gopher://{SECRET}", PLAIN)
        assert SECRET not in str(caught.value)

    def test_schemes_can_be_added(self, monkeypatch):
        """
        A factory serves the addresses of its scheme.
        """
        monkeypatch.setattr(transport, "_factories", dict(transport._factories))
        made = []
        register_scheme("Memory", lambda address, policy: made.append((address, policy)))

        open_transport("memory:box", PLAIN)

        assert made == [("memory:box", PLAIN)]

    def test_logger_gets_one_line(self, caplog):
        """
        A payload for a logger is one record at its level.
        """
        caplog.set_level(logging.INFO, "my.calls")
        post = open_transport("logging:my.calls:20", PLAIN)

        answer = post.post(Payload((), "curl 'ü' %s".encode(), "text/plain"), 1)
        open_transport("logging:my.calls:30", PLAIN).post(Payload((), b"\xff", "text/plain"), 1)
        post.close()

        assert answer == Answer(200, {})
        assert post.idle_since is None
        assert caplog.record_tuples == [("my.calls", 20, "curl 'ü' %s"), ("my.calls", 30, "\\xff")]

    def test_logger_that_raises_is_transient(self):
        """
        A filter's exception is trouble like any other, and its text stays inside.
        """

        def filter(record):
            raise ValueError(SECRET)

        logger = logging.getLogger("my.broken")
        logger.addFilter(filter)

        with pytest.raises(Transient, match=r"^ValueError$") as caught:
            open_transport("logging:my.broken:30", PLAIN).post(payload(), 1)
        assert caught.value.__context__ is None
