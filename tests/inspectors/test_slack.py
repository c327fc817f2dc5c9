"""Slack: what its inspector takes, how its messages look, what its answers mean, and how it fares on real sockets."""

from __future__ import annotations

import json
import re

import pytest
from support.hostile_records import RECORDS, record
from support.receiver import status
from support.services import first_cut, limit_of
from support.services.slack import check, commands, make
from support.waiting import until

import curl_interceptor
from curl_interceptor import (
    Answer,
    BadPayload,
    BatchPolicy,
    ConfigurationError,
    DeadEndpoint,
    Match,
    RateLimit,
    SlackInspector,
    Throttled,
    Transient,
    WebhookInspector,
)
from curl_interceptor.inspectors.recognise import inspector_for

URL = "https://hooks.slack.com/services/T0/B0/s3cr3t"


# What is given.


@pytest.mark.parametrize(
    "url",
    [URL, f"{URL}/", "HTTPS://HOOKS.SLACK.COM/services/T0/B0/s3cr3t", "https://hooks.slack-gov.com/services/T0/B0/xyz"],
)
def test_a_url_of_slack_is_recognised(url):
    """
    A bare webhook URL gives a Slack inspector, which posts there.
    """
    inspector = inspector_for(url)

    assert isinstance(inspector, SlackInspector)
    assert inspector.payloads([record()])[0].url == url.rstrip("/").replace("HTTPS://", "https://")


def test_other_hosts_are_no_slack():
    """
    A host that only looks like Slack's gets the generic webhook; by hand any host will do.
    """
    assert type(inspector_for("https://hooks.slack.com.example/services/T0/B0/x")) is WebhookInspector
    assert SlackInspector("http://127.0.0.1:80/proxy?key=1").payloads([record()])[0].url == (
        "http://127.0.0.1:80/proxy?key=1"
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://hooks.slack.com/workflows/T0/A0/1/s3cr3t", "a workflow"),
        ("https://hooks.slack.com/triggers/T0/1/s3cr3t", "a workflow"),
        ("https://hooks.slack.com/services/T0/s3cr3t", "none of an incoming webhook"),
        ("https://hooks.slack.com/services/T0/B0/s3cr3t/x", "none of an incoming webhook"),
        ("http://hooks.slack.com/services/T0/B0/s3cr3t", "none of an incoming webhook"),
        ("https://slack.com/api/chat.postMessage?token=s3cr3t", "none of an incoming webhook"),
        ("https://team.slack.com/archives/s3cr3t", "none of an incoming webhook"),
        ("", "is empty"),
        (None, "must be a URL"),
        (f"{URL} ", "white space"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url, words):
    """
    At construction, in words that name the remedy and do not repeat the URL.
    """
    with pytest.raises(ConfigurationError, match=words) as caught:
        SlackInspector(url)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("name", ["channel", "username", "icon_emoji", "icon_url", "avatar_url"])
def test_what_belongs_to_the_webhook_is_refused(name):
    """
    Slack ignores a channel, a name and a picture, so that whoever gives one is told.
    """
    with pytest.raises(ConfigurationError, match=f"^{name} cannot be chosen: .*make a webhook for each channel"):
        make(**{name: "#alerts"})


@pytest.mark.parametrize("value", ["", "1714572127", 1714572127.0002, "1.5", "x.000200", True])
def test_a_thread_that_is_no_timestamp_is_refused(value):
    """
    A number would lose digits.
    """
    with pytest.raises(ConfigurationError, match="thread_ts"):
        make(thread_ts=value)


@pytest.mark.parametrize("plain", [False, True])
def test_a_thread_is_posted_to_and_has_a_lane_of_its_own(plain):
    """
    Two threads of a webhook are two lanes, which post to the same URL.
    """
    inspector = SlackInspector(URL, thread_ts="1714572127.000200")
    (payload,) = inspector.payloads([record()], plain=plain)

    assert json.loads(payload.body)["thread_ts"] == "1714572127.000200"
    assert payload.url == URL
    assert len({inspector.address, SlackInspector(URL).address, SlackInspector(URL, thread_ts="1.000000").address}) == 3


def test_the_limit_of_slack_holds_unless_another_is_given():
    """
    One message a second; what is given to the inspector wins.
    """

    assert limit_of(make()) == RateLimit(1, 1.0)
    assert limit_of(make(rate_limit=None)) is None


# The look.


def document_of(*entries, plain=False, **options):
    (payload,) = make(**options).payloads(entries, plain=plain)
    check(payload)
    return json.loads(payload.body)


def lines_of(block):
    """What a block says, as a reader sees it; code blocks between lines of their own."""
    seen = []
    for element in block["elements"]:
        text = "".join(one["text"] for one in element["elements"])
        seen.append(f"[{text}]" if element["type"] == "rich_text_preformatted" else text)
    return "\n".join(seen)


def test_a_message_says_it_all():
    """
    Status in the header; request, command, facts, origin and response below it; the first two in the notification.
    """
    document = document_of(RECORDS["labels of the app"])
    header, body = document["blocks"]

    assert document["text"] == "503 Service Unavailable · `POST api.example.com/v1/payments`"
    assert header["text"]["text"] == "🔴 503 Service Unavailable"
    assert re.fullmatch(
        r"POST api\.example\.com/v1/payments\n"
        r"\[curl .*\]\n"
        r"Took 1,234 ms\nSize 16 B sent, 28 B received\nWhen 2024-05-01 14:02:07 UTC\n"
        r"checkout · live · web-3 · request id 8f3a\n"
        r'Response\n\[\{\n  "error": "try again later"\n\}\]',
        lines_of(body),
    )


def test_marks_tell_errors_from_warnings():
    """
    5xx and exceptions, 4xx, and the rest.
    """
    marks = [document_of(record(status=code))["blocks"][0]["text"]["text"][0] for code in (500, 503, 404, 200)]
    assert marks == ["🔴", "🔴", "🟠", "🔵"]


def test_texts_of_others_are_no_markup():
    """
    In blocks they stand as they are, in texts they are escaped; cut before that, so that no entity is cut.
    """
    hostile = record(url="https://api.example.com/<!here>&amp;" + "&" * 500)
    document = document_of(hostile)
    assert document["text"].startswith(
        "503 Service Unavailable · `POST api.example.com/&lt;!here&gt;&amp;amp;&amp;&amp;"
    )
    assert document["text"].endswith("&amp;…`")
    assert lines_of(document["blocks"][1]).startswith("POST api.example.com/<!here>&amp;&&")

    plain = document_of(hostile, plain=True)["text"]
    assert "<!here>" not in plain
    assert "/&lt;!here&gt;&amp;amp;&amp;&amp;" in plain


def test_a_command_of_any_length_around_the_limit_is_whole_or_says_that_it_is_not():
    """
    Whole as long as there is room for it; without its body after that.
    """
    assert first_cut("slack", range(10_000, 12_000, 40)) > 10_000


def test_a_batch_is_one_message_while_it_fits():
    """
    Some ten usual records, and 50 blocks at most, which are 25 records that say little.
    """
    assert [len(payload.entries) for payload in make().payloads([record()] * 3)] == [3]
    small = record(url="", request_headers=(), received=b"", sent=b"", timeout=None)
    sizes = [len(payload.entries) for payload in make().payloads([small] * 60)]
    assert max(sizes) <= 25
    assert len(sizes) < 6
    assert document_of(*[record()] * 3)["text"].endswith("/payments`, and 2 more")


def test_the_plain_form_is_text_alone():
    """
    No blocks; still no previews.
    """
    document = document_of(record(), record(sent=b"x" * 9_000), plain=True)

    assert set(document) == {"text", "unfurl_links", "unfurl_media"}
    assert document["text"].startswith(
        "```\n503 Service Unavailable · POST api.example.com/v1/payments\nTook: 1,234 ms"
    )
    (payload,) = make().payloads([record(), record(sent=b"x" * 9_000)], plain=True)
    assert [("not runnable" in command) for command in commands(payload)] == [False, True]


# The answers.


@pytest.mark.parametrize(
    ("code", "body", "kind", "words"),
    [
        (400, b"invalid_payload", BadPayload, "HTTP 400, invalid_payload"),
        (400, b"invalid_blocks\n", BadPayload, "HTTP 400, invalid_blocks"),
        (200, b"invalid_payload", BadPayload, "HTTP 200, invalid_payload"),
        (200, b'{"ok":false,"error":"something"}', BadPayload, "HTTP 200"),
        (400, b"something that <holds> a s3cr3t", BadPayload, "HTTP 400"),
        (403, b"action_prohibited", DeadEndpoint, "HTTP 403, action_prohibited"),
        (403, b"no_active_hooks", DeadEndpoint, "HTTP 403, no_active_hooks"),
        (404, b"no_active_hooks", DeadEndpoint, "HTTP 404, no_active_hooks"),
        (404, b"no_service", DeadEndpoint, "HTTP 404, no_service"),
        (400, b"no_service", DeadEndpoint, "HTTP 400, no_service"),
        (200, b'{"ok":false,"error":"not_authed"}', DeadEndpoint, "HTTP 200, not_authed"),
        (200, b" <!doctype html><title>Log in", DeadEndpoint, "HTTP 200, but with a page where Slack says 'ok'"),
        (302, b"", DeadEndpoint, "HTTP 302"),
        (500, b"rollup_error", Transient, "HTTP 500, rollup_error"),
        (503, b"", Transient, "HTTP 503"),
        (429, b"", Throttled, "HTTP 429"),
        (200, b"rate_limited", Throttled, "HTTP 200, rate_limited"),
    ],
)  # fmt: skip
def test_refusals_have_their_word(code, body, kind, words):
    """
    The error says what follows, and the word that Slack documents says why; no other text is repeated.
    """
    with pytest.raises(kind) as caught:
        make().verdict(Answer(code, {}, body))
    assert type(caught.value) is kind
    assert str(caught.value) == words


def test_only_410_is_for_good():
    """
    Slack says 410 for hooks and channels that do not come back.
    """
    for code, gone in ((410, True), (404, False), (403, False)):
        with pytest.raises(DeadEndpoint) as caught:
            make().verdict(Answer(code, {}, b"no_active_hooks"))
        assert caught.value.gone is gone


@pytest.mark.parametrize("body", [b"ok", b"ok\n", b'{"ok":true}', b""])
def test_success_is_silent(body):
    """
    `ok`; a proxy may say nothing.
    """
    make().verdict(Answer(200, {}, body))


def test_waits_and_sizes_are_understood():
    """
    `Retry-After` in seconds, and what is too long is never sent again at that size.
    """
    with pytest.raises(Throttled) as throttled:
        make().verdict(Answer(429, {"retry-after": "30"}, b"rate_limited"))
    assert throttled.value.retry_after == 30
    for code, body in ((400, b"msg_blocks_too_long"), (200, b"msg_too_long"), (413, b"")):
        with pytest.raises(BadPayload) as refused:
            make().verdict(Answer(code, {}, body))
        assert refused.value.too_large


# On real sockets.


@pytest.fixture
def slack(receiver):
    """A receiver that answers like Slack, which says `ok`."""
    receiver.script("/services/T0/B0/xyz", then=status(200, headers={"Content-Type": "text/html"}, body=b"ok"))
    return receiver


def mount(session, pipeline, slack, **options):
    options = {"rate_limit": None, **options}
    inspector = SlackInspector(slack.url("/services/T0/B0/xyz"), cooldown=None, batch=BatchPolicy(10, 0), **options)
    return curl_interceptor.mount(session, inspector, pipeline=pipeline, match=Match(statuses="400-599"))


def test_a_failure_arrives_as_a_message(session, pipeline, api, slack):
    """
    From a failed call to a post that Slack takes, whose command is that of the call.
    """
    adapter = mount(session, pipeline, slack, thread_ts="1714572127.000200")
    session.post(api.url("/status/503"), json={"a": "<!here> & ```"}, headers={"Authorization": "Bearer s3cr3t"})

    assert adapter.flush(5)
    (request,) = slack.requests
    assert request.target == "/services/T0/B0/xyz"
    check(curl_interceptor.Payload((), request.body, request.headers["content-type"]))
    assert "<!here> & ```" in lines_of(json.loads(request.body)["blocks"][1]).replace("''", "")
    assert b"s3cr3t" not in request.body
    assert adapter.stats().delivered == 1


def test_nothing_is_posted_before_the_wait_is_over(session, pipeline, api, slack):
    """
    A 429 costs no retry and loses nothing.
    """
    slack.script(
        "/services/T0/B0/xyz",
        [status(429, headers={"Retry-After": "0.4"}, body=b"rate_limited")],
        then=status(200, body=b"ok"),
    )
    adapter = mount(session, pipeline, slack)
    session.get(api.url("/status/500"))

    first, second = slack.wait(2)
    assert second.time - first.time >= 0.39
    assert first.body == second.body
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


def test_a_message_that_is_refused_goes_once_more_as_text(session, pipeline, api, slack):
    """
    400 for the blocks, then the plain form.
    """
    slack.script("/services/T0/B0/xyz", [status(400, body=b"invalid_blocks")], then=status(200, body=b"ok"))
    adapter = mount(session, pipeline, slack)
    session.get(api.url("/status/404"))

    _, second = slack.wait(2)
    assert json.loads(second.body)["text"].startswith("```\n404 Not Found")
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


def test_a_webhook_that_is_gone_is_told_once_with_its_word(session, pipeline, api, slack, caplog):
    """
    410 closes the lane; the log says why, and not where it was.
    """
    slack.script("/services/T0/B0/xyz", then=status(410, body=b"no_active_hooks"))
    mount(session, pipeline, slack)
    for code in (500, 501):
        session.get(api.url(f"/status/{code}"))
        slack.wait(1)
    until(lambda: "no_active_hooks" in caplog.text)

    assert caplog.text.count("HTTP 410, no_active_hooks") == 1
    assert "/xyz" not in caplog.text
    assert len(slack.requests) == 1


def test_one_message_a_second(session, pipeline, api, slack):
    """
    The second waits for the limit, which is shorter here.
    """
    mount(session, pipeline, slack, rate_limit=RateLimit(1, 0.4))
    for code in (500, 501):
        session.get(api.url(f"/status/{code}"))
        slack.wait(code - 499)

    first, second = slack.requests
    assert second.time - first.time >= 0.35
