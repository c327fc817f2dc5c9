"""What every inspector of the folder holds, whatever it is asked to tell."""

from __future__ import annotations

import base64
import functools
import itertools
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hostile_notices import NOTICES, notice, notices
from support.hostile_records import RECORDS, records
from support.services import service

from curl_interceptor import Redaction, render
from curl_interceptor.inspectors.message import describe
from curl_interceptor.inspectors.registry import inspector_class, names
from curl_interceptor.records.exchange import Exchange, Failure, RequestFacts, ResponseFacts
from curl_interceptor.records.redaction import redact
from curl_interceptor.testing import check_inspector

every_inspector = pytest.mark.parametrize("name", names())
rich_and_plain = pytest.mark.parametrize("plain", [False, True], ids=["rich", "plain"])


def told(name, entries, plain=False):
    """Return the payloads of entries, all of which the service would take."""
    rules = service(name)
    payloads = rules.make().payloads(entries, plain=plain)
    for payload in payloads:
        rules.check(payload)
    return payloads


@functools.cache
def can_be_made(name):
    """Whether what an inspector needs is installed; a test of all services at once goes on without it."""
    try:
        service(name).make()
    except pytest.skip.Exception:
        return False
    return True


def same_command(command, case):
    """Whether a command in a message is that of the record, or says that it cannot be run.

    A service may need it in other words: `$(printf '\\074')` is a "<", and quotes that hold nothing are nothing.
    """
    return "not runnable" in command or _plainer(command) in _commands(case)


@functools.cache
def _commands(case):
    return {_plainer(render(RECORDS[case])), _plainer(describe(RECORDS[case]).command)}


def _plainer(command):
    command = command.replace("'$(printf '\\074')'", "<").replace("'\\\\$(printf '\\074')'", "\\<")
    command = command.replace(" \\\n  ", " ")
    return command.replace("''", "").replace('""', "")


@every_inspector
def test_its_file_says_what_it_is(name):
    """
    A file of the folder holds an inspector, whose service has rules here.
    """
    assert type(service(name).make()) is inspector_class(name)


def test_there_are_enough_hostile_records():
    """
    The contract stands on at least sixty records that want to break it.
    """
    assert len(RECORDS) >= 60


@every_inspector
@rich_and_plain
@pytest.mark.parametrize("case", RECORDS)
def test_a_hostile_record_gives_a_message_that_the_service_takes(name, case, plain):
    """
    Whatever a record holds, its message is accepted, pings nobody, and has its command or says that it has not.
    """
    record = RECORDS[case]
    payloads = told(name, [record], plain)

    assert [payload.entries for payload in payloads] == [(record,)]
    commands = service(name).commands(payloads[0])
    assert len(commands) == 1
    assert same_command(commands[0], case)


@every_inspector
@rich_and_plain
def test_a_batch_is_divided_without_a_loss(name, plain):
    """
    Each entry is in exactly one payload, in the order of the batch, and every payload is taken.
    """
    cases = [*RECORDS, "usual", "usual"]
    entries = [RECORDS[case] for case in cases]
    payloads = told(name, entries, plain)

    found = [entry for payload in payloads for entry in payload.entries]
    assert [id(entry) for entry in found] == [id(entry) for entry in entries]
    commands = [command for payload in payloads for command in service(name).commands(payload)]
    assert all(same_command(command, case) for command, case in zip(commands, cases, strict=True))


@every_inspector
@rich_and_plain
def test_hostile_notices_give_messages_that_the_service_takes(name, plain):
    """
    Whatever is sent by hand, its message is accepted, pings nobody, and is one message.
    """
    for entry in NOTICES.values():
        assert [payload.entries for payload in told(name, [entry], plain)] == [(entry,)]


@every_inspector
@rich_and_plain
def test_a_message_says_what_was_to_be_said(name, plain):
    """
    The text of a notice is there, from its first line to its last, and where it comes from.
    """
    (payload,) = told(name, [notice(text="first\nsecond")], plain)

    shown = service(name).text(payload)
    for part in ("first", "second", "export.py"):
        assert part in shown


@every_inspector
def test_a_report_says_what_was_raised_and_where(name):
    """
    A bug report shows the exception's class and text, and the place; a chat its traceback as well.
    """
    (payload,) = told(name, [NOTICES["report"]])

    shown = service(name).text(payload)
    for part in ("ValueError", "no such card", "export.py:42 in run"):
        assert part in shown
    assert "raise ValueError(card)" in shown or name == "logger"


@every_inspector
@rich_and_plain
def test_records_and_notices_share_a_batch(name, plain):
    """
    Each entry of a mixed batch is in exactly one payload, in its order, and every payload is taken.
    """
    entries = [*[*RECORDS.values()][::3], *NOTICES.values()]
    entries = entries[::2] + entries[1::2]
    payloads = told(name, entries, plain)

    assert [id(entry) for payload in payloads for entry in payload.entries] == [id(entry) for entry in entries]


@settings(max_examples=25)
@given(entries=st.lists(records() | notices(), min_size=1, max_size=4))
def test_anything_gives_messages_that_the_service_takes(entries):
    """
    Limits, markup and mentions of every service hold for records and notices of any content.
    """
    for name, plain in itertools.product(filter(can_be_made, names()), (False, True)):
        payloads = told(name, entries, plain)
        assert [id(entry) for payload in payloads for entry in payload.entries] == [id(entry) for entry in entries]


@every_inspector
@rich_and_plain
def test_no_entries_give_no_fault(name, plain):
    """
    An empty batch raises nothing.
    """
    assert all(not payload.entries for payload in service(name).make().payloads([], plain=plain))


@every_inspector
@rich_and_plain
@pytest.mark.parametrize("length", [10, 9_000], ids=["short", "long"])
def test_secrets_never_appear(name, plain, length):
    """
    What redaction hides is nowhere in a payload: not in the command, the body beside it, the response, or a file.
    """
    secret = "s3cr3t-Value-4711"
    body = json.dumps({"password": secret, "note": "é\n" + "x" * length}, ensure_ascii=False).encode()
    request = RequestFacts(
        "POST",
        f"https://user:{secret}@api.example.com/v1?access_token={secret}",
        (("Authorization", f"Bearer {secret}"), ("Cookie", f"sid={secret}"), ("Content-Type", "application/json")),
        body,
        "complete",
        len(body),
    )
    answer = json.dumps({"token": secret, "session": {"client_secret": secret}}).encode()
    response = ResponseFacts(
        500,
        "Oops",
        (("Set-Cookie", f"sid={secret}"), ("Content-Type", "application/json")),
        (answer,),
        "complete",
        len(answer),
    )
    failure = Failure("requests.ConnectionError", f"https://user:{secret}@api.example.com/?token={secret}", ("x",))
    record = redact(Exchange(request, response, failure, 0.0, 0.1), Redaction(), id="1")

    for payload in told(name, [record], plain):
        seen = service(name).text(payload) + payload.body.decode("utf-8", "replace")
        for writing in (secret, quote(secret), base64.b64encode(secret.encode()).decode().rstrip("=")):
            assert writing not in seen


@every_inspector
def test_the_address_is_nowhere_but_in_the_post(name):
    """
    Neither the name nor the text of an inspector, nor what it posts, tells its webhook's secret.
    """
    inspector = service(name).make()
    payload = inspector.payloads([RECORDS["usual"]])[0]
    path = inspector.address.partition("://")[2].partition("/")[2]

    for text in (inspector.label, repr(inspector), repr(payload), payload.body.decode("utf-8")):
        assert not path or path not in text


@every_inspector
def test_it_holds_what_is_asked_of_inspectors_of_others(name):
    """
    What `check_inspector` asks in the tests of another package, ours hold too.
    """
    check_inspector(service(name).make())
