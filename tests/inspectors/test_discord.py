"""Discord: what its inspector takes, how its messages look, what its answers mean, and how it fares on real sockets."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from support.hostile_records import RECORDS, record
from support.receiver import status
from support.services import limit_of
from support.services.discord import check, commands, make, parts
from support.waiting import until

import curl_interceptor
from curl_interceptor import (
    Answer,
    BadPayload,
    BatchPolicy,
    ConfigurationError,
    DeadEndpoint,
    DiscordInspector,
    Match,
    RateLimit,
    Throttled,
    Transient,
    WebhookInspector,
)
from curl_interceptor.inspectors.recognise import inspector_for

URL = "https://discord.com/api/webhooks/123/aB_c-4"


# What is given.


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}/",
        "https://discordapp.com/api/webhooks/123/abc",
        "https://canary.discord.com/api/webhooks/123/abc",
        "https://ptb.discord.com/api/v10/webhooks/123/abc",
        "HTTPS://DISCORD.COM/api/webhooks/123/abc?wait=false",
    ],
)
def test_a_url_of_discord_is_recognised(url):
    """
    A bare webhook URL gives a Discord inspector, whose posts wait for the message to be saved.
    """
    inspector = inspector_for(url)

    assert isinstance(inspector, DiscordInspector)
    (payload,) = inspector.payloads([record()])
    assert parse_qs(urlsplit(payload.url).query) == {"wait": ["true"]}
    assert urlsplit(payload.url).path == urlsplit(url).path.rstrip("/")


def test_other_hosts_are_no_discord():
    """
    A host that only looks like Discord's gets the generic webhook; by hand any host will do.
    """
    assert type(inspector_for("https://notdiscord.com/api/webhooks/1/abc")) is WebhookInspector
    assert type(inspector_for("https://discord.com.example/api/webhooks/1/abc")) is WebhookInspector
    assert DiscordInspector("http://127.0.0.1:8080/proxy?key=1").payloads([record()])[0].url == (
        "http://127.0.0.1:8080/proxy?wait=true&key=1"
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://discord.com/channels/1/2", "Copy Webhook URL"),
        ("https://discord.com/api/webhooks/123", "Copy Webhook URL"),
        ("https://discord.com/api/webhooks/abc/123", "Copy Webhook URL"),
        ("http://discord.com/api/webhooks/123/abc", "Copy Webhook URL"),
        (f"{URL}/slack", "'/slack'"),
        (f"{URL}/github", "'/github'"),
        (f"{URL}?thread_id=abc", "thread_id"),
        (f"{URL}?thread_id=", "thread_id"),
        ("", "is empty"),
        (None, "must be a URL"),
        (f" {URL}", "white space"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url, words):
    """
    At construction, in words that name the remedy and do not repeat the URL.
    """
    with pytest.raises(ConfigurationError, match=re.escape(words)) as caught:
        DiscordInspector(url)
    assert "aB_c-4" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"username": "My Discord bot"}, "'discord'"),
        ({"username": "clyde"}, "'clyde'"),
        ({"username": "Everyone"}, "'everyone'"),
        ({"username": "a@b"}, "'@'"),
        ({"username": " "}, "username"),
        ({"username": "x" * 81}, "username"),
        ({"username": "a\nb"}, "username"),
        ({"username": 5}, "username"),
        ({"avatar_url": "ftp://x/y.png"}, "avatar_url"),
        ({"avatar_url": "https://x/" + "y" * 2_048}, "avatar_url"),
        ({"thread_id": "general"}, "thread_id"),
        ({"thread_id": True}, "thread_id"),
        ({"thread_id": -5}, "thread_id"),
        ({"silent": 1}, "silent"),
        ({"files": "no"}, "files"),
    ],
)
def test_a_value_that_discord_would_refuse_is_refused_here(options, words):
    """
    A bad name would turn every message into an error 400, so it is told where it is given.
    """
    with pytest.raises(ConfigurationError, match=words):
        make(**options)


def test_a_thread_is_posted_to_and_has_a_lane_of_its_own():
    """
    By keyword or in the URL; two that differ are an error.
    """
    by_keyword, in_url = DiscordInspector(URL, thread_id=42), DiscordInspector(f"{URL}?thread_id=42")

    assert by_keyword.address == in_url.address != DiscordInspector(URL).address
    assert by_keyword.payloads([record()])[0].url == f"{URL}?wait=true&thread_id=42"
    DiscordInspector(f"{URL}?thread_id=42", thread_id="42")
    with pytest.raises(ConfigurationError, match="twice"):
        DiscordInspector(f"{URL}?thread_id=42", thread_id=43)


def test_the_limit_of_discord_holds_unless_another_is_given():
    """
    5 in 2 seconds by default; what the adapter says wins over that, and what the inspector says over both.
    """

    assert limit_of(make()) == RateLimit(5, 2.0)
    assert limit_of(make(), rate_limit=None) is None
    assert limit_of(make(rate_limit=RateLimit(1, 1)), rate_limit=None) == RateLimit(1, 1)
    assert limit_of(WebhookInspector("https://x/")) is None


# The look.


def embed_of(entry, **options):
    (payload,) = make(**options).payloads([entry])
    check(payload)
    document, files = parts(payload)
    (embed,) = document["embeds"]
    return embed, files


def test_an_embed_says_it_all():
    """
    Status and request in the title, the command in a block, facts and response in fields, the origin at the foot.
    """
    embed, files = embed_of(RECORDS["labels of the app"])

    assert embed["title"] == "503 Service Unavailable · `POST api.example.com/v1/payments`"
    assert embed["description"].startswith("```sh\ncurl ")
    assert {"name": "Took", "value": "`1,234 ms`", "inline": True} in embed["fields"]
    assert embed["fields"][-1]["value"] == '```json\n{\n  "error": "try again later"\n}\n```'
    assert embed["footer"] == {"text": "checkout · live · web-3 · request id 8f3a"}
    assert embed["timestamp"] == "2024-05-01T14:02:07.500+00:00"
    assert not files


def test_colours_tell_errors_from_warnings():
    """
    5xx and exceptions, 4xx, and the rest.
    """
    colours = {embed_of(record(status=code))[0]["color"] for code in (500, 503)}
    assert len(colours) == 1
    assert len(colours | {embed_of(record(status=code))[0]["color"] for code in (404, 200)}) == 3


def test_a_command_too_long_for_a_message_is_attached():
    """
    The embed shows its head and says where the rest is; the file holds it whole.
    """
    entry = record(sent=b"x" * 8_214)
    embed, files = embed_of(entry)

    assert "(body of 8,214 bytes left out: not runnable)\n```" in embed["description"]
    assert embed["description"].endswith("The whole command is in the file `command-1.sh`.")
    assert files == {"command-1.sh": f"{curl_interceptor.render(entry)}\n".encode()}


@pytest.mark.parametrize("entry", [record(sent=b"x" * 8_214), record(sent=bytes(7_000_000))])
def test_a_command_that_may_not_be_attached_is_cut(entry):
    """
    With `files=False`, or beyond what Discord takes, the message says that its command cannot be run.
    """
    embed, files = embed_of(entry, files=len(entry.request_body) > 10_000)

    assert embed["description"].endswith(" bytes left out: not runnable)\n```")
    assert not files


def test_files_are_numbered_like_the_embeds():
    """
    In a batch the second embed's command is `command-2.sh`, wherever files stand.
    """
    long = record(sent=b"x" * 8_214)
    (payload,) = make().payloads([record(), long, record(), long])
    check(payload)

    assert list(parts(payload)[1]) == ["command-2.sh", "command-4.sh"]


def test_files_of_a_message_stay_below_discords_limit():
    """
    Ten commands of 3 MB are not one post.
    """
    payloads = make().payloads([record(sent=b"\x00" * 2_200_000)] * 5)

    assert len(payloads) == 3
    assert max(len(payload.body) for payload in payloads) < 8_100_000


def test_a_batch_is_one_message_while_it_fits():
    """
    Ten embeds at most, and 6,000 characters over all of them.
    """
    short = record(method="GET", request_body=None, request_body_state="none", received=b"", request_headers=())
    assert [len(payload.entries) for payload in make().payloads([short] * 23)] == [10, 10, 3]
    assert max(len(payload.entries) for payload in make().payloads([record(received=b"y" * 900)] * 10)) < 5


def test_a_command_of_any_length_around_the_limit_is_shown_or_attached():
    """
    Whole in the description up to its limit, whole in a file beyond it.
    """
    attached = []
    for length in range(3_700, 4_000, 2):
        (payload,) = make().payloads([record(sent=b"x" * length)])
        check(payload)
        assert len(commands(payload)[0]) > length
        attached.append(bool(parts(payload)[1]))

    assert attached == sorted(attached)
    assert {*attached} == {False, True}


def test_sender_and_silence():
    """
    Name and picture as given, and no notification if asked; nobody is ever pinged.
    """
    options = {"username": " Night watch ", "avatar_url": "https://example.com/a.png", "silent": True}
    document, _ = parts(make(**options).payloads([record()])[0])

    assert document["username"] == "Night watch"
    assert document["avatar_url"] == "https://example.com/a.png"
    assert document["flags"] == 4096
    assert document["allowed_mentions"] == {"parse": []}


def test_the_plain_form_is_text_alone():
    """
    What could have been refused is left out: embeds, files, the sender; links get no preview.
    """
    inspector = make(username="x", silent=True)
    (payload,) = inspector.payloads([record(), record(sent=b"x" * 9_000)], plain=True)
    check(payload)
    document, files = parts(payload)

    assert set(document) == {"content", "allowed_mentions", "flags"}
    assert document["flags"] == 4 | 4096
    assert document["content"].startswith(
        "```\n503 Service Unavailable · POST api.example.com/v1/payments\nTook: 1,234 ms"
    )
    assert [("not runnable" in command) for command in commands(payload)] == [False, True]
    assert not files


# The answers.


def answer(code, body=None, **headers):
    return Answer(code, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (answer(401, {"code": 50027, "message": "x"}), DeadEndpoint, "HTTP 401, code 50027 (invalid token)"),
        (answer(404, {"code": 10015, "message": "x"}), DeadEndpoint, "HTTP 404, code 10015 (unknown webhook)"),
        (answer(403), DeadEndpoint, "HTTP 403"),
        (answer(400, {"code": 50035, "errors": {}}), BadPayload, "HTTP 400, code 50035"),
        (answer(400, {"code": True}), BadPayload, "HTTP 400"),
        (answer(400, [1]), BadPayload, "HTTP 400"),
        (answer(500, {"code": 0}), Transient, "HTTP 500, code 0"),
        (answer(302), DeadEndpoint, "HTTP 302"),
    ],
)  # fmt: skip
def test_refusals_have_their_number(given, kind, words):
    """
    The error says what follows, and Discord's own number says why; its text is not repeated.
    """
    with pytest.raises(kind) as caught:
        make().verdict(given)
    assert type(caught.value) is kind
    assert str(caught.value) == words


@pytest.mark.parametrize("given", [answer(204), answer(200, {"id": "1"}), Answer(200, {}, b"<html>")])
def test_success_is_silent(given):
    """
    204, or 200 with the message.
    """
    make().verdict(given)


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        (answer(429, {"retry_after": 0.533, "global": False}), 0.533),
        (answer(429, {"retry_after": 0.5}, retry_after="3"), 3.0),
        (answer(429, {"retry_after": 7}, retry_after="3", x_ratelimit_reset_after="2.5"), 7.0),
        (answer(429, x_ratelimit_reset_after="2.5"), 2.5),
        (answer(429, {"retry_after": "soon"}), None),
        (answer(429, {"retry_after": -1}), None),
        (Answer(429, {"retry-after": "4"}, b"error code: 1015"), 4.0),
    ],
)
def test_the_longest_wait_counts(given, wait):
    """
    Header, body and limits may differ; nothing goes out before the last of them is over.
    """
    with pytest.raises(Throttled) as caught:
        make().verdict(given)
    assert caught.value.retry_after == wait


@pytest.mark.parametrize("code", [400, 413])
def test_too_large_is_never_sent_again_at_that_size(code):
    """
    Discord says 413, or its number 40005.
    """
    with pytest.raises(BadPayload) as caught:
        make().verdict(answer(code, {"code": 40005}))
    assert caught.value.too_large


# On real sockets.


@pytest.fixture
def discord(receiver):
    """A receiver that answers like Discord, and the path of its webhook."""
    saved = status(200, headers={"X-RateLimit-Remaining": "4", "X-RateLimit-Reset-After": "2"}, body=b'{"id":"1"}')
    receiver.script("/api/webhooks/1/abc", then=saved)
    return receiver


def mount(session, pipeline, discord, **options):
    inspector = DiscordInspector(discord.url("/api/webhooks/1/abc"), cooldown=None, batch=BatchPolicy(10, 0), **options)
    return curl_interceptor.mount(session, inspector, pipeline=pipeline, match=Match(statuses="400-599"))


def test_a_failure_arrives_as_a_message(session, pipeline, api, discord):
    """
    From a failed call to a post that Discord takes, whose command is that of the call.
    """
    adapter = mount(session, pipeline, discord)
    session.post(api.url("/status/503"), json={"a": "@everyone ```"}, headers={"Authorization": "Bearer s3cr3t"})

    assert adapter.flush(5)
    (request,) = discord.requests
    assert request.target == "/api/webhooks/1/abc?wait=true"
    assert request.headers["content-type"] == "application/json"
    document = json.loads(request.body)
    assert document["embeds"][0]["title"].startswith("503 Service Unavailable · `POST 127.0.0.1:")
    assert "/status/503'" in document["embeds"][0]["description"]
    assert b"s3cr3t" not in request.body
    assert adapter.stats().delivered == 1


def test_a_long_command_arrives_as_a_file(session, pipeline, api, discord):
    """
    Multipart, as Discord documents it.
    """
    adapter = mount(session, pipeline, discord)
    session.post(api.url("/status/500"), data=b"line\n" * 4_000)

    assert adapter.flush(5)
    (request,) = discord.requests
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    payload = curl_interceptor.Payload((), request.body, request.headers["content-type"], url=request.target)
    check(payload)
    (content,) = parts(payload)[1].values()
    assert content.startswith(b"printf ") or b"base64 -d | curl" in content


def test_nothing_is_posted_before_the_wait_is_over(session, pipeline, api, discord):
    """
    A 429 costs no retry and loses nothing.
    """
    body = json.dumps({"message": "You are being rate limited.", "retry_after": 0.4, "global": False}).encode()
    discord.script("/api/webhooks/1/abc", [status(429, headers={"Retry-After": "0"}, body=body)], then=status(204))
    adapter = mount(session, pipeline, discord)
    session.get(api.url("/status/500"))

    first, second = discord.wait(2)
    assert second.time - first.time >= 0.39
    assert first.body == second.body
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


def test_a_message_that_is_refused_goes_once_more_as_text(session, pipeline, api, discord):
    """
    400 for the embed, then the plain form.
    """
    discord.script("/api/webhooks/1/abc", [status(400, body=b'{"code": 50035}')], then=status(204))
    adapter = mount(session, pipeline, discord)
    session.get(api.url("/status/404"))

    _, second = discord.wait(2)
    assert json.loads(second.body)["content"].startswith("```\n404 Not Found")
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


def test_an_unknown_webhook_is_told_once_with_its_number(session, pipeline, api, discord, caplog):
    """
    404 and 10015: the webhook was deleted; the log says so, and not where it was.
    """
    discord.script("/api/webhooks/1/abc", then=status(404, body=b'{"code": 10015, "message": "Unknown Webhook"}'))
    mount(session, pipeline, discord)
    session.get(api.url("/status/500"))
    discord.wait(1)
    until(lambda: "10015" in caplog.text)

    assert "code 10015 (unknown webhook)" in caplog.text
    assert "/abc" not in caplog.text


def test_more_than_the_limit_waits(session, pipeline, api, discord):
    """
    Five messages at once, the sixth when there is room for it again.
    """
    mount(session, pipeline, discord, rate_limit=RateLimit(5, 1.0))
    for code in range(500, 506):
        session.get(api.url(f"/status/{code}"), headers={"X-Long": "y" * 3_000})

    times = [request.time for request in discord.wait(6)]
    assert times[4] - times[0] < 0.75
    assert times[5] - times[0] >= 0.15
