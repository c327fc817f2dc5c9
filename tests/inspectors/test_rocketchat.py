"""Rocket.Chat: what its inspector takes, how its messages look, what its answers mean, and how it fares on sockets."""

from __future__ import annotations

import json

import pytest
from support.hostile_records import RECORDS, record
from support.receiver import status
from support.services import first_cut, limit_of
from support.services.rocketchat import check, commands, make

import curl_interceptor
from curl_interceptor import (
    Answer,
    BadPayload,
    BatchPolicy,
    ConfigurationError,
    DeadEndpoint,
    Match,
    RateLimit,
    RocketChatInspector,
    Throttled,
    Transient,
    WebhookInspector,
)
from curl_interceptor.inspectors.recognise import inspector_for

URL = "https://chat.example.com/hooks/abc/xyz"
TAKEN = status(200, headers={"Content-Type": "application/json"}, body=b'{"success":true}')


# What is given.


def test_a_url_of_ones_own_server_is_taken_by_hand_only():
    """
    Rocket.Chat has no host of its own, so a bare URL is the generic webhook's.
    """
    assert type(inspector_for(URL)) is WebhookInspector
    assert RocketChatInspector(f"{URL}?a=1").payloads([record()])[0].url == f"{URL}?a=1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channel": ""}, "channel"),
        ({"channel": "#a b"}, "channel must be '#name'"),
        ({"channel": 5}, "channel"),
        ({"thread_id": "a b"}, "thread_id"),
        ({"thread_id": 5}, "thread_id"),
        ({"alias": " "}, "alias"),
        ({"alias": "x" * 65}, "alias"),
        ({"avatar": "owl.png"}, "avatar"),
        ({"emoji": "an owl"}, "emoji"),
        ({"emoji": 5}, "emoji"),
        ({"emoji": "owl", "avatar": "https://x/y"}, "avatar and emoji"),
    ],
)
def test_a_value_that_cannot_work_is_refused(options, words):
    """
    At construction, in words that name it.
    """
    with pytest.raises(ConfigurationError, match=words):
        make(**options)


def test_channels_and_threads_have_lanes_of_their_own():
    """
    They post to the same URL, plainly as well.
    """
    inspector = RocketChatInspector(URL, channel="#ops", thread_id="7aDSXtjMA3KPLxLjt")

    others = [RocketChatInspector(URL), RocketChatInspector(URL, channel="#ops"), RocketChatInspector(URL, channel="r")]
    assert len({one.address for one in (inspector, *others)}) == 4
    for plain in (False, True):
        (payload,) = inspector.payloads([record()], plain=plain)
        document = json.loads(payload.body)
        assert payload.url == URL
        assert (document["channel"], document["tmid"]) == ("#ops", "7aDSXtjMA3KPLxLjt")


def test_the_limit_of_rocket_chat_holds_unless_another_is_given():
    """
    10 calls a minute, as the server has it by default.
    """

    assert limit_of(make()) == RateLimit(10, 60.0)
    assert limit_of(make(rate_limit=None)) is None


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

    assert lines[:3] == ["🔴 *503 Service Unavailable*", "`POST api.example.com/v1/payments`", "```sh"]
    assert lines[3].startswith("curl ")
    assert lines[4:] == [
        "```",
        "*Took* `1,234 ms`",
        "*Size* `16 B sent, 28 B received`",
        "*When* `2024-05-01 14:02:07 UTC`",
        "`checkout · live · web-3 · request id 8f3a`",
        "*Response*",
        "```json",
        "{",
        '  "error": "try again later"',
        "}",
        "```",
    ]


def test_nobody_is_notified():
    """
    The server looks for names in code as well: a command says them in other words, texts with another sign.
    """
    said = b"@all it's @here <a>@channel me@example.com"
    entry = record(sent=said, received=said)
    text = document_of(entry)["text"]
    (command,) = commands(make().payloads([entry])[0])

    assert command.count("''@") == 2
    assert command.replace("''@", "@") == curl_interceptor.render(entry)
    assert "\n\uff20all it's \uff20here <a>\uff20channel me@example.com\n" in text


def test_names_beside_a_variable_are_said_in_other_words_too():
    """
    Between double quotes it takes double quotes.
    """
    entry = record(
        request_headers=(("Authorization", "Bearer REDACTED-API-TOKEN @all"),),
        variables=(("API_TOKEN", "Authorization"),),
    )
    (command,) = commands(make().payloads([entry])[0])

    assert "@all" in command
    assert " @all" not in command
    assert command.replace('""@', "@").replace("''@", "@") == curl_interceptor.render(entry)


def test_a_batch_is_one_message_while_it_fits():
    """
    5,000 characters, of which most emoji are two.
    """
    assert [len(payload.entries) for payload in make().payloads([record(sent=b"x" * 900)] * 6)] == [3, 3]
    for entries in ([record(received="👍".encode() * 900)] * 3, [record(reason="x" * 200, sent=b"@a " * 700)] * 3):
        for payload in make().payloads(entries):
            check(payload)


def test_a_command_of_any_length_around_the_limit_is_whole_or_says_that_it_is_not():
    """
    Whole as long as there is room for it; without its body after that.
    """
    assert first_cut("rocketchat", range(4_300, 5_000, 20)) > 4_300


def test_the_sender_is_left_out_of_the_plain_form():
    """
    Name and picture as given; plainly they are left out, for the user of the webhook may not be allowed to choose them.
    """
    options = {"alias": " Night watch ", "emoji": "owl"}
    document = document_of(record(), **options)
    assert (document["alias"], document["emoji"]) == ("Night watch", ":owl:")
    assert document_of(record(), avatar="https://x/a.png")["avatar"] == "https://x/a.png"

    plain = document_of(record(), plain=True, **options)
    assert set(plain) == {"text", "parseUrls"}
    assert plain["text"].startswith("```\n503 Service Unavailable · POST api.example.com/v1/payments\nTook: 1,234 ms")


# The answers.


def answer(code, error=None, **headers):
    body = {"success": error is None, **({} if error is None else {"error": error})}
    return Answer(code, {key.replace("_", "-"): value for key, value in headers.items()}, json.dumps(body).encode())


TOO_MANY = "Error, too many requests. You must wait 49 seconds before trying again. [error-too-many-requests]"


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (answer(400, "Invalid integration id or token provided."), DeadEndpoint, "HTTP 400 (unknown webhook)"),
        (answer(404, "Invalid integration id or token provided."), DeadEndpoint, "HTTP 404 (unknown webhook)"),
        (answer(400, "invalid-channel"), DeadEndpoint, "HTTP 400 (unknown channel)"),
        (answer(401, "x"), DeadEndpoint, "HTTP 401"),
        (answer(400, "Not enough permission"), BadPayload, "HTTP 400"),
        (answer(200, "something with a s3cr3t"), BadPayload, "HTTP 200"),
        (answer(400, {"a": 1}), BadPayload, "HTTP 400"),
        (answer(503, "Service Unavailable"), Transient, "HTTP 503"),
        (Answer(200, {}, b"<!DOCTYPE html>"), DeadEndpoint, "HTTP 200, but with a page: it is no address of a webhook"),
    ],
)  # fmt: skip
def test_refusals_have_their_reason(given, kind, words):
    """
    Status 400 may be this message's fault, or that of all: the error tells.
    """
    with pytest.raises(kind) as caught:
        make().verdict(given)
    assert type(caught.value) is kind
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        (answer(429, TOO_MANY), 49),
        (answer(400, TOO_MANY), 49),
        (answer(429, TOO_MANY, retry_after="60"), 60),
        (answer(429), None),
    ],
)
def test_waits_are_understood(given, wait):
    """
    The time to wait stands in the text of the error.
    """
    with pytest.raises(Throttled) as caught:
        make().verdict(given)
    assert caught.value.retry_after == wait


@pytest.mark.parametrize("body", [b'{"success":true}', b"", b"{}"])
def test_success_is_silent(body):
    """
    200, unless the answer says otherwise.
    """
    make().verdict(Answer(200, {}, body))


# On real sockets.


def mount(session, pipeline, receiver, **options):
    inspector = RocketChatInspector(receiver.url("/hooks/abc/xyz"), cooldown=None, batch=BatchPolicy(10, 0), **options)
    return curl_interceptor.mount(session, inspector, pipeline=pipeline, match=Match(statuses="400-599"))


def test_a_failure_arrives_as_a_message(session, pipeline, api, receiver):
    """
    From a failed call to a post that Rocket.Chat takes.
    """
    receiver.script("/hooks/abc/xyz", then=TAKEN)
    adapter = mount(session, pipeline, receiver, channel="#ops", alias="Night watch")
    session.post(api.url("/status/503"), json={"a": "to @all ```"}, headers={"Authorization": "Bearer s3cr3t"})

    assert adapter.flush(5)
    (request,) = receiver.requests
    assert request.target == "/hooks/abc/xyz"
    check(curl_interceptor.Payload((), request.body, request.headers["content-type"]))
    assert json.loads(request.body)["channel"] == "#ops"
    assert b"s3cr3t" not in request.body
    assert adapter.stats().delivered == 1


def test_a_name_that_is_not_allowed_is_left_out(session, pipeline, api, receiver):
    """
    Refused for want of the permission to choose a name, the message arrives plainly.
    """
    refused = status(400, body=b'{"success":false,"error":"Not enough permission"}')
    receiver.script("/hooks/abc/xyz", [refused], then=TAKEN)
    adapter = mount(session, pipeline, receiver, alias="Night watch")
    session.get(api.url("/status/404"))

    _, second = receiver.wait(2)
    assert "alias" not in json.loads(second.body)
    assert json.loads(second.body)["text"].startswith("```\n404 Not Found")
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


def test_an_unknown_webhook_is_told_and_not_tried_as_text(session, pipeline, api, receiver, caplog):
    """
    Though it is answered with 400: no other message would pass.
    """
    body = b'{"success":false,"error":"Invalid integration id or token provided."}'
    receiver.script("/hooks/abc/xyz", then=status(400, body=body))
    adapter = mount(session, pipeline, receiver)
    session.get(api.url("/status/500"))

    receiver.wait(1)
    assert adapter.flush(5)
    assert "HTTP 400 (unknown webhook)" in caplog.text
    assert "/xyz" not in caplog.text
    assert len(receiver.requests) == 1
