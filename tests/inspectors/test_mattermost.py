"""Mattermost: what its inspector takes, how its messages look, what its answers mean, and how it fares on sockets."""

from __future__ import annotations

import json
import time

import pytest
from support.hostile_records import RECORDS, record
from support.receiver import status
from support.services import first_cut
from support.services.mattermost import check, commands, make

import curl_interceptor
from curl_interceptor import (
    Answer,
    BadPayload,
    BatchPolicy,
    ConfigurationError,
    DeadEndpoint,
    Match,
    MattermostInspector,
    Throttled,
    Transient,
    WebhookInspector,
)
from curl_interceptor.inspectors.recognise import inspector_for

URL = "https://chat.example.com/hooks/xyz"


# What is given.


def test_a_url_of_ones_own_server_is_taken_by_hand_only():
    """
    Mattermost has no host of its own, so a bare URL is the generic webhook's.
    """
    assert type(inspector_for(URL)) is WebhookInspector
    assert MattermostInspector(f"{URL}?a=1").payloads([record()])[0].url == f"{URL}?a=1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channel": ""}, "channel"),
        ({"channel": "Town Square"}, "channel must be the name of a channel as its URL has it"),
        ({"channel": 5}, "channel"),
        ({"username": " "}, "username"),
        ({"username": "x" * 65}, "username"),
        ({"username": "a\nb"}, "username"),
        ({"icon_url": "owl.png"}, "icon_url"),
        ({"icon_url": "https://x/" + "y" * 1_024}, "icon_url"),
        ({"icon_emoji": "an owl"}, "icon_emoji"),
        ({"icon_emoji": 5}, "icon_emoji"),
        ({"icon_emoji": "owl", "icon_url": "https://x/y"}, "icon_url and icon_emoji"),
    ],
)
def test_a_value_that_cannot_work_is_refused(options, words):
    """
    At construction, in words that name it.
    """
    with pytest.raises(ConfigurationError, match=words):
        make(**options)


def test_a_channel_has_a_lane_of_its_own():
    """
    Two channels of a webhook are two lanes, which post to the same URL.
    """
    ops, dev = MattermostInspector(URL, channel="ops"), MattermostInspector(URL, channel="@dev")

    assert len({ops.address, dev.address, MattermostInspector(URL).address}) == 3
    for plain in (False, True):
        (payload,) = dev.payloads([record()], plain=plain)
        assert payload.url == URL
        assert json.loads(payload.body)["channel"] == "@dev"


# The look.


def document_of(*entries, plain=False, **options):
    (payload,) = make(**options).payloads(entries, plain=plain)
    check(payload)
    return json.loads(payload.body)


def test_a_message_says_it_all():
    """
    Status, request, command, facts, origin and response, each of others in code.
    """
    lines = document_of(RECORDS["labels of the app"])["text"].split("\n")

    assert lines[:3] == ["#### 🔴 503 Service Unavailable", "`POST api.example.com/v1/payments`", "```sh"]
    assert lines[3].startswith("curl ")
    assert lines[4:] == [
        "```",
        "**Took** `1,234 ms`",
        "**Size** `16 B sent, 28 B received`",
        "**When** `2024-05-01 14:02:07 UTC`",
        "`checkout · live · web-3 · request id 8f3a`",
        "**Response**",
        "```json",
        "{",
        '  "error": "try again later"',
        "}",
        "```",
    ]


def test_what_the_server_would_rewrite_is_said_in_other_words():
    """
    It replaces what is meant for Slack, in code as well: commands would not be those of the call.
    """
    said = b'<a> <!here> <https://example.com|x> it\'s </a> 1 < 2 | 3 <b c="d|e"> <x|'
    entry = record(sent=said, received=said)
    document = document_of(entry)
    (command,) = commands(make().payloads([entry])[0])

    less = "'$(printf '\\074')'"
    assert command.count(less) == 4
    assert command.replace(less, "<") == curl_interceptor.render(entry)
    assert (
        '<a> \u2039!here> \u2039https://example.com|x> it\'s </a> 1 \u2039 2 | 3 \u2039b c="d|e"> <x|'
        in document["text"]
    )


def test_looking_for_what_is_rewritten_takes_no_time_to_speak_of():
    """
    Bodies made of nothing but beginnings of links are read once, not once for each.
    """
    for said in (b"<a|" * 60_000, b"<" * 180_000, b"a" * 180_000, b"<a" * 90_000 + b"|>"):
        began = time.process_time()
        make().payloads([record(sent=said, received=said)])
        assert time.process_time() - began < 1


def test_a_batch_is_one_message_while_it_fits():
    """
    16,383 characters, which the server would cut blindly.
    """
    payloads = make().payloads([record(sent=b"x" * 3_000)] * 12)

    assert [len(payload.entries) for payload in payloads] == [2, 2, 2, 2, 2, 2]
    assert all(10_900 < len(json.loads(payload.body)["text"]) <= 16_383 for payload in payloads)


def test_a_command_of_any_length_around_the_limit_is_whole_or_says_that_it_is_not():
    """
    Whole as long as there is room for it; without its body after that.
    """
    assert first_cut("mattermost", range(15_500, 16_400, 30)) > 15_500


def test_the_sender_is_left_out_of_the_plain_form():
    """
    Name and picture as given; what could have been refused is left out.
    """
    options = {"username": " Night watch ", "icon_emoji": ":owl:"}
    document = document_of(record(), **options)
    assert (document["username"], document["icon_emoji"]) == ("Night watch", "owl")
    assert document_of(record(), icon_url="https://x/a.png")["icon_url"] == "https://x/a.png"

    plain = document_of(record(), plain=True, **options)
    assert set(plain) == {"text"}
    assert plain["text"].startswith("```\n503 Service Unavailable · POST api.example.com/v1/payments\nTook: 1,234 ms")


# The answers.


def answer(code, name=None, **headers):
    body = b"ok" if name is None else json.dumps({"id": name, "message": "x", "status_code": code}).encode()
    return Answer(code, {key.replace("_", "-"): value for key, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (answer(400, "web.incoming_webhook.invalid.app_error"), DeadEndpoint, "HTTP 400 (unknown webhook)"),
        (answer(501, "web.incoming_webhook.disabled.app_error"), DeadEndpoint, "HTTP 501 (incoming webhooks are s"),
        (answer(403, "web.incoming_webhook.channel_locked.app_error"), DeadEndpoint, "HTTP 403 (the webhook may only"),
        (answer(404, "web.incoming_webhook.channel.app_error"), DeadEndpoint, "HTTP 404 (unknown channel)"),
        (answer(400, "web.incoming_webhook.parse.app_error"), BadPayload, "HTTP 400"),
        (answer(400, ["web"]), BadPayload, "HTTP 400"),
        (answer(413, "x"), BadPayload, "HTTP 413"),
        (answer(500, "api.post.create_webhook_post.creating.app_error"), Transient, "HTTP 500"),
        (answer(302), DeadEndpoint, "HTTP 302"),
        (Answer(200, {}, b"<!doctype html>"), DeadEndpoint, "HTTP 200, but with a page where Mattermost says 'ok'"),
    ],
)  # fmt: skip
def test_refusals_have_their_reason(given, kind, words):
    """
    Status 400 may be this message's fault, or that of all: the name of the error tells.
    """
    with pytest.raises(kind) as caught:
        make().verdict(given)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(words)


def test_waits_are_understood():
    """
    Of `Retry-After` and the time until the limit is free again, the longer one.
    """
    for headers, wait in (({"retry_after": "2", "x_ratelimit_reset": "7"}, 7), ({"retry_after": "2"}, 2), ({}, None)):
        with pytest.raises(Throttled) as caught:
            make().verdict(answer(429, **headers))
        assert caught.value.retry_after == wait
    make().verdict(answer(200))


# On real sockets.


def mount(session, pipeline, receiver, **options):
    inspector = MattermostInspector(receiver.url("/hooks/xyz"), cooldown=None, batch=BatchPolicy(10, 0), **options)
    return curl_interceptor.mount(session, inspector, pipeline=pipeline, match=Match(statuses="400-599"))


def test_a_failure_arrives_as_a_message(session, pipeline, api, receiver):
    """
    From a failed call to a post that Mattermost takes.
    """
    adapter = mount(session, pipeline, receiver, channel="ops", username="Night watch")
    session.post(api.url("/status/503"), json={"a": "@all <!here> ```"}, headers={"Authorization": "Bearer s3cr3t"})

    assert adapter.flush(5)
    (request,) = receiver.requests
    assert request.target == "/hooks/xyz"
    check(curl_interceptor.Payload((), request.body, request.headers["content-type"]))
    assert json.loads(request.body)["channel"] == "ops"
    assert b"s3cr3t" not in request.body
    assert adapter.stats().delivered == 1


def test_a_message_that_is_refused_goes_once_more_as_text(session, pipeline, api, receiver):
    """
    400 without a name that tells more, then the plain form.
    """
    receiver.script("/hooks/xyz", [status(400, body=b'{"id":"model.post.is_valid.msg.app_error"}')])
    adapter = mount(session, pipeline, receiver)
    session.get(api.url("/status/404"))

    _, second = receiver.wait(2)
    assert json.loads(second.body)["text"].startswith("```\n404 Not Found")
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


def test_an_unknown_webhook_is_told_and_not_tried_as_text(session, pipeline, api, receiver, caplog):
    """
    Though it is answered with 400: no other message would pass.
    """
    body = b'{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook.","status_code":400}'
    receiver.script("/hooks/xyz", then=status(400, body=body))
    adapter = mount(session, pipeline, receiver)
    session.get(api.url("/status/500"))

    receiver.wait(1)
    assert adapter.flush(5)
    assert "HTTP 400 (unknown webhook)" in caplog.text
    assert "/xyz" not in caplog.text
    assert len(receiver.requests) == 1
