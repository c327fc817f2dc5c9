"""Capture without requests: a pool manager that is urllib3's own in everything but what it captures."""

from __future__ import annotations

import copy
import gc
import io
import re
import subprocess
import weakref

import pytest
import urllib3
from support import receiver as replies
from support.side_by_side import Tape, attempt
from support.wire import WireServer, compare
from urllib3.util import Retry, Timeout

from curl_interceptor import (
    UNREDACTED,
    CapturePolicy,
    CapturePoolManager,
    CaptureProxyManager,
    ConfigurationError,
    Match,
    testing,
)

EVERYTHING = Match(statuses="100-599", errors=True)


@pytest.fixture
def make(pipeline):
    """A manager that captures everything, and where it goes."""

    def manager(kind=CapturePoolManager, *args, **options):
        inspector = testing.RecordingInspector()
        options = {"match": EVERYTHING, "cooldown": None, "pipeline": pipeline, **options}
        return kind(*args, inspectors=inspector, **options), inspector

    return manager


def _streamed(manager, server):
    response = manager.request("GET", server.url("/"), preload_content=False)
    seen = [response.read(1), response.read1(1) if hasattr(response, "read1") else b"k", response.status]
    response.release_conn()
    return seen, type(response)


def _dropped(manager, server):
    manager.request("GET", server.url("/"), preload_content=False).close()
    return manager.request("GET", server.url("/")).data


CALLS = {
    "a GET": lambda manager, server: manager.request("GET", server.url("/?a=zw\u00f6lf#x")).data,
    "fields": lambda manager, server: manager.request("GET", server.url("/"), fields={"a": "b c"}).data,
    "a form": lambda manager, server: manager.request("POST", server.url("/"), fields={"a": "b"}).status,
    "JSON": lambda manager, server: manager.request("POST", server.url("/"), json={"a": 1}).status,
    "bytes": lambda manager, server: manager.request("PUT", server.url("/"), body=b"abc").status,
    "text": lambda manager, server: manager.request("PUT", server.url("/"), body="abc").status,
    "no body": lambda manager, server: manager.request("POST", server.url("/")).status,
    "a file": lambda manager, server: manager.request("PUT", server.url("/"), body=io.BytesIO(b"abc")).status,
    "a generator": lambda manager, server: manager.request("PUT", server.url("/"), body=iter([b"a", "b"])).status,
    "chunks of bytes": lambda manager, server: manager.request("PUT", server.url("/"), body=b"ab", chunked=True).status,
    "a length": lambda manager, server: (
        manager.request("PUT", server.url("/"), body=iter([b"a", b"b"]), headers={"Content-Length": "2"}).status
    ),
    "a redirect": lambda manager, server: (
        server.script("/a", [replies.redirect("/b", 303)]),
        manager.request("POST", server.url("/a"), body=io.BytesIO(b"abc")).geturl(),
    ),
    "a redirect with a body": lambda manager, server: (
        server.script("/a", [replies.redirect("/b", 307)]),
        manager.request("POST", server.url("/a"), body=io.BytesIO(b"abc")).geturl(),
    ),
    "too many redirects": lambda manager, server: (
        server.script("/a", then=replies.redirect("/a")),
        manager.request("GET", server.url("/a"), retries=Retry(redirect=2)),
    ),
    "retries": lambda manager, server: (
        server.script("/a", [replies.status(503), replies.reset()]),
        manager.request(
            "PUT", server.url("/a"), body=io.BytesIO(b"abc"), retries=Retry(3, status_forcelist=[503])
        ).data,
    ),
    "a stream": _streamed,
    "a dropped stream": _dropped,
    "a broken body": lambda manager, server: (
        server.script("/", [replies.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")]),
        manager.request("GET", server.url("/"), retries=False),
    ),
    "refused": lambda manager, server: manager.request("GET", replies.refused_url(), retries=1),
    "a timeout": lambda manager, server: (
        server.script("/", [replies.hang()]),
        manager.request("GET", server.url("/"), timeout=Timeout(read=0.1), retries=False),
    ),
    "a URL without a host": lambda manager, server: manager.request("GET", "http:///x"),
    "a body that is none": lambda manager, server: manager.request("PUT", server.url("/"), body=5),
    "a HEAD": lambda manager, server: manager.request("HEAD", server.url("/")).headers["Content-Length"],
}


@pytest.mark.parametrize("name", CALLS)
def test_everything_is_as_with_urllib3s_own(make, caplog, name):
    """
    The same bytes on the wire, the same answers and exceptions.
    """
    caplog.set_level("CRITICAL", logger="urllib3")
    manager, inspector = make(headers={"X-A": "1"})
    seen = []
    for one in (urllib3.PoolManager(headers={"X-A": "1"}), manager):
        with Tape() as server:
            result = repr(attempt(CALLS[name], one, server))
            one.clear()
            server.settle()
            result = re.sub(r"0x[0-9a-f]+|[0-9a-f]{32}", "?", f"{result} {server.tape} {server.accepted}")
            seen.append(result.replace(str(server.port), "PORT"))
    assert seen[1] == seen[0]
    assert bool(inspector.records) is (name != "a URL without a host")


@pytest.mark.parametrize(
    "options",
    [
        {"method": "GET"},
        {"method": "POST"},
        {"method": "POST", "body": b"abc"},
        {"method": "POST", "body": "zw\u00f6lf"},
        {"method": "PUT", "body": b"ab", "chunked": True},
        {"method": "PUT", "body": b"ab", "headers": {"Transfer-Encoding": "chunked"}},
        {"method": "PUT", "json": {"a": 1}},
        {"method": "PUT", "fields": {"a": "b"}},
        {"method": "GET", "headers": {"User-Agent": urllib3.util.SKIP_HEADER, "accept-encoding": "gzip"}},
    ],
    ids=str,
)
def test_the_command_sends_the_same_bytes(make, options):
    """
    With the length or the chunks that urllib3 made of the body.
    """
    manager, inspector = make(redaction=UNREDACTED)
    with WireServer() as server:
        manager.request(url=f"{server.url}/a/../b?x=[1]&y=z%20#end", **options)
        sent = server.take()
        (command,) = inspector.commands
        subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=20)
        verdict = compare(sent, server.take())
        assert verdict, f"{verdict}\n{command}"


def test_a_stream_is_framed_as_urllib3_frames_it(make):
    """
    Without a length in chunks.
    """
    manager, inspector = make()
    with Tape() as server:
        manager.request("PUT", server.url("/"), body=iter([b"a", b"b"]))
        manager.request("PUT", server.url("/"), body=io.BytesIO(b"ab"), headers={"Content-Length": "2"})
    facts = [(record.chunked, record.request_body, record.request_body_size) for record in inspector.records]
    assert facts == [(True, b"ab", 2), (False, b"ab", 2)]


def test_each_hop_is_an_exchange_and_each_attempt_a_fact(make):
    """
    Redirects one by one, urllib3's own retries by their reasons.
    """
    manager, inspector = make()
    with Tape() as server:
        server.script("/a", [replies.status(503), replies.redirect("/b", 307)])
        manager.request("PUT", server.url("/a"), body=io.BytesIO(b"abc"), retries=Retry(3, status_forcelist=[503]))
        first, second = inspector.records
        assert (first.status, first.retried, first.request_body) == (307, ("503",), b"abc")
        # A pool manager does not rewind, so that the second one has nothing left to send.
        assert (second.url, second.status, second.request_body) == (server.url("/b"), 200, b"")


def test_a_failure_has_the_exception_that_the_app_got(make):
    """
    urllib3's own, not what requests makes of it.
    """
    manager, inspector = make()
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        manager.request("GET", replies.refused_url(), retries=1)
    with Tape() as server:
        server.script("/", [replies.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")])
        with pytest.raises(urllib3.exceptions.ProtocolError):
            manager.request("GET", server.url("/"), preload_content=False).read()
    refused, broken = inspector.records
    assert refused.error == "urllib3.exceptions.MaxRetryError"
    assert refused.retried == ("NewConnectionError",)
    assert (broken.status, broken.response_body_state) == (200, "broken")
    assert broken.error.startswith("urllib3.exceptions.")


@pytest.mark.parametrize("secure", [False, True], ids=["forwarded", "tunnelled"])
def test_a_proxy_manager_captures_too(make, tmp_path, secure):
    """
    With the proxy's own headers where it gets the request itself.
    """
    authority = replies.Authority(tmp_path)
    with Tape(tls=authority.server()) as far, Tape() as proxy:
        manager, inspector = make(
            CaptureProxyManager, proxy.url(""), proxy_headers={"Proxy-Authorization": "Basic c2VjcmV0"},
            ca_certs=authority.bundle,
        )  # fmt: skip
        if secure:
            proxy.default = replies.tunnel()
        url = far.url("/x") if secure else "http://far.example.com/x"
        assert manager.request("POST", url, body=iter([b"abc"]), timeout=5).status == 200
        manager.clear()
    (record,) = inspector.records
    assert (record.url, record.request_body) == (url, b"abc")
    assert record.proxies == ((url.partition(":")[0], f"http://127.0.0.1:{proxy.port}/"),)
    assert ("Proxy-Authorization" in dict(record.request_headers)) is not secure
    assert "c2VjcmV0" not in str(record)
    assert record.verify == (authority.bundle if secure else True)


@pytest.mark.parametrize(
    ("options", "verify"),
    [({"cert_reqs": "CERT_NONE"}, False), ({"ssl_context": "unverified"}, False), ({"ca_certs": "bundle"}, "bundle")],
    ids=["no verification", "a context", "a bundle"],
)
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_how_the_connection_was_made_is_recorded(make, tmp_path, options, verify):
    """
    Verification and authority, as a command needs them.
    """
    authority = replies.Authority(tmp_path)
    if "ssl_context" in options:
        options = {"ssl_context": urllib3.util.create_urllib3_context(cert_reqs=0)}
    if "ca_certs" in options:
        options, verify = {"ca_certs": authority.bundle}, authority.bundle
    manager, inspector = make(capture=CapturePolicy(peer=True), timeout=Timeout(connect=3, read=4), **options)
    with Tape(tls=authority.server()) as server:
        manager.request("GET", server.url("/"), preload_content=False).drain_conn()
        manager.clear()
    (record,) = inspector.records
    assert record.verify == verify
    assert record.timeout == (3, 4)
    assert record.peer == f"127.0.0.1:{server.port}"


def test_its_pools_are_urllib3s_own_and_so_is_what_is_kept():
    """
    A pool that is taken out is plain, always the same, and dies with the manager.
    """
    manager = CapturePoolManager(inspectors=testing.RecordingInspector())
    with Tape() as server:
        pool = manager.connection_from_url(server.url("/"))
        response = manager.request("GET", server.url("/"), preload_content=False)
        assert type(pool) is urllib3.HTTPConnectionPool
        assert manager.connection_from_url(server.url("/")) is pool
        assert response._pool is pool
        assert response.data == b"ok"
        kept = [weakref.ref(pool), weakref.ref(manager)]
        del pool, response, manager
        gc.collect()
        assert [ref() for ref in kept] == [None, None]


def test_an_exception_leads_to_the_pool_itself():
    """
    Not to what stood in for it, also where the pool manager gives up by itself.
    """
    manager = CapturePoolManager(inspectors=testing.RecordingInspector())
    with Tape() as server:
        server.script("/", then=replies.redirect("/"))
        with pytest.raises(urllib3.exceptions.MaxRetryError) as caught:
            manager.request("GET", server.url("/"), retries=Retry(redirect=1))
        assert caught.value.pool is manager.connection_from_url(server.url("/"))
        manager.clear()


@pytest.mark.parametrize("streamed", [False, True])
def test_an_open_stream_keeps_no_body_that_was_sent(make, streamed):
    """
    Its head is told if the stream breaks, and the rest of it was let go.
    """

    class Body(bytearray):
        pass

    manager, inspector = make(match=Match(), capture=CapturePolicy(request_body=5))
    with Tape() as server:
        server.script("/", [replies.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")])
        body = io.BytesIO(b"0123456789") if streamed else Body(b"0123456789")
        response = manager.request("PUT", server.url("/"), body=body, preload_content=False)
        kept = weakref.ref(body)
        del body
        assert kept() is None
        with pytest.raises(urllib3.exceptions.ProtocolError):
            response.read()
        manager.clear()
    (record,) = inspector.records
    assert (record.request_body, record.request_body_state, record.request_body_size) == (b"01234", "cut", 10)
    assert record.chunked is streamed


def test_its_keywords_are_checked():
    """
    Ours by us, urllib3's by their names.
    """
    manager = CapturePoolManager(3, {"X-A": "1"}, retries=5, timeout=3.0, maxsize=4, inspectors="http://x/hook")
    assert manager.connection_pool_kw["maxsize"] == 4
    with pytest.raises(TypeError, match="did you mean 'cooldown'"):
        CapturePoolManager(cooldwon=None)
    with pytest.raises(ConfigurationError, match="say inspectors="):
        CapturePoolManager("http://x/hook")
    with pytest.raises(ConfigurationError, match="RetryPolicy"):
        CapturePoolManager(retry=3)


def test_a_disabled_one_is_plain_and_a_copy_captures(make):
    """
    As with adapters.
    """
    manager, inspector = make()
    off, nothing = make(enabled=False)
    with Tape() as server:
        off.request("GET", server.url("/"))
        copy.copy(manager).request("GET", server.url("/"))
        off.clear()
        manager.clear()
    assert off.stats().accepted == 0
    assert nothing.records == []
    assert len(inspector.records) == 1
