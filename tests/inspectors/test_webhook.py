"""The generic webhook: the forms of its documents, how large they get, templates, headers and signatures."""

from __future__ import annotations

import base64
import hmac
import json
import re
from itertools import count

import pytest
from support.hostile_records import RECORDS, record
from support.receiver import status
from support.services import strings

import curl_interceptor
from curl_interceptor import BatchPolicy, ConfigurationError, RetryPolicy, WebhookInspector, render
from curl_interceptor.inspectors.document import document

URL = "https://hooks.example.com/x"
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode("ascii")
MANY = [record(id=f"id-{number}") for number in range(5)]


def body(inspector, entries):
    (payload,) = inspector.payloads(entries)
    return payload.body.decode("utf-8")


# Forms.


def test_json_is_an_object_or_an_array():
    """
    One record is an object, several are an array in their order.
    """
    inspector = WebhookInspector(URL)
    assert json.loads(body(inspector, MANY[:1])) == document(MANY[0])
    assert json.loads(body(inspector, MANY)) == [document(one) for one in MANY]


def test_ndjson_has_one_object_a_line():
    """
    Each line is a document, and each ends with a newline.
    """
    (payload,) = WebhookInspector(URL, format="ndjson").payloads(MANY)
    lines = payload.body.decode("utf-8").split("\n")
    assert payload.content_type == "application/x-ndjson"
    assert [json.loads(line) for line in lines[:-1]] == [document(one) for one in MANY]
    assert lines[-1] == ""


def check_event(event):
    """Hold an event against CloudEvents 1.0: required attributes, their types, and names of lower-case letters."""
    assert event["specversion"] == "1.0"
    assert all(isinstance(event[name], str) and event[name] for name in ("id", "source", "type"))
    assert all(name.isascii() and name.isalnum() and name.islower() for name in event)
    assert isinstance(event.get("subject", "x"), str)
    assert event.get("subject", "x")
    if "time" in event:
        assert event["time"].endswith("+00:00")
        assert "T" in event["time"]


@pytest.mark.parametrize("entry", RECORDS.values(), ids=RECORDS)
def test_cloudevents_go_one_a_post(entry):
    """
    Whatever the record, the event has all that CloudEvents asks for, and an id by which a repeat is known.
    """
    inspector = WebhookInspector(URL, format="cloudevents", max_bytes=10_000_000)
    payloads = inspector.payloads([entry, entry])
    assert [payload.content_type for payload in payloads] == ["application/cloudevents+json"] * 2
    event = json.loads(payloads[0].body)
    check_event(event)
    assert event["id"] == entry.id
    assert event["data"] == document(entry)


def test_cloudevents_go_in_batches_where_the_receiver_asked_for_them():
    """
    A batch is an array of events, also of one.
    """
    (payload,) = WebhookInspector(URL, format="cloudevents-batch").payloads(MANY)
    assert payload.content_type == "application/cloudevents-batch+json"
    events = json.loads(payload.body)
    assert [event["id"] for event in events] == [one.id for one in MANY]
    (alone,) = json.loads(body(WebhookInspector(URL, format="cloudevents-batch"), MANY[:1]))
    check_event(alone)


# Size.


@pytest.mark.parametrize("format", ["json", "ndjson", "cloudevents", "cloudevents-batch"])
def test_no_post_is_larger_than_was_said(format):
    """
    Many records go in several posts, each entry in exactly one, and none is over the bound.
    """
    entries = [
        *RECORDS.values(),
        *(record(request_body=b"\xff" * size, id=f"big-{size}") for size in (4_000, 9_000, 300_000)),
    ]
    payloads = WebhookInspector(URL, format=format, max_bytes=20_000).payloads(entries)
    assert max(len(payload.body) for payload in payloads) <= 20_000
    assert [entry.id for payload in payloads for entry in payload.entries] == [entry.id for entry in entries]


def test_a_record_that_is_too_large_says_so():
    """
    It goes without bodies; and where its command is too long even so, a comment stands for it.
    """
    large = record(request_body=b"x" * 30_000, request_body_size=30_000)
    found = json.loads(body(WebhookInspector(URL, max_bytes=40_000), [large]))
    assert "request" not in found
    assert found["curl"] == render(large)
    found = json.loads(body(WebhookInspector(URL, max_bytes=20_000), [large]))
    assert found["curl"].startswith("# not runnable")
    assert found["id"] == large.id


# Templates.


def test_a_template_says_what_is_posted():
    """
    Whatever JSON the callable returns is posted; the plain form, asked for after a refusal, is the usual document.
    """
    inspector = WebhookInspector(URL, template=lambda record: {"text": f"{record.status}: {render(record)}"})
    assert json.loads(body(inspector, MANY[:1])) == {"text": f"{MANY[0].status}: {render(MANY[0])}"}
    (plain,) = inspector.payloads(MANY[:1], plain=True)
    assert json.loads(plain.body)["id"] == MANY[0].id


@pytest.mark.parametrize("template", [lambda record: 1 / 0, lambda record: {1, 2}, lambda record: float("nan")])
def test_where_a_template_fails_the_usual_document_goes(session, pipeline, receiver, api, template):
    """
    One that raises, or returns what is no JSON, costs nothing but its own form.
    """
    hook = WebhookInspector(receiver.url("/hook"), template=template, batch=BatchPolicy(1, 0))
    curl_interceptor.mount(session, hook, pipeline=pipeline)
    session.get(api.url("/status/500"))
    assert pipeline.flush(5)
    (posted,) = receiver.bodies("/hook")
    assert json.loads(posted)["status"] == 500
    (lane,) = pipeline.stats().inspectors
    assert lane.delivered == 1
    assert "payloads() raised" in (lane.last_error or "")
    assert pipeline.stats().errors == {"payloads": 1}


def test_half_a_letter_of_a_template_is_replaced():
    """
    JSON that no UTF-8 can hold would be refused by strict receivers; what only looks like that stays.
    """
    said = {"lone": "a\ud800b\udc00", "whole": "😀", "escaped": "\\ud800 \\\\ud800", "both": "\\\ud800"}
    inspector = WebhookInspector(URL, template=lambda record: said)
    found = json.loads(body(inspector, MANY[:1]))

    assert found == {**said, "lone": "a\ufffdb\ufffd", "both": "\\\ufffd"}


# Headers and signatures.


def test_a_signature_is_that_of_standard_webhooks():
    """
    The receiver can verify id, time and body with the secret, and nothing else of it is told.
    """
    (payload,) = WebhookInspector(URL, secret=SECRET, headers={"X-Team": "red"}).payloads(MANY)
    headers = dict(payload.headers)
    assert headers["X-Team"] == "red"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + payload.body
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, "sha256").digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"].isdigit()
    assert SECRET not in repr(strings(headers))


def test_a_retry_has_the_same_id_and_a_fresh_signature(session, pipeline, receiver, api, monkeypatch):
    """
    Receivers know a repeat by its id, and refuse what was signed long ago.
    """
    clock = count(1_700_000_000, 10)
    monkeypatch.setattr("curl_interceptor.inspectors.webhook.time.time", lambda: next(clock))
    receiver.script("/hook", [status(503), status(503)])
    hook = WebhookInspector(receiver.url("/hook"), secret=SECRET, batch=BatchPolicy(1, 0), retry=RetryPolicy(3, 0.01))
    curl_interceptor.mount(session, hook, pipeline=pipeline)
    session.get(api.url("/status/500"))
    posts = receiver.wait(3)
    headers = [{name.lower(): value for name, value in post.headers.items()} for post in posts]
    assert len({found["webhook-id"] for found in headers}) == 1
    assert len({found["webhook-timestamp"] for found in headers}) == 3
    assert len({found["webhook-signature"] for found in headers}) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "xml"}, "format must be one of json, ndjson"),
        ({"format": None}, "format must be one of"),
        ({"template": "text"}, "template must be callable"),
        ({"template": lambda: 1}, "template must take one argument, a record"),
        ({"secret": "hush"}, "must be a text that begins with 'whsec_'"),
        ({"secret": "whsec_hush!"}, "secret is no base64"),
        ({"secret": "whsec_aHVzaA=="}, "secret has 4 bytes"),
        ({"headers": ["X"]}, "headers must be a mapping"),
        ({"headers": {"X y": "1"}}, "a name must be letters"),
        ({"headers": {"X-Key": "hush\r\nX: 1"}}, "the value of X-Key must be printable ASCII"),
        ({"max_bytes": 100}, "max_bytes must be a whole number of bytes from 10,000 to"),
        ({"max_bytes": float("nan")}, "max_bytes must be"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, said):
    """
    The message names the keyword and the remedy, and repeats nothing that may be secret.
    """
    with pytest.raises(ConfigurationError, match=re.escape(said)) as caught:
        WebhookInspector(URL, **options)
    assert "hush" not in str(caught.value)
