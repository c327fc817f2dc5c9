"""Our own webhooks' addresses are secrets wherever they stand, however ordinary they look."""

from __future__ import annotations

from contextlib import suppress

import pytest
import requests

import curl_interceptor
from curl_interceptor import UNREDACTED, BatchPolicy, Redaction, WebhookInspector
from curl_interceptor.delivery.destination import plan_route
from curl_interceptor.records.exchange import Failure
from curl_interceptor.records.match import Match
from curl_interceptor.records.redaction import own, redact
from redaction.corpus import exchange

RULES = Redaction()


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(own, "_known", own._known.copy())
    for url in ("https://alerts.example.com/team/red", "http://in.example.com:8080/?room=blue"):
        plan_route([WebhookInspector(url)], match=Match(), redaction=RULES, options={})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://alerts.example.com/team/red", "https://alerts.example.com/REDACTED"),
        ("https://ALERTS.example.com:443/team/red/?wait=true#x", "https://alerts.example.com:443/REDACTED"),
        ("http://alerts.example.com/team/red?thread=1", "http://alerts.example.com/REDACTED"),
        ("http://in.example.com:8080/?room=blue", "http://in.example.com:8080/REDACTED"),
        ("https://alerts.example.com/team/blue", "https://alerts.example.com/team/blue"),
        ("https://other.example.com/team/red", "https://other.example.com/team/red"),
        ("http://in.example.com:8080/?room=red", "http://in.example.com:8080/?room=red"),
    ],
)
def test_a_call_to_a_webhook_of_ours_shows_its_host_only(url, shown):
    """
    The whole path and query is hidden, and those of its neighbours are not.
    """
    assert redact(exchange(url), RULES, id="1").url == shown


@pytest.mark.parametrize(
    "made",
    [
        exchange(headers=(("Referer", "https://alerts.example.com/team/red"),)),
        exchange(headers=(("X-Hook", "see https://alerts.example.com/team/red?a=1"),)),
        exchange(body='{"hooks": ["https://alerts.example.com/team/red"], "n": 1}'),
        exchange(body='{"hook": "https:\\/\\/alerts.example.com\\/team\\/red"}'),
        exchange(body="posting to https://alerts.example.com/team/red failed"),
        exchange(body="hook=https%3A%2F%2Falerts.example.com%2Fteam%2Fred&n=1"),
        exchange(body="<hook>https://alerts.example.com/team/red</hook>"),
        exchange(
            "https://alerts.example.com/team/red",
            failure=Failure("x.ConnectionError", "Max retries exceeded with url: /team/red (Caused by …)", ()),
        ),
    ],
)
def test_it_is_hidden_in_every_text(made):
    """
    Headers, bodies of any kind and messages of exceptions do not tell it.
    """
    record = redact(made, RULES, id="1")
    assert "team/red" not in repr(record)
    assert "team%2Fred" not in repr(record)
    assert r"team\\/red" not in repr(record)
    assert "alerts.example.com" in repr(record)


def test_without_redaction_it_is_shown():
    """
    UNREDACTED means that nothing is hidden.
    """
    made = exchange("https://alerts.example.com/team/red")
    assert redact(made, UNREDACTED, id="1").url == "https://alerts.example.com/team/red"


def test_another_adapter_captures_the_call_without_telling(session, pipeline, receiver):
    """
    An app that posts to our webhook by itself, which fails, does not put its address into the log.
    """
    hook = "http://127.0.0.1:1/an/ordinary/path"
    curl_interceptor.mount(requests.Session(), hook, pipeline=pipeline)
    curl_interceptor.mount(session, receiver.url("/hook"), pipeline=pipeline, batch=BatchPolicy(1, 0))
    with suppress(requests.ConnectionError):
        session.post(hook, json={"text": "hello"})
    assert pipeline.flush(5)
    (body,) = receiver.bodies("/hook")
    assert b"ordinary" not in body
    assert b"127.0.0.1" in body
