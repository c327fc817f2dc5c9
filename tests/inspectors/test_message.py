"""What a message says, what is left out of it first, and how messages share a post."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hostile_records import RECORDS, record, records
from support.services import assert_visible

from curl_interceptor import render
from curl_interceptor.inspectors.message import Message, Room, describe, fit, pack

SOME = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
MEASURES = {
    "code points": len,
    "after escaping": lambda text: len(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")),
    "UTF-16": lambda text: len(text.encode("utf-16-le")) // 2,
    "bytes of JSON": lambda text: len(json.dumps(text)) - 2,
}
ROOMY = Room(total=10_000_000)
LONG = record(sent=b"l'ine\n" * 1_000, received=b"x" * 3_000, context=(("service", "checkout"), ("host", "web-3")))


def facts(message: Message) -> dict[str, str]:
    return dict(message.facts)


def test_the_headline_says_what_happened_to_what():
    """
    Status first, so that a cut never takes it; the query is left to the command.
    """
    message = describe(record())

    assert message.title == "503 Service Unavailable · POST api.example.com/v1/payments"
    assert message.level == "error"


@pytest.mark.parametrize(
    ("changes", "outcome", "level"),
    [
        ({"status": 404}, "404 Not Found", "warning"),
        ({"status": 200}, "200 OK", "info"),
        ({"status": 799}, "799", "error"),
        ({"error": "requests.exceptions.ReadTimeout", "status": None}, "ReadTimeout", "error"),
        ({"error": "a.<locals>.`@everyone`", "status": None}, "everyone", "error"),
        ({"error": "***", "status": None}, "Exception", "error"),
        ({"status": None}, "No response", "info"),
    ],
)
def test_the_outcome_is_made_of_words(changes, outcome, level):
    """
    Whatever a server or an exception calls itself, the outcome holds nothing that a service could take for markup.
    """
    message = describe(record(**changes))

    assert (message.outcome, message.level) == (outcome, level)


def test_facts_say_when_how_long_and_how_much():
    """
    Milliseconds, bytes in both directions, and the time in UTC.
    """
    assert facts(describe(record())) == {
        "Took": "1,234 ms",
        "Size": "16 B sent, 28 B received",
        "When": "2024-05-01 14:02:07 UTC",
    }


def test_facts_of_failures_come_first():
    """
    The error and the count of equal ones stand at the top, where they are left out last.
    """
    message = describe(
        record(error="x.Broken", error_message="gone\n", duration=60.0, suppressed=36, suppressed_since=1_714_571_000.0)
    )

    assert [name for name, _ in message.facts][:2] == ["Error", "Repeated"]
    assert facts(message)["Error"] == "x.Broken: gone\\n"
    assert facts(message)["Repeated"] == "\N{MULTIPLICATION SIGN}37 since 13:43 UTC"
    assert facts(message)["Took"] == "1,234 ms, 60,000 ms with the body"
    assert facts(message)["Status"] == "503, before the error"


def test_a_count_since_another_day_names_the_day():
    """
    Half past six of which day?
    """
    message = describe(record(suppressed=2, suppressed_since=1_714_480_000.0))

    assert facts(message)["Repeated"] == "\N{MULTIPLICATION SIGN}3 since 2024-04-30 12:26 UTC"


def test_a_reason_is_told_if_it_is_the_servers_own():
    """
    What the status says anyway is not said twice.
    """
    assert "Reason" not in facts(describe(record(reason="SERVICE unavailable")))
    assert facts(describe(record(reason="Back at \x1bten")))["Reason"] == "Back at \\x1bten"


def test_variables_of_the_command_are_named():
    """
    A command with variables runs only after they are set.
    """
    assert facts(describe(RECORDS["variables"]))["Set first"] == "$API_TOKEN"


def test_the_origin_is_one_line_in_the_order_of_interest():
    """
    Service, environment and host need no name; other labels have theirs.
    """
    assert describe(RECORDS["labels of the app"]).origin == "checkout · live · web-3 · request id 8f3a"


def test_the_response_is_shown_and_json_is_indented():
    """
    The head of the response, over lines.
    """
    (section,) = describe(record()).sections

    assert section == ("Response", '{\n  "error": "try again later"\n}', "json")


def test_the_request_body_is_shown_where_the_command_has_to_encode_it():
    """
    A body of one line can be read in the command; one in base64, octal numbers or without end cannot.
    """
    assert [section.name for section in describe(record(sent=b"a=1")).sections] == ["Response"]
    assert describe(record(sent=b"a\nb")).sections[1] == ("Request body", "a\nb", "")
    assert describe(record(sent=b"\x00\x01\xff" * 9)).sections[1].text == "(27 bytes that are no text)"
    assert describe(record(sent=b"[" + b"1," * 900 + b"1]")).sections[1].language == "json"


@pytest.mark.parametrize("case", RECORDS)
def test_everything_in_a_message_can_be_seen(case):
    """
    Controls, marks of direction and characters without width come as escapes, and only sections have lines.
    """
    message = describe(RECORDS[case])

    for text in (message.summary, message.command, *(section.text for section in message.sections)):
        assert_visible(text)
    for line in (message.title, message.command, message.origin, *(value for _, value in message.facts)):
        assert "\n" not in line
        assert "\t" not in line
    assert all(value.strip() for _, value in message.facts)
    assert "```" not in message.command


def test_a_message_with_room_is_whole():
    """
    Nothing is left out that has room.
    """
    message = describe(LONG)

    assert fit(message, replace(ROOMY, section=10_000, fact=1_000)) == message


def test_the_command_is_left_out_last():
    """
    While room goes, first the sections go, the request body before the response; then origin and facts, from the last;
    then the command is cut. What is gone does not come back.
    """
    message = describe(LONG)
    seen = []
    for total in range(12_000, 100, -20):
        fitted = fit(message, Room(total=total, section=2_000))
        seen.append(
            (not fitted.whole, len(fitted.facts), bool(fitted.origin), [section.name for section in fitted.sections])
        )
        if seen[-1][1] < len(message.facts) and not fitted.whole:
            assert not fitted.sections
            assert not fitted.origin

    stages = [stage for index, stage in enumerate(seen) if index == 0 or stage != seen[index - 1]]
    assert stages[0] == (True, 3, True, ["Response", "Request body"])
    assert stages[1] == (True, 3, True, ["Response"])
    whole = [stage for stage in stages if stage[0]]
    assert whole == sorted(whole, key=lambda stage: (len(stage[3]), stage[2], stage[1]), reverse=True)
    assert stages == whole + [stage for stage in stages if not stage[0]]


def test_a_command_that_is_cut_says_so():
    """
    Headers stay, the body goes, and the whole command is kept beside.
    """
    message = describe(record(sent=b"x" * 8_214))
    fitted = fit(message, Room(total=6_000))

    assert fitted.command.endswith(" (body of 8,214 bytes left out: not runnable)")
    assert "-X POST" in fitted.command
    assert "'Content-Type: application/json'" in fitted.command
    assert fitted.whole == message.command == render(message.entry)


def test_headers_go_where_the_body_is_not_enough():
    """
    The first headers stay; how many have gone is said.
    """
    fitted = fit(describe(RECORDS["300 headers and a body"]), Room(total=4_000))

    assert fitted.command.endswith(" (282 headers and body of 9,000 bytes left out: not runnable)")
    assert len(fitted.command) < 2_000


def test_a_url_without_end_leaves_a_sentence():
    """
    Where not even the URL has room, a comment says what is missing.
    """
    assert fit(describe(RECORDS["URL of 30 KB"]), Room(total=4_000)).command.startswith(
        "# not runnable: a command of 3"
    )


@pytest.mark.parametrize("measure", MEASURES)
@SOME
@given(entry=records(), total=st.integers(0, 9_000), limit=st.integers(0, 2_000), frame=st.integers(0, 90))
def test_a_fitted_message_never_exceeds_its_room(measure, entry, total, limit, frame):
    """
    Whatever the service counts, the sum stays within the total, and each part within its own limit.
    """
    room = Room(total + frame, limit, limit, limit, limit, frame, MEASURES[measure])
    fitted = fit(describe(entry), room)

    assert room.size(fitted) <= room.total
    for part in (fitted.title, fitted.command, fitted.origin):
        assert room.measure(part) <= limit
    for text in (*(value for _, value in fitted.facts), *(section.text for section in fitted.sections)):
        assert 0 < room.measure(text) <= limit
    assert fitted.command == describe(entry).command or fitted.whole


@given(st.lists(st.integers(1, 10), max_size=30))
def test_packing_keeps_the_order_and_opens_a_post_only_when_it_must(sizes):
    """
    Every message is in one group, every group has room, and no group could have taken the next message.
    """
    message = describe(record())
    messages = [replace(message, request=str(size)) for size in sizes]

    def fits(group):
        return sum(int(one.request) for one in group) <= 10

    groups = pack(messages, fits)
    assert [one for group in groups for one in group] == messages
    assert all(fits(group) for group in groups)
    assert not any(fits([*group, following[0]]) for group, following in pairwise(groups))
