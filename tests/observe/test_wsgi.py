"""The endpoints over real HTTP, and who may see them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from support.receiver import status

from curl_interceptor import (
    BatchPolicy,
    BreakerPolicy,
    ConfigurationError,
    Pipeline,
    RetryPolicy,
    WebhookInspector,
    mount,
)
from curl_interceptor.observe.wsgi import PATHS, Endpoints, endpoints, prefers_openmetrics
from observe.health_rules import broken_rules

TOKEN = "a-token-of-32-characters-or-more"
LOCAL = {"REMOTE_ADDR": "127.0.0.1", "REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(app: Endpoints) -> Iterator[str]:
    """The callable behind a real server, with everything that WSGI asks for checked."""
    server = make_server("127.0.0.1", 0, validator(app), handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(base: str, path: str, method: str = "GET", **headers: str) -> requests.Response:
    with requests.Session() as plain:
        plain.trust_env = False
        return plain.request(method, base + path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def code(app: Endpoints, path: str = "/health", **environ: str) -> int:
    return int(app.reply({**LOCAL, "PATH_INFO": path, **environ}).status[:3])


def test_each_page_is_what_it_says(session, receiver, pipeline, api):
    """
    Over real HTTP: the probes, a health document by the rules, and metrics that the official parser reads.
    """
    mount(session, WebhookInspector(receiver.url("/hook"), label="team chat"), pipeline=pipeline)
    session.get(api.url("/status/500"))
    assert pipeline.flush()

    with served(endpoints(pipeline)) as base:
        for path in PATHS:
            for spelling in (path, path + "/"):
                answer = get(base, spelling)
                assert answer.status_code == 200, answer.text
                assert answer.headers["Cache-Control"] == "no-store"
        assert get(base, "/livez").json() == {"status": "pass"}
        health = get(base, "/health")
        assert health.headers["Content-Type"] == "application/health+json"
        assert broken_rules(health.json(), 200) == []
        names = [one["componentId"] for one in health.json()["checks"]["destination:responseTime"]]
        assert "team chat" in names
        metrics = get(base, "/metrics")
        assert metrics.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert 'deliveries_total{destination="team chat",outcome="delivered"} 1' in metrics.text
        assert list(parse_text(metrics.text))
        metrics = get(base, "/metrics", Accept="application/openmetrics-text; version=1.0.0; q=0.5, text/plain;q=0.3")
        assert metrics.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert list(parse_openmetrics(metrics.text))


def test_head_has_the_headers_and_no_body():
    """
    HEAD is answered as GET is, without the body.
    """
    with served(endpoints()) as base:
        for path in PATHS:
            answer = get(base, path, "HEAD")
            assert (answer.status_code, answer.content) == (200, b"")
            assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "X"])
def test_other_methods_are_refused(method):
    """
    Nothing can be changed here, and the answer says what is possible.
    """
    reply = endpoints().reply({**LOCAL, "PATH_INFO": "/metrics", "REQUEST_METHOD": method})

    assert reply.status.startswith("405")
    assert ("Allow", "GET, HEAD") in reply.headers


@pytest.mark.parametrize("path", ["", "/", "/health/x", "/Health", "/x/health", "//health", "/livez/../metrics", "/m"])
def test_other_paths_are_not_there(path):
    """
    There are four pages, and no way around their names.
    """
    assert code(endpoints(), path) == 404


def test_where_it_is_mounted_is_not_its_business():
    """
    The prefix stands in SCRIPT_NAME, as WSGI has it.
    """
    assert code(endpoints(), "/livez", SCRIPT_NAME="/internal/curl") == 200
    assert code(endpoints(), "/internal/livez") == 404


def test_a_webhook_in_trouble_takes_no_app_out_of_rotation(session, receiver, pipeline, api):
    """
    It is a warning with 200 on every page; only who asks for it gets 503, and on /health alone.
    """
    receiver.script("/hook", [], then=status(500))
    hook = WebhookInspector(
        receiver.url("/hook"),
        retry=RetryPolicy(retries=0),
        breaker=BreakerPolicy(failures=1, open_for=60),
        batch=BatchPolicy(size=1, seconds=0.01),
    )
    mount(session, hook, pipeline=pipeline)
    session.get(api.url("/status/500"))
    receiver.wait(1)
    assert not pipeline.flush(0.3)

    lenient, strict = endpoints(pipeline), endpoints(pipeline, strict=True)
    document = json.loads(lenient.reply({**LOCAL, "PATH_INFO": "/health"}).body)
    assert document["status"] == "warn"
    assert broken_rules(document, 200) == []
    assert [code(lenient, path) for path in PATHS] == [200, 200, 200, 200]
    assert [code(strict, path) for path in PATHS] == [200, 200, 503, 200]
    document = json.loads(strict.reply({**LOCAL, "PATH_INFO": "/health"}).body)
    assert broken_rules(document, 503) == []
    assert json.loads(lenient.reply({**LOCAL, "PATH_INFO": "/readyz"}).body)["status"] == "warn"


def test_no_page_shows_a_webhooks_url(session, receiver, pipeline, api):
    """
    Neither the path nor the query of a webhook, nor a caller's URL, is on any page.
    """
    mount(session, WebhookInspector(receiver.url("/T0/s3cret-path?key=s3cret-key")), pipeline=pipeline)
    session.get(api.url("/status/500?card=s3cret-card"))
    assert pipeline.flush()

    for path in PATHS:
        body = endpoints(pipeline).reply({**LOCAL, "PATH_INFO": path}).body.decode()
        assert "s3cret" not in body
        assert "://" not in body


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "127.8.9.1"}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, 200),
        ({"HTTP_HOST": "localhost:8000"}, 200),
        ({"HTTP_HOST": "[::1]:8000"}, 200),
        ({"HTTP_HOST": "127.0.0.1"}, 200),
        # From elsewhere, or from nowhere.
        ({"REMOTE_ADDR": "10.0.0.7"}, 403),
        ({"REMOTE_ADDR": "::ffff:10.0.0.7"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
        ({"REMOTE_ADDR": "localhost"}, 403),
        # Passed on by a proxy on this machine, and each way of telling.
        ({"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 403),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ({"HTTP_X_FORWARDED_FOR": ""}, 403),
        ({"HTTP_FORWARDED": "for=203.0.113.9"}, 403),
        ({"HTTP_X_REAL_IP": "203.0.113.9"}, 403),
        ({"HTTP_X_FORWARDED_PROTO": "https"}, 403),
        ({"HTTP_VIA": "1.1 proxy"}, 403),
        ({"HTTP_CF_CONNECTING_IP": "203.0.113.9"}, 403),
        ({"HTTP_HOST": "www.example.com"}, 403),
        ({"HTTP_HOST": "localhost.example.com"}, 403),
        ({"HTTP_HOST": "127.0.0.1.example.com"}, 403),
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, 403),
        # A token nobody asked for proves nothing.
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "}, 403),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer None"}, 403),
    ],
)
def test_without_a_token_only_this_machine_sees_it(environ, expected):
    """
    Loopback without a trace of a proxy, and nobody else, on every page.
    """
    assert {code(endpoints(), path, **environ) for path in PATHS} == {expected}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer   {TOKEN} ", 200),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer", 401),
        ("Bearer é\xff", 401),
        ("", 401),
        (None, 401),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", ""])
def test_with_a_token_whoever_sends_it_sees_it(header, expected, address):
    """
    The token decides, wherever the request is from: behind a proxy everything is from loopback.
    """
    environ = {"REMOTE_ADDR": address, **({} if header is None else {"HTTP_AUTHORIZATION": header})}
    app = endpoints(token=TOKEN)

    assert {code(app, path, **environ) for path in PATHS} == {expected}
    if expected == 401:
        reply = app.reply({**LOCAL, "PATH_INFO": "/health", **environ})
        assert ("WWW-Authenticate", "Bearer") in reply.headers
        assert TOKEN not in reply.body.decode()


def test_public_pages_are_public_and_no_others():
    """
    Probes of an orchestrator come from elsewhere and send no token.
    """
    app = endpoints(token=TOKEN, public=("/livez", "/readyz"))

    assert [code(app, path, REMOTE_ADDR="10.0.0.7") for path in PATHS] == [200, 200, 401, 401]


def test_the_token_is_shown_nowhere():
    """
    Neither the callable nor an error of its construction repeats the token.
    """
    assert TOKEN not in repr(endpoints(token=TOKEN)) + repr(endpoints(token=TOKEN)._access)
    with pytest.raises(ConfigurationError) as caught:
        endpoints(token=f"{TOKEN} and more")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"token": ""},
        {"token": " "},
        {"token": "two words"},
        {"token": "é"},
        {"token": "a\nb"},
        {"token": b"bytes"},
        {"token": 7},
        {"public": "/livez"},
        {"public": ["/nonsense"]},
        {"public": [["/livez"]]},
        {"public": 7},
        {"strict": 1},
        {"hosts": "no"},
    ],
)
def test_impossible_values_are_refused_at_construction(options):
    """
    Loud at construction, with the name of what was wrong.
    """
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        endpoints(**options)
    with pytest.raises(ConfigurationError, match="sources"):
        endpoints("https://hooks.example.com/T0/s3cret")  # type: ignore[arg-type]


def test_figures_of_several_sources_are_added_up_once_each(receiver):
    """
    The process's own pipeline is always there; one that is given twice, or by two adapters, counts once.
    """
    one, two = Pipeline(), Pipeline()
    with requests.Session() as session:
        first = mount(session, receiver.url("/hook"), None, pipeline=one)
    with requests.Session() as session:
        second = mount(session, receiver.url("/other"), None, None, pipeline=one)

    body = endpoints(first, second, one, two).reply({**LOCAL, "PATH_INFO": "/metrics"}).body.decode()
    figures = dict(line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
    default = endpoints().reply({**LOCAL, "PATH_INFO": "/metrics"}).body.decode()
    figures_of_default = dict(line.rsplit(" ", 1) for line in default.splitlines() if not line.startswith("#"))
    off, capacity = "curl_interceptor_inspectors_off", "curl_interceptor_queue_capacity"
    assert int(figures[off]) - int(figures_of_default[off]) == 3
    assert int(figures[capacity]) - int(figures_of_default[capacity]) == 20_000


def test_the_process_s_own_pipeline_is_not_made_by_looking(monkeypatch):
    """
    Who looks before anything is captured sees zeros, and what is off; a later adapter may still say its numbers.
    """
    monkeypatch.setattr("curl_interceptor.delivery.pipeline._default", None)
    adapter = mount(requests.Session(), None)

    body = endpoints().reply({**LOCAL, "PATH_INFO": "/health"}).body.decode()
    assert "inspectors or fallbacks that are off" in body
    assert adapter.stats().off == 1
    import curl_interceptor.delivery.pipeline as module

    assert module._default is None


def test_hosts_can_be_left_out(session, receiver, pipeline, api):
    """
    Who does not want to tell whom the app calls says so.
    """
    mount(session, receiver.url("/hook"), pipeline=pipeline)
    session.get(api.url("/status/200"))

    assert b"app_calls_total{" in endpoints(pipeline).reply({**LOCAL, "PATH_INFO": "/metrics"}).body
    assert b"app_calls_total{" not in endpoints(pipeline, hosts=False).reply({**LOCAL, "PATH_INFO": "/metrics"}).body


def test_a_source_that_raises_is_a_500_without_details(caplog):
    """
    A mistake below answers 500, says nothing of itself outside, and is logged once; /livez does not look.
    """

    class Broken:
        def stats(self):
            raise RuntimeError("s3cret")

    app = endpoints(Broken())  # type: ignore[arg-type]
    for _ in range(3):
        reply = app.reply({**LOCAL, "PATH_INFO": "/health"})
        assert reply.status.startswith("500")
        assert b"s3cret" not in reply.body
    assert code(app, "/livez") == 200
    assert len([message for message in caplog.messages if "RuntimeError" in message]) == 1
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0", True),
        ("application/openmetrics-text; version=1.0.0; q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", True),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.1, text/plain", False),
        ("application/openmetrics-text;q=nonsense", False),
        ("application/openmetrics-text;q=inf", False),
        (",;,=;q=,", False),
    ],
)
def test_openmetrics_is_given_to_who_prefers_it(accept, expected):
    """
    By the qualities of `Accept`, and only in the version that is written.
    """
    assert prefers_openmetrics(accept) is expected


def test_http_1_0_over_a_socket_is_taken_for_a_proxy():
    """
    What speaks HTTP/1.0 to a server on this machine is an old reverse proxy, and others stand behind it.
    """
    with served(endpoints()) as base:
        port = int(base.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            assert answer.status == 403
            answer.read()


def test_a_token_that_was_given_without_its_name_is_refused_and_not_shown():
    """
    The message ends up in a log; it says how to write it.
    """
    with pytest.raises(ConfigurationError, match="token=") as caught:
        endpoints("s3cr3t-token")
    assert "s3cr3t" not in str(caught.value)
