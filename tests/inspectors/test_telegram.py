"""Telegram: what its inspector takes, how its messages look, what answers mean, and how it fares on real sockets."""

from __future__ import annotations

import json
import re

import pytest
from support.hostile_records import RECORDS, record
from support.receiver import status
from support.services.telegram import TOKEN, Sent, check, commands, make, read

import curl_interceptor
from curl_interceptor import (
    Answer,
    BadPayload,
    BatchPolicy,
    ConfigurationError,
    DeadEndpoint,
    Match,
    RetryPolicy,
    TelegramInspector,
    Throttled,
    Transient,
)
from curl_interceptor.inspectors.recognise import inspector_for

BASE = f"https://api.telegram.org/bot{TOKEN}"
SECRET = TOKEN.partition(":")[2]


# What is given.


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (f" {TOKEN}", "white space"),
        (f"{TOKEN}\n", "white space"),
        (f"{TOKEN[:20]} {TOKEN[20:]}", "white space"),
        ("", "is empty"),
        ("  ", "is empty"),
        (None, "must be a text, got NoneType"),
        (f"bot{TOKEN}", "leave out the 'bot'"),
        (f"{BASE}/sendMessage", "none of a bot"),
        (SECRET, "none of a bot"),
        (f"{TOKEN}?", "none of a bot"),
        (f"{TOKEN}é", "none of a bot"),
    ],
)
def test_a_token_that_cannot_work_is_refused(token, words):
    """
    At construction, in words that name the remedy and do not repeat the token.
    """
    with pytest.raises(ConfigurationError, match=re.escape(words)) as caught:
        TelegramInspector(token, 1)
    assert SECRET[:10] not in str(caught.value)


@pytest.mark.parametrize(
    ("chat", "words"),
    [
        ("", "chat_id is empty"),
        (" ", "chat_id is empty"),
        (None, "chat_id must be a number or a name"),
        (True, "chat_id must be a number or a name"),
        (1.5, "chat_id must be a number or a name"),
        (0, "chat_id is no number or name"),
        (10**30, "chat_id is no number or name"),
        ("-", "chat_id is no number or name"),
        ("name", "chat_id is no number or name"),
        ("@a b", "chat_id is no number or name"),
        ("١٢٣", "chat_id is no number or name"),
        ("-100 ", "chat_id is no number or name"),
    ],
)
def test_a_chat_that_cannot_be_is_refused(chat, words):
    """
    At construction: Telegram would refuse each message.
    """
    with pytest.raises(ConfigurationError, match=words):
        TelegramInspector(TOKEN, chat)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"message_thread_id": 0}, "message_thread_id"),
        ({"message_thread_id": True}, "message_thread_id"),
        ({"message_thread_id": "general"}, "message_thread_id"),
        ({"message_thread_id": 2**31}, "message_thread_id"),
        ({"silent": 1}, "silent"),
        ({"files": None}, "files"),
        ({"api_base": "ftp://x"}, "api_base must begin with .* expected something like 'https://api.telegram.org'"),
        ({"api_base": ""}, "api_base"),
        ({"api_base": f"{BASE}/"}, "without the token"),
        ({"api_base": "https://x/?a=1"}, "without the token"),
    ],
)
def test_other_values_that_cannot_work_are_refused(options, words):
    """
    At construction, without the token in the words.
    """
    with pytest.raises(ConfigurationError, match=words) as caught:
        make(**options)
    assert SECRET not in str(caught.value)


def test_the_token_is_shown_nowhere():
    """
    Neither by name nor by text, and no part of it.
    """
    inspector = make()
    (payload,) = inspector.payloads([record()])

    shown = f"{inspector.label} {inspector!r} {payload!r} {payload.body!r}"
    assert SECRET not in shown
    assert "110201543" not in shown


def test_a_url_with_a_bot_and_a_chat_is_recognised():
    """
    As one would paste it into a browser; the URL of a bot alone says to nobody where to send.
    """
    inspector = inspector_for(f"{BASE}/sendMessage?chat_id=-100123&message_thread_id=5")
    by_hand = TelegramInspector(TOKEN, "-100123", message_thread_id=5)

    assert isinstance(inspector, TelegramInspector)
    assert inspector.address == by_hand.address
    assert inspector.payloads([record()]) == by_hand.payloads([record()])
    for url in (
        f"{BASE}/sendMessage",
        f"{BASE}/sendMessage?chat_id=",
        "https://api.telegram.org/",
        f"{BASE}?chat_id=x",
    ):
        with pytest.raises(ConfigurationError, match="chat") as caught:
            inspector_for(url)
        assert SECRET not in str(caught.value)


def test_a_lane_is_a_bot_a_chat_and_a_topic():
    """
    Numbers given as texts are the same chat; other chats and topics have lanes of their own.
    """
    addresses = {
        TelegramInspector(TOKEN, chat, message_thread_id=topic).address
        for chat in (-100, "-100", 100, "@channel")
        for topic in (None, 7)
    }
    assert len(addresses) == 6
    assert all(address.startswith(f"{BASE}/sendMessage?chat_id=") for address in addresses)


def test_another_server_may_be_named():
    """
    A server of one's own, with a path if need be.
    """
    (payload,) = TelegramInspector("1:abc", 5, api_base="http://127.0.0.1:8081/tg/").payloads([record()])
    assert payload.url == "http://127.0.0.1:8081/tg/bot1:abc/sendMessage"


# The shape.


def sent_of(entry, **options) -> Sent:
    """Return the one message of a record, which Telegram would take."""
    (payload,) = make(**options).payloads([entry])
    check(payload)
    return read(payload)


def test_a_message_says_it_all():
    """
    Light, status, request, command, facts, origin and response.
    """
    sent = sent_of(RECORDS["labels of the app"])
    first, command, *lines = sent.text.split("\n")

    assert first == "🔴 503 Service Unavailable · POST api.example.com/v1/payments"
    assert sent.parts("bold") == ["503 Service Unavailable"]
    assert sent.parts("pre", language="bash") == [command]
    assert lines[:4] == ["Took: 1,234 ms", "Size: 16 B sent, 28 B received", "When: 2024-05-01 14:02:07 UTC",
                         "checkout · live · web-3 · request id 8f3a"]  # fmt: skip
    assert sent.parts("pre", language="json") == ['{\n  "error": "try again later"\n}']
    assert sent.file is None


def test_lights_tell_errors_from_warnings():
    """
    5xx and exceptions, 4xx, and the rest.
    """
    assert [sent_of(record(status=code)).text[0] for code in (503, 404, 200)] == ["🔴", "🟠", "🔵"]


def test_offsets_count_as_telegram_counts():
    """
    A letter outside of the basic plane counts twice; all that follows it is still where it is said to be.
    """
    sent = sent_of(record(url="https://api.example.com/👍🏽/🇩🇪", received="😀 a 😀".encode()))

    assert sent.parts("code")[0] == "POST api.example.com/👍🏽/🇩🇪"
    assert sent.parts("pre")[-1] == "😀 a 😀"


def test_a_command_too_long_for_a_message_is_attached():
    """
    The caption shows its head and says where the rest is; the file holds it whole.
    """
    entry = record(sent=b"x" * 8_214)
    sent = sent_of(entry)

    assert "(body of 8,214 bytes left out: not runnable)\n" in sent.text
    assert sent.file == f"{curl_interceptor.render(entry)}\n".encode()
    assert sent.parts("pre", language="json")


@pytest.mark.parametrize("entry", [record(sent=b"x" * 8_214), record(sent=bytes(7_000_000))])
def test_a_command_that_may_not_be_attached_is_cut(entry):
    """
    With `files=False`, or if it is huge, the message says that its command cannot be run.
    """
    sent = sent_of(entry, files=len(entry.request_body) > 10_000)

    assert sent.parts("pre", language="bash")[0].endswith(" bytes left out: not runnable)")
    assert sent.file is None


def test_a_batch_is_one_message_while_it_fits():
    """
    In the order of the batch; a file takes a message of its own.
    """
    short = record(method="GET", request_body=None, request_body_state="none", received=b"", request_headers=())
    long = record(sent=b"x" * 9_000)
    payloads = make().payloads([short, short, long, short, *[record(received=b"y" * 900)] * 5])
    for payload in payloads:
        check(payload)

    assert [len(payload.entries) for payload in payloads][:3] == [2, 1, 3]
    assert [read(payload).file is not None for payload in payloads][:3] == [False, True, False]


def test_a_message_has_no_more_entities_than_telegram_keeps():
    """
    Beyond a hundred they would be ignored, and text of others would stand there bare.
    """
    tiny = record(url="http://a/", request_headers=(), request_body=None, request_body_state="none", received=b"")
    entries = [tiny] * 200
    for payload in make().payloads(entries) + make().payloads(entries, plain=True):
        check(payload)
        assert len(payload.entries) > 5


def test_a_topic_and_silence():
    """
    Both as asked, in messages with and without a file, rich and plain.
    """
    inspector = make(message_thread_id=42, silent=True)
    long = record(sent=b"x" * 9_000)
    payloads = inspector.payloads([record(), long]) + inspector.payloads([long], plain=True)

    found = [read(payload).parameters for payload in payloads]
    assert [str(one["message_thread_id"]) for one in found] == ["42"] * 3
    assert [json.dumps(one["disable_notification"]).strip('"') for one in found] == ["true"] * 3


def test_the_plain_form_is_code_alone():
    """
    No files, no light, no languages: blocks of code, in which nobody can be mentioned.
    """
    (payload,) = make().payloads([record(), record(sent=b"x" * 9_000)], plain=True)
    check(payload)
    sent = read(payload)

    assert {tuple(sorted(one)) for one in sent.entities} == {("length", "offset", "type")}
    assert sent.text.startswith("503 Service Unavailable · POST api.example.com/v1/payments\nTook: 1,234 ms")
    assert [("not runnable" in command) for command in commands(payload)] == [False, True]


# The answers.


def said(code, description="", parameters=None, **headers):
    body = {"ok": False, "error_code": code, "description": description}
    return Answer(code, headers, json.dumps({**body, **({"parameters": parameters} if parameters else {})}).encode())


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (said(401, "Unauthorized"), DeadEndpoint, "HTTP 401 (unauthorized)"),
        (said(403, "Forbidden: bot was blocked by the user"), DeadEndpoint, "HTTP 403 (bot was blocked)"),
        (said(404, "Not Found"), DeadEndpoint, "HTTP 404"),
        (said(400, "Bad Request: chat not found"), DeadEndpoint, "HTTP 400 (chat not found)"),
        (said(400, "Bad Request: message thread not found"), DeadEndpoint, "HTTP 400 (message thread not found)"),
        (said(400, "Bad Request: can't parse entities: s3cr3t"), BadPayload, "HTTP 400 (can't parse entities)"),
        (said(400, "s3cr3t"), BadPayload, "HTTP 400"),
        (said(400, 5), BadPayload, "HTTP 400"),
        (said(502, "Bad Gateway"), Transient, "HTTP 502"),
        (Answer(502, {}, b"<html>"), Transient, "HTTP 502"),
        (Answer(302, {}), DeadEndpoint, "HTTP 302"),
        (Answer(200, {}, b'{"ok":false,"error_code":403}'), DeadEndpoint, "HTTP 403"),
        (Answer(200, {}, b'{"ok":false,"error_code":429,"parameters":{"retry_after":3}}'), Throttled, "HTTP 429"),
        (Answer(200, {}, b'{"ok":false,"error_code":true}'), Transient, "HTTP 500"),
        (Answer(200, {}, b'{"ok":false}'), Transient, "HTTP 500"),
        (Answer(200, {}, b'{"ok":"true"}'), DeadEndpoint, "HTTP 200 without the 'ok' of a Bot API: check api_base"),
        (Answer(200, {}, b"ok"), DeadEndpoint, "HTTP 200 without the 'ok' of a Bot API: check api_base"),
        (Answer(204, {}), DeadEndpoint, "HTTP 204 without the 'ok' of a Bot API: check api_base"),
        (Answer(200, {}, b"[" * 60_000), DeadEndpoint, "HTTP 200 without the 'ok' of a Bot API: check api_base"),
    ],
)
def test_refusals_are_read_in_the_body(given, kind, words):
    """
    `ok` decides, then the status; of what is said only known words are repeated.
    """
    with pytest.raises(kind) as caught:
        make().verdict(given)
    assert type(caught.value) is kind
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "given",
    [
        Answer(200, {}, b'{"ok":true,"result":{"message_id":7}}'),
        Answer(200, {}, b' {\n "ok" : true, "result": {"text": "' + b"x" * 70_000, complete=False),
    ],
)
def test_success_is_silent(given):
    """
    Also where the answer repeats so much of the message that it is not read to its end.
    """
    make().verdict(given)


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        (said(429, "Too Many Requests: retry after 35", {"retry_after": 35}), 35.0),
        (said(429, "", {"retry_after": 5}, **{"retry-after": "40"}), 40.0),
        (said(429, "", {"retry_after": "soon"}), None),
        (said(429), None),
        (Answer(429, {"retry-after": "4"}, b"<html>"), 4.0),
        (said(429, "", [1]), None),
    ],
)
def test_the_longest_wait_counts(given, wait):
    """
    Header and body may differ; nothing goes out before the last of them is over.
    """
    with pytest.raises(Throttled) as caught:
        make().verdict(given)
    assert caught.value.retry_after == wait


@pytest.mark.parametrize(
    "given", [Answer(413, {}), said(400, "Bad Request: message is too long"), said(400, "MEDIA_CAPTION_TOO_LONG")]
)
def test_too_large_is_never_sent_again_at_that_size(given):
    """
    413, or words to that effect.
    """
    with pytest.raises(BadPayload) as caught:
        make().verdict(given)
    assert caught.value.too_large


def moved(to):
    return said(400, "Bad Request: group chat was upgraded to a supergroup chat", {"migrate_to_chat_id": to})


@pytest.mark.parametrize("entry", [record(), record(sent=b'"chat_id":-123,' * 600)], ids=["message", "file"])
@pytest.mark.parametrize("plain", [False, True], ids=["rich", "plain"])
def test_a_group_that_moved_is_followed(entry, plain):
    """
    What was made before goes to the new number by its next attempt, changed in nothing else; so does what comes later.
    """
    inspector = TelegramInspector(TOKEN, -123)
    (before,) = inspector.payloads([entry], plain=plain)
    assert inspector.renewed(before) is before
    with pytest.raises(Transient, match="chat_id is -1009876 now"):
        inspector.verdict(moved(-1009876))

    again = inspector.renewed(before)
    assert str(read(again).parameters.pop("chat_id")) == "-1009876"
    assert (read(again).text, read(again).entities, read(again).file) == (
        read(before).text, read(before).entities, read(before).file,
    )  # fmt: skip
    (later,) = inspector.payloads([entry], plain=plain)
    assert read(later) == read(again)
    assert inspector.renewed(later) == later
    assert inspector.address == TelegramInspector(TOKEN, -123).address


def test_a_group_that_moves_on_and_on_is_not_followed():
    """
    A second number is an error; an odd one is none.
    """
    inspector = make()
    for odd in (True, "x", 0, None, 1.5, 10**30):
        with pytest.raises(DeadEndpoint, match="group chat was upgraded"):
            inspector.verdict(moved(odd))
    for _ in range(2):
        with pytest.raises(Transient):
            inspector.verdict(moved(-1001))
    with pytest.raises(DeadEndpoint, match="again and again"):
        inspector.verdict(moved(-1002))


# On real sockets.


PATH = "/bot1:s3cr3t-t0ken"
OK = status(200, body=b'{"ok":true,"result":{"message_id":1}}')


def mount(session, pipeline, receiver, **options):
    options = {"cooldown": None, "batch": BatchPolicy(10, 0), "rate_limit": None, **options}
    inspector = TelegramInspector("1:s3cr3t-t0ken", -5, api_base=receiver.url("/").rstrip("/"), **options)
    return curl_interceptor.mount(session, inspector, pipeline=pipeline, match=Match(statuses="400-599"))


def test_a_failure_arrives_as_a_message(session, pipeline, api, receiver):
    """
    From a failed call to a post that Telegram takes, whose command is that of the call.
    """
    receiver.script(f"{PATH}/sendMessage", then=OK)
    adapter = mount(session, pipeline, receiver)
    session.post(api.url("/status/503"), json={"a": "<b>@channel</i> ```"}, headers={"Authorization": "Bearer s3cr3t"})

    assert adapter.flush(5)
    (request,) = receiver.requests
    assert request.target == f"{PATH}/sendMessage"
    payload = curl_interceptor.Payload((), request.body, request.headers["content-type"])
    assert "/status/503'" in commands(payload)[0]
    assert b"s3cr3t" not in request.body
    assert adapter.stats().delivered == 1
    assert "s3cr3t" not in str(adapter.stats())


def test_a_long_command_arrives_as_a_file(session, pipeline, api, receiver):
    """
    Multipart, to the method for documents.
    """
    receiver.script(f"{PATH}/sendDocument", then=OK)
    adapter = mount(session, pipeline, receiver)
    session.post(api.url("/status/500"), data=b"line\n" * 4_000)

    assert adapter.flush(5)
    (request,) = receiver.requests
    assert request.target == f"{PATH}/sendDocument"
    sent = read(curl_interceptor.Payload((), request.body, request.headers["content-type"]))
    assert sent.file is not None
    assert b"curl" in sent.file
    assert sent.parameters == {"chat_id": "-5"}


def test_nothing_is_sent_before_the_wait_is_over(session, pipeline, api, receiver):
    """
    A 429 costs no retry and loses nothing.
    """
    body = json.dumps({"ok": False, "error_code": 429, "parameters": {"retry_after": 1}}).encode()
    receiver.script(f"{PATH}/sendMessage", [status(429, body=body)], then=OK)
    adapter = mount(session, pipeline, receiver, retry=RetryPolicy(retries=0))
    session.get(api.url("/status/500"))

    first, second = receiver.wait(2)
    assert second.time - first.time >= 0.99
    assert first.body == second.body
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


@pytest.mark.parametrize("retries", [0, 3])
def test_a_group_that_became_a_supergroup_gets_its_message(session, pipeline, api, receiver, retries):
    """
    Once more to the new number, as rich as before, also where there are no retries; the next one goes there at once.
    """
    body = {"ok": False, "error_code": 400, "parameters": {"migrate_to_chat_id": -100777}}
    receiver.script(f"{PATH}/sendMessage", [status(400, body=json.dumps(body).encode())], then=OK)
    adapter = mount(session, pipeline, receiver, retry=RetryPolicy(retries=retries, wait=0.05))
    session.get(api.url("/status/500"))
    receiver.wait(2)
    assert adapter.flush(5)
    session.get(api.url("/status/502"))
    assert adapter.flush(5)

    first, second, third = (json.loads(request.body) for request in receiver.requests)
    assert [one.pop("chat_id") for one in (first, second, third)] == [-5, -100777, -100777]
    assert first == second
    assert adapter.stats().delivered == 2


def test_an_unknown_bot_is_told_without_its_token(session, pipeline, api, receiver, caplog):
    """
    401: the token was revoked; the log says so, and not what it was.
    """
    body = b'{"ok":false,"error_code":401,"description":"Unauthorized"}'
    receiver.script(f"{PATH}/sendMessage", then=status(401, body=body))
    adapter = mount(session, pipeline, receiver)
    session.get(api.url("/status/500"))
    receiver.wait(1)
    adapter.flush(1)

    assert "HTTP 401 (unauthorized)" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert adapter.stats().delivered == 0
