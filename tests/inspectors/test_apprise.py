"""Apprise: real deliveries by the real package, to a receiver on the loopback interface."""

from __future__ import annotations

import html
import json
import logging
import re
import sys
import threading
import time

import pytest
import requests
from support.hostile_records import BASE, RECORDS
from support.process import run
from support.receiver import hang, status

from curl_interceptor import (
    AppriseInspector,
    BatchPolicy,
    ConfigurationError,
    CurlInterceptor,
    DeadEndpoint,
    Match,
    RetryPolicy,
    Throttled,
    Transient,
    mount,
)
from curl_interceptor.cli import main
from curl_interceptor.delivery.apprise import AppriseTransport
from curl_interceptor.dialects import render
from curl_interceptor.policies import TransportPolicy

# Apprise imports all its plugins at once, some of which use what Python is about to remove.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECRET = "s3cr3tPart4711"
# Services by what they take: Markdown, HTML, text, and texts of a telephone.
URLS = {
    "markdown": "json://127.0.0.1/?format=markdown",
    "html": "mailtos://user:pass@example.com?format=html",
    "text": "gotify://example.com/token",
    "short": "sns://AHIAJGNT76XIMXDBIJYA/bu1dHSdO22pfaaVy/wmNsdjkf82j/us-east-1/+18005551223",
}


@pytest.fixture(autouse=True)
def _needs_apprise(request):
    if "without" not in request.node.name:
        pytest.importorskip("apprise")


def url(receiver, more=""):
    return f"json://127.0.0.1:{receiver.port}/hook/{SECRET}{more}"


def post(receiver, timeout=5.0):
    """Deliver as a worker does, and ask for the verdict."""
    inspector = AppriseInspector(url(receiver))
    transport = AppriseTransport(inspector.address, TransportPolicy())
    inspector.verdict(transport.post(inspector.payloads([BASE])[0], timeout))


def test_without_apprise_the_extra_is_named(monkeypatch):
    """
    At construction, and not at the import of this library.
    """
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'curl-interceptor[apprise]'")):
        AppriseInspector("ntfy://example.com/alerts")


@pytest.mark.parametrize("given", [None, "", " ", 7, "no url", f"bogus://{SECRET}", f"gotify://{SECRET}"])
def test_a_url_that_apprise_cannot_read_is_refused_without_repeating_it(given, caplog):
    """
    Neither the error nor a log line of Apprise tells it.
    """
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError) as refused:
        AppriseInspector(given)
    assert SECRET not in str(refused.value) + caplog.text


def test_a_call_that_failed_arrives(api, receiver, session, pipeline):
    """
    Through the whole of it: title, type and message as Apprise posts them.
    """
    adapter = mount(session, AppriseInspector(url(receiver)), pipeline=pipeline)
    session.get(api.url("/status/503"))

    assert adapter.flush(10)
    (request,) = receiver.requests
    document = json.loads(request.body)
    assert (document["title"], document["type"]) == ("503 Service Unavailable", "failure")
    assert "GET 127.0.0.1" in document["message"]
    assert "\ncurl " in document["message"]
    assert adapter.stats().inspectors[0].delivered == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (status(500), Transient),
        (status(404), DeadEndpoint),
        (status(410), DeadEndpoint),
        (status(429), Throttled),
    ],
)
def test_its_no_is_judged_by_the_status_that_it_tells(receiver, reply, error):
    """
    As for every other service.
    """
    receiver.default = reply
    with pytest.raises(error):
        post(receiver)


def test_where_nobody_listens_it_is_tried_again(receiver):
    """
    A no without a status.
    """
    inspector = AppriseInspector("json://127.0.0.1:1/x")
    transport = AppriseTransport(inspector.address, TransportPolicy())
    with pytest.raises(Transient, match="Apprise could not deliver it"):
        inspector.verdict(transport.post(inspector.payloads([BASE])[0], 5))


def test_a_service_that_hangs_costs_one_deadline_and_one_thread(receiver):
    """
    While the first attempt has not come back, no other one begins.
    """
    receiver.default = hang()
    inspector = AppriseInspector(url(receiver))
    transport = AppriseTransport(inspector.address, TransportPolicy())
    (payload,) = inspector.payloads([BASE])
    inspector._service.socket_read_timeout = 60
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(Transient):
            transport.post(payload, 0.2)

    assert time.monotonic() - began < 4
    assert sum(thread.name == "curl-interceptor-apprise" for thread in threading.enumerate()) <= 1


def test_its_own_requests_are_not_captured(api, receiver, session, pipeline, monkeypatch):
    """
    Not even where every session of the process captures everything.
    """
    inspector = AppriseInspector(url(receiver), batch=BatchPolicy(1, 0), rate_limit=None)
    everything = Match(statuses=range(100, 600), errors=True)

    def adapter():
        return CurlInterceptor(inspectors=[inspector], match=everything, pipeline=pipeline)

    monkeypatch.setattr(requests.sessions, "HTTPAdapter", adapter)
    with requests.Session() as watched:
        watched.get(api.url("/status/503"))
    receiver.wait(1)
    pipeline.flush(5)
    time.sleep(0.2)

    assert len(receiver.requests) == 1
    assert pipeline.stats().accepted == 1


def test_its_url_is_nowhere(api, receiver, session, pipeline, caplog):
    """
    Neither in names, payloads and errors, nor in what Apprise and urllib3 log at their most talkative.
    """
    for name in ("", "apprise", "urllib3", "curl_interceptor"):
        caplog.set_level(logging.DEBUG, name)
    receiver.script(f"/hook/{SECRET}", [status(500)], then=status(200))
    now = BatchPolicy(1, 0)
    inspector = AppriseInspector(url(receiver), retry=RetryPolicy(retries=1, wait=0.05), rate_limit=None, batch=now)
    adapter = mount(session, inspector, pipeline=pipeline)
    session.get(api.url("/status/503"))
    ends = time.monotonic() + 5
    while adapter.stats().delivered < 1 and time.monotonic() < ends:
        time.sleep(0.05)

    assert adapter.stats().delivered == 1
    payload = inspector.payloads([BASE])[0]
    said = [caplog.text, repr(inspector), inspector.label, inspector.address, repr(payload), repr(adapter.stats())]
    assert SECRET not in "".join(said)
    assert SECRET.encode() not in payload.body


def test_what_others_log_by_these_loggers_is_seen(caplog):
    """
    An app that uses Apprise itself loses none of its lines.
    """
    AppriseInspector("json://127.0.0.1/x")
    caplog.set_level(logging.INFO)
    logging.getLogger("apprise").warning("of the app")

    assert "of the app" in caplog.text


@pytest.mark.parametrize("form", URLS)
@pytest.mark.parametrize("plain", [False, True])
def test_no_message_is_longer_than_the_service_takes(form, plain):
    """
    Title and body together, for every record, alone and in a batch.
    """
    inspector = AppriseInspector(URLS[form])
    service = inspector._service
    for payload in inspector.payloads([*RECORDS.values()], plain=plain):
        document = json.loads(payload.body)
        assert document["format"] == ("text" if form == "short" else form)
        assert len(document["title"]) <= max(service.title_maxlen, 0)
        assert len(document["title"] + document["body"]) <= service.body_maxlen
        assert document["body"].strip()


@pytest.mark.parametrize("form", ["markdown", "html", "text"])
def test_the_command_is_whole_in_every_form(form):
    """
    As a reader copies it: between fences, out of the rendered page, or as a line.
    """
    (payload,) = AppriseInspector(URLS[form]).payloads([BASE])
    body = json.loads(payload.body)["body"]
    if form == "html":
        body = html.unescape(re.sub("</?pre>", "\n", body))

    assert render(BASE) in body.split("\n")


@pytest.mark.parametrize("given", ["ntfy://example.com/alerts", "json://127.0.0.1/x"])
def test_the_pauses_of_apprise_are_those_of_the_lane(given):
    """
    Nothing sleeps in a worker.
    """
    inspector = AppriseInspector(given)
    pause = type(inspector._service).request_rate_per_sec

    assert inspector._service.request_rate_per_sec == 0
    assert (inspector.defaults["rate_limit"].seconds if pause else 0) == pause


def test_a_service_that_hangs_does_not_hold_the_end_of_the_process(api, receiver):
    """
    The process ends within its time, well, and without a word.
    """
    receiver.default = hang()
    script = """
        import atexit, time, warnings
        warnings.simplefilter("ignore")
        import requests
        from curl_interceptor import AppriseInspector, mount

        inspector = AppriseInspector(hook)
        began = time.monotonic()
        atexit.register(lambda: print(time.monotonic() - began))  # the first one, so the last to run
        session = requests.Session()
        mount(session, inspector)
        session.get(url)
    """
    ended = run(script, timeout=60, url=api.url("/status/503"), hook=url(receiver))

    assert (ended.status, ended.err) == (0, "")
    assert float(ended.out) < 3.5
    assert len(receiver.requests) == 1


def test_the_command_line_tries_it_out(receiver, capsys):
    """
    `test-webhook --service apprise` takes one of Apprise's URLs.
    """
    assert main(["test-webhook", "--service", "apprise", url(receiver)]) == 0
    assert len(receiver.requests) == 1
    receiver.default = status(404)
    assert main(["test-webhook", "--service", "apprise", url(receiver)]) == 1
    said = "".join(capsys.readouterr())
    assert "Not found (HTTP 404)" in said
    assert SECRET not in said
