"""Teams: what its inspector takes, how its cards look, what its answers mean, and how it fares on real sockets."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest
from support.corpus import case, judge, perform
from support.hostile_records import RECORDS, record
from support.receiver import status
from support.services import first_cut
from support.services.teams import card_of, check, commands, make
from support.shells import Room
from support.wire import WireServer

import curl_interceptor
from curl_interceptor import (
    Answer,
    BadPayload,
    BatchPolicy,
    ConfigurationError,
    DeadEndpoint,
    Match,
    RateLimit,
    TeamsInspector,
    Throttled,
    Transient,
    WebhookInspector,
)
from curl_interceptor.inspectors.recognise import inspector_for

FLOW = "/workflows/4d/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers&sv=1.0&sig=aB_c-4"
WORDS = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {} with ContextId x."


# What is given.


@pytest.mark.parametrize(
    "url",
    [
        f"https://prod-12.westeurope.logic.azure.com:443{FLOW}",
        f"https://default0a1b.c2.environment.api.powerplatform.com:443/powerautomate/automations/direct{FLOW}",
        f"https://prod-1.usgovvirginia.logic.azure.us{FLOW}",
        "https://example.webhook.office.com/webhookb2/1@2/IncomingWebhook/3/4",
        "https://outlook.office.com/webhook/1@2/IncomingWebhook/3/4",
        "HTTPS://OUTLOOK.OFFICE365.COM/webhook/1@2/IncomingWebhook/3/4",
    ],
)
def test_a_url_of_teams_is_recognised(url):
    """
    Those of Workflows on all of their hosts, and those of the older connectors.
    """
    assert isinstance(inspector_for(url), TeamsInspector)


def test_other_hosts_are_no_teams():
    """
    A host that only looks like Microsoft's gets the generic webhook; by hand any host will do.
    """
    assert type(inspector_for(f"https://notlogic.azure.com.example{FLOW}")) is WebhookInspector
    assert TeamsInspector("http://127.0.0.1:8080/proxy").address == "http://127.0.0.1:8080/proxy"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://prod-12.westeurope.logic.azure.com/workflows/4d/paths/invoke?api-version=1&sp=aB_c-4", "no 'sig'"),
        ("https://a.api.powerplatform.com/workflows/aB_c-4?sig=", "no 'sig'"),
        (f"http://prod-12.westeurope.logic.azure.com{FLOW}", "https://"),
        ("https://outlook.office.com/mail/aB_c-4", "none of a webhook"),
        ("", "is empty"),
        (None, "must be a URL"),
        (f" https://x.logic.azure.com{FLOW}", "white space"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url, words):
    """
    At construction, in words that name the remedy and do not repeat the URL.
    """
    with pytest.raises(ConfigurationError, match=re.escape(words)) as caught:
        TeamsInspector(url)
    assert "aB_c-4" not in str(caught.value)


def test_the_default_limit_keeps_below_both_of_teams():
    """
    Four in a second and sixty in thirty.
    """
    limit = TeamsInspector.defaults["rate_limit"]

    assert isinstance(limit, RateLimit)
    assert limit.count * 1 / limit.seconds <= 4
    assert limit.count * 30 / limit.seconds <= 60


# The shape.


def items_of(entry: Any, **options: Any) -> list[dict[str, Any]]:
    """Return the elements of the one card of a record, which Teams would take."""
    (payload,) = make(**options).payloads([entry])
    check(payload)
    (container,) = card_of(payload)["body"]
    return container["items"]


def read(element: dict[str, Any]) -> str:
    return "".join(run["text"] for run in element["inlines"])


def test_a_card_says_it_all():
    """
    Title, command, facts, origin and response, from the top down; a short text for lists of messages.
    """
    title, command, *facts, origin, name, response = items_of(RECORDS["labels of the app"])

    assert read(title) == "503 Service Unavailable · POST api.example.com/v1/payments"
    assert title["inlines"][0]["color"] == "Attention"
    assert command["codeSnippet"].startswith("curl ")
    assert read(facts[0]) == "Took: 1,234 ms"
    assert read(origin) == "checkout · live · web-3 · request id 8f3a"
    assert read(name) == "Response"
    assert (response["language"], response["codeSnippet"]) == ("Json", '{\n  "error": "try again later"\n}')


def test_colours_tell_errors_from_warnings():
    """
    5xx and exceptions, 4xx, and the rest.
    """
    colours = [items_of(record(status=code))[0]["inlines"][0]["color"] for code in (503, 404, 200)]
    assert colours == ["Attention", "Warning", "Accent"]


def test_a_function_in_text_of_others_is_not_carried_out():
    """
    `{{DATE(…)}}` is shown as it was written: it stands in no text that a client looks at by itself.
    """
    said = "{{DATE(2024-01-01T00:00:00Z, SHORT)}} {{{TIME(x)}}"
    fact = next(one for one in items_of(record(error="x.Broken", error_message=said))[2:] if "Error: " in read(one))

    assert read(fact) == f"Error: x.Broken: {said}"


def test_a_batch_is_one_card_while_it_fits():
    """
    Bounded by bytes, not by number; the first text names the others.
    """
    entries = [record(received=b"y" * 100)] * 40
    payloads = make().payloads(entries)

    assert sum(len(payload.entries) for payload in payloads) == 40
    assert len(payloads[0].entries) > 5
    assert max(len(payload.body) for payload in payloads) > 17_000
    count = len(payloads[0].entries)
    assert card_of(payloads[0])["fallbackText"] == f"503 Service Unavailable and {count - 1} more"


def test_a_command_of_any_length_around_the_limit_is_whole_or_says_that_it_is_not():
    """
    As long as it has room with its fallback it is whole.
    """
    assert first_cut("teams", range(7_000, 10_000, 50)) > 8_500


def test_the_plain_form_is_lines_of_text():
    """
    One kind of element, of an old version of the schema, without anything that is only Microsoft's.
    """
    (payload,) = make().payloads([record(), record(sent=b"x" * 20_000)], plain=True)
    check(payload)
    card = card_of(payload)

    assert card["version"] == "1.2"
    assert "msteams" not in card
    assert {element["type"] for element in card["body"]} == {"RichTextBlock"}
    assert read(card["body"][0]) == "503 Service Unavailable · POST api.example.com/v1/payments"
    assert [("not runnable" in command) for command in commands(payload)] == [False, True]


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_a_command_of_the_plain_form_sends_what_the_app_sent(tmp_path):
    """
    Though a browser shows spaces side by side as one.
    """
    room = Room(tmp_path)
    spaces = ["a  b", "   ", "x   'y'   z\\  \\", "``   ```  ", '{"a":  "  "}', "\n  \n   %s  \x00"]
    for body in spaces:
        with WireServer() as server:
            sent = perform(case("spaces", "POST", data=body, headers={"X-Spaces": "a   b"}), server)
            (payload,) = make().payloads([sent.record], plain=True)
            shown = re.sub(" +", " ", read(card_of(payload)["body"][-1]))
            room.run("bash", [shown])
            verdict = judge(sent, server)

        assert verdict, str(verdict)


# The answers.


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (Answer(200, {}, WORDS.format(400).encode()), BadPayload, "HTTP 200 with words of an error 400"),
        (Answer(200, {}, WORDS.format(404).encode()), DeadEndpoint, "HTTP 200 with words of an error 404"),
        (Answer(200, {}, WORDS.format(429).encode()), Throttled, "HTTP 200 with words of an error 429"),
        (Answer(200, {}, WORDS.format(503).encode()), Transient, "HTTP 200 with words of an error 503"),
        (Answer(200, {}, b"Webhook message delivery failed with error: Error contacting Microsoft Teams endpoint"),
         Transient, "HTTP 200 with words of an error"),
        (Answer(200, {}, b"Message size exceeds the limit of 28 KB."), BadPayload, "HTTP 200 with words of a size"),
        (Answer(202, {}, b"Rate limit is exceeded."), Throttled, "HTTP 202 with words of a limit"),
        (Answer(200, {}, b'{"error": {"code": 429}}'), Throttled, "HTTP 200 with words of an error 429"),
        (Answer(200, {}, b"\n<html>Sign in"), DeadEndpoint, "HTTP 200 with a web page, as Teams never answers"),
        (Answer(400, {}, b'{"error": {"code": "TriggerInputSchemaMismatch"}}'), BadPayload,
         "HTTP 400 (the flow wants another form)"),
        (Answer(400, {}, b'{"error": {"code": "WorkflowTriggerIsNotEnabled"}}'), DeadEndpoint,
         "HTTP 400 (the flow is turned off)"),
        (Answer(401, {}, b'{"error": {"code": "s3cr3t"}}'), DeadEndpoint, "HTTP 401"),
        (Answer(404, {}, b'{"error": "s3cr3t"}'), DeadEndpoint, "HTTP 404"),
        (Answer(502, {}, b"bad gateway"), Transient, "HTTP 502"),
    ],
)  # fmt: skip
def test_refusals_are_read_where_they_stand(given, kind, words):
    """
    In the status, or in the words that come with a good one; what is said is not repeated.
    """
    with pytest.raises(kind) as caught:
        make().verdict(given)
    assert type(caught.value) is kind
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "given",
    [
        Answer(202, {}),
        Answer(200, {}, b"1"),
        Answer(200, {}, b"ok"),
        Answer(200, {}, b'{"status": "posted", "limit": 5}'),
        Answer(200, {}, b'{"error": null}'),
        Answer(202, {}, b"\xff\xfe"),
    ],
)
def test_success_is_silent(given):
    """
    202, "1" of a connector, or whatever the author of a flow lets it answer.
    """
    make().verdict(given)


def test_too_large_is_never_sent_again_at_that_size():
    """
    413 as a status or in words.
    """
    for given in (Answer(413, {}), Answer(200, {}, WORDS.format(413).encode())):
        with pytest.raises(BadPayload) as caught:
            make().verdict(given)
        assert caught.value.too_large


def test_a_time_to_wait_is_kept():
    """
    In a header, beside words of a limit, too.
    """
    for given in (Answer(429, {"retry-after": "7"}), Answer(200, {"retry-after": "7"}, WORDS.format(429).encode())):
        with pytest.raises(Throttled) as caught:
            make().verdict(given)
        assert caught.value.retry_after == 7.0


# On real sockets.


PATH = "/workflows/1/triggers/manual/paths/invoke"


def mount(session, pipeline, receiver, **options):
    url = receiver.url(f"{PATH}?api-version=1&sig=s1gn4tur3")
    inspector = TeamsInspector(url, cooldown=None, batch=BatchPolicy(10, 0), **options)
    return curl_interceptor.mount(session, inspector, pipeline=pipeline, match=Match(statuses="400-599"))


def test_a_failure_arrives_as_a_card(session, pipeline, api, receiver):
    """
    From a failed call to a post that Teams takes, whose command is that of the call.
    """
    receiver.script(PATH, then=status(202))
    adapter = mount(session, pipeline, receiver)
    session.post(api.url("/status/503"), json={"a": "**b** {{DATE(x)}}"}, headers={"Authorization": "Bearer s3cr3t"})

    assert adapter.flush(5)
    (request,) = receiver.requests
    assert request.target == f"{PATH}?api-version=1&sig=s1gn4tur3"
    payload = curl_interceptor.Payload((), request.body, request.headers["content-type"])
    check(payload)
    assert "/status/503'" in commands(payload)[0]
    assert b"s3cr3t" not in request.body
    assert adapter.stats().delivered == 1
    assert "s1gn4tur3" not in str(adapter.stats())


def test_a_limit_told_with_a_good_status_loses_nothing(session, pipeline, api, receiver):
    """
    200 with the words of a 429: the same card again, after a pause.
    """
    words = status(200, headers={"Retry-After": "0.3"}, body=WORDS.format(429).encode())
    receiver.script(PATH, [words], then=status(200, body=b"1"))
    adapter = mount(session, pipeline, receiver)
    session.get(api.url("/status/500"))

    first, second = receiver.wait(2)
    assert second.time - first.time >= 0.29
    assert first.body == second.body
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1


def test_a_card_that_is_refused_goes_once_more_plainly(session, pipeline, api, receiver):
    """
    400 in the words of a connector, then lines of text.
    """
    receiver.script(PATH, [status(200, body=WORDS.format(400).encode())], then=status(200, body=b"1"))
    adapter = mount(session, pipeline, receiver)
    session.get(api.url("/status/404"))

    _, second = receiver.wait(2)
    assert json.loads(second.body)["attachments"][0]["content"]["version"] == "1.2"
    assert adapter.flush(5)
    assert adapter.stats().delivered == 1
