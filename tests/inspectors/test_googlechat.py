"""Google Chat: what its inspector takes, how its texts look, what answers mean, and how it fares on real sockets."""

from __future__ import annotations

import json
import re
import shutil
from urllib.parse import parse_qs, urlsplit

import pytest
from support.corpus import case, judge, perform
from support.hostile_records import RECORDS, record
from support.receiver import status
from support.services import first_cut
from support.services.googlechat import check, commands, make
from support.shells import Room
from support.wire import WireServer

import curl_interceptor
from curl_interceptor import (
    Answer,
    BadPayload,
    BatchPolicy,
    ConfigurationError,
    DeadEndpoint,
    GoogleChatInspector,
    Match,
    RetryPolicy,
    Throttled,
    Transient,
    WebhookInspector,
)
from curl_interceptor.inspectors.recognise import inspector_for

URL = "https://chat.googleapis.com/v1/spaces/AAA_b-1/messages?key=k3y&token=t0k3n"


# What is given.


def test_a_url_of_google_chat_is_recognised():
    """
    A bare webhook URL gives a Google Chat inspector, which posts to that very URL.
    """
    inspector = inspector_for(URL)

    assert isinstance(inspector, GoogleChatInspector)
    assert inspector.payloads([record()])[0].url == URL


def test_other_hosts_are_no_google_chat():
    """
    A host that only looks like Google's gets the generic webhook; by hand any host will do.
    """
    assert type(inspector_for("https://chat.googleapis.com.example/v1/spaces/A/messages?key=k")) is WebhookInspector
    assert GoogleChatInspector("http://127.0.0.1:8080/proxy").payloads([record()])[0].url == (
        "http://127.0.0.1:8080/proxy"
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://chat.googleapis.com/v1/spaces/A/messages?key=k3y", "no 'token'"),
        ("https://chat.googleapis.com/v1/spaces/A/messages?key=&token=t0k3n", "no 'key'"),
        ("https://chat.googleapis.com/v1/spaces/A?key=k3y&token=t0k3n", "none of a webhook"),
        ("http://chat.googleapis.com/v1/spaces/A/messages?key=k3y&token=t0k3n", "none of a webhook"),
        ("", "is empty"),
        (None, "must be a URL"),
        (f"{URL} ", "white space"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url, words):
    """
    At construction, in words that name the remedy and do not repeat the URL.
    """
    with pytest.raises(ConfigurationError, match=re.escape(words)) as caught:
        GoogleChatInspector(url)
    assert not re.search("k3y|t0k3n", str(caught.value))


@pytest.mark.parametrize("key", ["", " ", 5, "a\nb", "x" * 600, "é" * 100])
def test_a_thread_that_cannot_be_is_refused(key):
    """
    A key of a thread is a short name.
    """
    with pytest.raises(ConfigurationError, match="thread_key"):
        make(thread_key=key)


def test_a_thread_is_posted_to_and_has_a_lane_of_its_own():
    """
    By keyword or in the URL, with the option without which Google ignores it; two that differ are an error.
    """
    by_keyword, in_url = GoogleChatInspector(URL, thread_key="night"), GoogleChatInspector(f"{URL}&threadKey=night")

    assert by_keyword.address == in_url.address != GoogleChatInspector(URL).address
    for inspector in (by_keyword, in_url):
        (payload,) = inspector.payloads([record()])
        assert json.loads(payload.body)["thread"] == {"threadKey": "night"}
        assert parse_qs(urlsplit(payload.url).query) == {
            "key": ["k3y"], "token": ["t0k3n"], "messageReplyOption": ["REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"],
        }  # fmt: skip
    with pytest.raises(ConfigurationError, match="twice"):
        GoogleChatInspector(f"{URL}&threadKey=night", thread_key="day")


# The shape.


def text_of(entry, **options):
    """Return the one text of a record, which Google Chat would take."""
    (payload,) = make(**options).payloads([entry])
    check(payload)
    return json.loads(payload.body)["text"]


def test_a_text_says_it_all():
    """
    Light, status, request, command, facts, origin and response.
    """
    first, fence, command, _, *lines = text_of(RECORDS["labels of the app"]).split("\n")

    assert first == "🔴 *503 Service Unavailable* · `POST api.example.com/v1/payments`"
    assert fence == "```"
    assert command.startswith("curl ")
    assert lines == [
        "Took: `1,234 ms`",
        "Size: `16 B sent, 28 B received`",
        "When: `2024-05-01 14:02:07 UTC`",
        "`checkout · live · web-3 · request id 8f3a`",
        "*Response*",
        "```",
        "{",
        '  "error": "try again later"',
        "}",
        "```",
    ]


def test_lights_tell_errors_from_warnings():
    """
    5xx and exceptions, 4xx, and the rest.
    """
    assert [text_of(record(status=code))[0] for code in (503, 404, 200)] == ["🔴", "🟠", "🔵"]


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("plain", [False, True], ids=["rich", "plain"])
def test_nobody_is_mentioned_by_a_command_that_still_says_the_same(tmp_path, plain):
    """
    What would be a mention or a link is taken apart where the shell does not see it.
    """
    room = Room(tmp_path)
    for body in ("<users/all>", "'<users/1><USERS/2>'", "<https://x.example|click>\\", "<mailto:a@b>\n%<a:b>\x00"):
        with WireServer() as server:
            sent = perform(case("mention", "POST", data=body, headers={"X-Said": "<users/all>"}), server)
            (payload,) = make().payloads([sent.record], plain=plain)
            check(payload)
            shown = re.findall(r"```\n(.*curl.*)\n```", json.loads(payload.body)["text"])
            room.run("bash", shown)
            verdict = judge(sent, server)

        assert "<users/" not in shown[0]
        assert verdict, str(verdict)


def test_a_batch_is_one_message_while_it_fits():
    """
    Bounded by bytes, not by number; none is lost.
    """
    payloads = make().payloads([record(received=b"y" * 500)] * 60)
    for payload in payloads:
        check(payload)

    assert sum(len(payload.entries) for payload in payloads) == 60
    assert len(payloads[0].entries) > 15
    assert max(len(payload.body) for payload in payloads) > 28_000


def test_a_command_of_any_length_around_the_limit_is_whole_or_says_that_it_is_not():
    """
    As long as it has room it is whole.
    """
    assert first_cut("googlechat", range(29_000, 32_000, 50)) > 29_000


def test_the_plain_form_is_blocks_of_code():
    """
    No light and no bold words; the thread is kept.
    """
    (payload,) = make(thread_key="night").payloads([record(), record(sent=b"x" * 40_000)], plain=True)
    check(payload)
    document = json.loads(payload.body)

    assert document["text"].startswith(
        "```\n503 Service Unavailable · POST api.example.com/v1/payments\nTook: 1,234 ms"
    )
    assert document["thread"] == {"threadKey": "night"}
    assert "*" not in re.sub(r"```.*?```", "", document["text"], flags=re.DOTALL)
    assert [("not runnable" in command) for command in commands(payload)] == [False, True]


# The answers.


def said(code, name=None, **headers):
    return Answer(code, headers, json.dumps({"error": {"code": code, "status": name, "message": "s3cr3t"}}).encode())


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (said(400, "INVALID_ARGUMENT"), BadPayload, "HTTP 400 (invalid argument)"),
        (said(401, "UNAUTHENTICATED"), DeadEndpoint, "HTTP 401 (key or token not accepted)"),
        (said(403, "PERMISSION_DENIED"), DeadEndpoint, "HTTP 403 (permission denied)"),
        (said(404, "NOT_FOUND"), DeadEndpoint, "HTTP 404 (unknown space or webhook)"),
        (said(429, "RESOURCE_EXHAUSTED"), Throttled, "HTTP 429"),
        (said(503, ["x"]), Transient, "HTTP 503"),
        (Answer(500, {}, b'{"error": "s3cr3t"}'), Transient, "HTTP 500"),
        (Answer(413, {}, b"<html>"), BadPayload, "HTTP 413"),
    ],
)
def test_refusals_have_their_name(given, kind, words):
    """
    The error says what follows, and Google's name for it says why; its text is not repeated.
    """
    with pytest.raises(kind) as caught:
        make().verdict(given)
    assert type(caught.value) is kind
    assert str(caught.value) == words


def test_success_is_silent():
    """
    200 with the message.
    """
    make().verdict(Answer(200, {}, b'{"name": "spaces/AAA/messages/BBB"}'))


# On real sockets.


PATH = "/v1/spaces/AAA/messages"


def mount(session, pipeline, receiver, **options):
    options = {"cooldown": None, "batch": BatchPolicy(10, 0), "rate_limit": None, **options}
    inspector = GoogleChatInspector(receiver.url(f"{PATH}?key=k3y&token=t0k3n"), **options)
    return curl_interceptor.mount(session, inspector, pipeline=pipeline, match=Match(statuses="400-599"))


def test_a_failure_arrives_as_a_text(session, pipeline, api, receiver):
    """
    From a failed call to a post that Google Chat takes, whose command is that of the call.
    """
    adapter = mount(session, pipeline, receiver, thread_key="night")
    session.post(api.url("/status/503"), json={"a": "*b* ``` @all"}, headers={"Authorization": "Bearer s3cr3t"})

    assert adapter.flush(5)
    (request,) = receiver.requests
    assert request.target == f"{PATH}?key=k3y&token=t0k3n&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
    document = json.loads(request.body)
    assert document["thread"] == {"threadKey": "night"}
    assert "/status/503'" in document["text"]
    assert b"s3cr3t" not in request.body
    assert adapter.stats().delivered == 1
    assert not re.search("k3y|t0k3n", str(adapter.stats()))


def test_a_limit_without_a_time_is_waited_for(session, pipeline, api, receiver):
    """
    Google names no time: the pauses are those of the retries, and none of these is used up.
    """
    receiver.script(PATH, [status(429), status(429)], then=status(200, body=b"{}"))
    adapter = mount(session, pipeline, receiver, retry=RetryPolicy(retries=0, wait=0.1, factor=2))
    session.get(api.url("/status/500"))

    first, second, third = receiver.wait(3)
    assert second.time - first.time >= 0.09
    assert third.time - second.time >= 0.19
    assert first.body == third.body
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


def test_a_text_that_is_refused_goes_once_more_plainly(session, pipeline, api, receiver):
    """
    400 for the text, then blocks of code.
    """
    receiver.script(PATH, [status(400, body=b'{"error":{"status":"INVALID_ARGUMENT"}}')], then=status(200, body=b"{}"))
    adapter = mount(session, pipeline, receiver)
    session.get(api.url("/status/404"))

    _, second = receiver.wait(2)
    assert json.loads(second.body)["text"].startswith("```\n404 Not Found")
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1
