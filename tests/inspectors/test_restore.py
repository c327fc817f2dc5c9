"""From a record to its document and back: nothing is lost, and nothing passes the gate unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redaction.corpus import lookalikes, planted
from support.hostile_notices import NOTICES, notices
from support.hostile_records import BASE, RECORDS, records
from support.hostile_records import record as usual

from curl_interceptor import UNREDACTED, Notice, Record, Redaction, render
from curl_interceptor.inspectors.document import document
from curl_interceptor.inspectors.restore import UnknownKind, restore
from curl_interceptor.records.exchange import Exchange, Failure, RequestFacts, ResponseFacts
from curl_interceptor.records.notice import RawNotice
from curl_interceptor.records.redaction import redact, redact_notice

DEFAULT = Redaction()
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def again(record: Record, rules: Redaction = UNREDACTED, *, plain: bool = False) -> Record:
    """The record of the line that a file would keep of it."""
    line = json.dumps(document(record, plain=plain), ensure_ascii=True, allow_nan=False)
    exchange = restore(json.loads(line))
    assert isinstance(exchange, Exchange)
    assert exchange.restored is not None
    return redact(exchange, rules, id=exchange.restored.id)


TEXT = st.text(max_size=30)
WIRE = st.binary(max_size=30).map(lambda octets: octets.decode("latin-1"))
HEADERS = st.lists(
    st.tuples(st.sampled_from(["Authorization", "Cookie", "Content-Type", "Content-Length", "Content-Encoding"]), WIRE)
    | st.tuples(WIRE, WIRE),
    max_size=4,
).map(tuple)
BODY = (
    st.binary(max_size=60)
    | TEXT.map(str.encode)
    | st.dictionaries(st.sampled_from(["a", "password", "token"]), TEXT, max_size=3).map(
        lambda one: json.dumps(one).encode()
    )
)
SEEN = st.sampled_from(["complete", "cut", "broken", "abandoned"])
SIZE = st.none() | st.integers(0, 10**12)
PARTS = st.tuples(st.none(), st.sampled_from(["none", "missing"]), SIZE) | st.tuples(BODY, SEEN, SIZE)
SECONDS = st.floats(0, 1e5)
PATH = TEXT.filter(bool)


@st.composite
def exchanges(draw: Any) -> Exchange:
    """Exchanges of any content, made of plain values as capturing does."""
    body, state, size = draw(PARTS)
    path = draw(TEXT)
    request = RequestFacts(
        method=draw(st.sampled_from(["GET", "POST"]) | TEXT),
        url=draw(st.sampled_from([f"https://api.example.com:8443/{path}", f"http://user:pw@h/?token={path}", path])),
        headers=draw(HEADERS),
        body=body,
        body_state=state,
        body_size=size,
        chunked=draw(st.none() | st.booleans()),
        target=draw(st.none() | TEXT.map("/{}".format) | TEXT),
        timeout=draw(st.none() | SECONDS | st.integers(0, 99) | st.tuples(st.none() | SECONDS, st.none() | SECONDS)),
        verify=draw(st.booleans() | PATH),
        cert=draw(st.none() | PATH | st.tuples(PATH, PATH)),
        proxies=draw(st.lists(st.tuples(st.sampled_from(["all", "https"]), st.sampled_from(["", "http://u:p@p:1"])))),
        client=draw(st.sampled_from(["", "python-requests/2"])),
    )
    request = request._replace(proxies=tuple(request.proxies))
    response = None
    if draw(st.booleans()):
        body, state, size = draw(PARTS)
        reason = draw(st.none() | st.sampled_from(["OK", ""]) | WIRE)
        pieces = () if body is None else (body,)
        response = ResponseFacts(draw(st.integers(-1, 999)), reason, draw(HEADERS), pieces, state, size)
    kind = draw(TEXT)
    failure = draw(st.none() | st.just(Failure(kind, draw(TEXT), (kind,))))
    return Exchange(
        request,
        response,
        failure,
        started=draw(st.floats(-1e12, 1e12)),
        elapsed=draw(SECONDS),
        duration=draw(st.none() | SECONDS),
        context=tuple(draw(st.lists(st.tuples(st.sampled_from(["a", "token"]) | TEXT, TEXT), max_size=3))),
        retried=tuple(draw(st.lists(st.sampled_from(["503", "ReadTimeoutError"]), max_size=2))),
        peer=draw(st.none() | st.just("127.0.0.1:80")),
        caller=draw(st.none() | st.just("shop/views.py:42 in charge")),
    )


RULES = st.sampled_from(
    [UNREDACTED, DEFAULT, Redaction(mode="env"), Redaction(numbered=True), Redaction(names=["a"]), Redaction.strict()]
)


@RELAXED
@given(exchanges(), RULES, st.integers(0, 10**6), st.none() | st.floats(-1e12, 1e12))
def test_a_record_comes_back_as_it_was(exchange: Exchange, rules: Redaction, suppressed: int, since: float) -> None:
    """
    Whatever was captured and by whichever rules it was redacted: the restored record equals the one that was kept, and
    so do all commands made of it.
    """
    record = redact(exchange, rules, id="0af3").telling(suppressed, since)

    assert again(record) == record
    assert render(again(record)) == render(record)


@RELAXED
@given(exchanges())
def test_the_gate_changes_nothing_that_passed_it(exchange: Exchange) -> None:
    """
    A record that is restored through the same rules is the same record.
    """
    record = redact(exchange, DEFAULT, id="0af3")

    assert again(record, DEFAULT) == record


@RELAXED
@given(records())
def test_any_record_comes_back_and_stays(record: Record) -> None:
    """
    What JSON does not have (infinite times, halves of characters) is replaced once; after that nothing changes.
    """
    once = again(record)

    assert again(once) == once
    assert once.id == record.id
    assert once.request_body == record.request_body


@pytest.mark.parametrize("name", RECORDS)
def test_hostile_records_come_back(name: str) -> None:
    once = again(RECORDS[name])

    assert again(once) == once
    assert (once.request_body, once.suppressed) == (RECORDS[name].request_body, RECORDS[name].suppressed)


def test_a_document_without_bodies_says_that_they_were_not_seen() -> None:
    record = again(BASE, plain=True)

    assert (record.request_headers, record.request_body, record.request_body_state) == ((), None, "missing")
    assert (record.response_headers, record.response_body, record.response_body_state) == ((), None, "missing")
    assert render(record).startswith("# not runnable")


def test_a_document_of_an_older_version_is_a_record_too() -> None:
    """
    Without the key `restore` the times are rounded, and what was not told is as if nothing was known.
    """
    kept = json.loads(json.dumps(document(BASE)))
    del kept["restore"]
    exchange = restore(kept)
    assert isinstance(exchange, Exchange)
    record = redact(exchange, UNREDACTED, id="1")

    assert record == replace(BASE, timeout=None)


def test_what_was_written_into_a_line_passes_the_gate() -> None:
    """
    A secret that somebody put anywhere into a document is hidden again.
    """
    secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    kept = json.loads(json.dumps(document(usual(error="a.B", error_message="it broke", peer="1.2.3.4:5"))))
    kept["url"] += f"&access_token={secret}"
    kept["request"]["headers"].append(["Authorization", f"Bearer {secret}"])
    kept["request"]["body"] = json.dumps({"password": secret})
    kept["response"]["body"] = f"it was {secret}"
    kept["error"] = {"type": secret, "message": f"key {secret}"}
    kept["method"] = kept["reason"] = kept["fingerprint"] = kept["peer"] = secret
    kept["notes"], kept["retried"] = [secret], [secret]
    kept["context"] = {secret: secret, "token": secret}
    kept["restore"] |= {"host": secret, "target": f"/?key={secret}", "proxies": [["all", f"http://u:{secret}@p"]]}

    exchange = restore(kept)
    assert isinstance(exchange, Exchange)
    record = redact(exchange, DEFAULT, id=kept["id"])

    assert secret not in json.dumps(document(record))
    assert secret not in repr(record)
    assert secret not in repr(exchange)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", ""),
        ("id", "a\r\nb"),
        ("id", 7),
        ("url", None),
        ("method", ["GET"]),
        ("status", "503"),
        ("status", True),
        ("error", "broken"),
        ("error", {"type": "E"}),
        ("started", "yesterday"),
        ("started", "99999-01-01"),
        ("elapsed", "1"),
        ("elapsed", 10**400),
        ("suppressed", -1),
        ("context", {"a": 1}),
        ("context", []),
        ("variables", {"A; rm -rf /": "Authorization"}),
        ("variables", {"path": "Authorization"}),
        ("retried", "503"),
        ("notes", [1]),
        ("request", []),
        ("request", {"headers": [["a"]], "body_state": "none"}),
        ("request", {"headers": [], "body_state": "eaten"}),
        ("request", {"headers": []}),
        ("request", {"headers": [], "body_state": "complete", "body_base64": "%"}),
        ("request", {"headers": [], "body_state": "complete", "body": "\ud800"}),
        ("request", {"headers": [], "body_state": "complete", "body": "a", "body_size": -1}),
        ("restore", "no"),
        ("restore", {"verify": 1}),
        ("restore", {"cert": ["a"]}),
        ("restore", {"timeout": "5"}),
        ("restore", {"chunked": "yes"}),
    ],
)
def test_what_is_no_document_is_refused_without_being_repeated(key: str, value: Any) -> None:
    kept = {**json.loads(json.dumps(document(BASE))), key: value}

    with pytest.raises(ValueError, match=r"it|its|base64|Only|surrogates|decoding|padding") as refused:
        restore(kept)
    assert not isinstance(refused.value, UnknownKind)
    assert "rm -rf" not in str(refused.value)


@pytest.mark.parametrize("kept", [None, [], "text", 4, {}, {"id": "1"}])
def test_what_is_no_object_of_ours_is_refused(kept: object) -> None:
    with pytest.raises(ValueError, match="it "):
        restore(kept)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("poem", "poem"), ("a\x1b[2J b", "a2Jb"), ("\u202e", "(empty)"), (7, "(int)"), ("x" * 99, "x" * 40)],
)
def test_an_unknown_kind_is_told_apart(kind: object, shown: str) -> None:
    with pytest.raises(UnknownKind) as unknown:
        restore({"kind": kind})
    assert unknown.value.kind == shown


@pytest.mark.parametrize(
    "rules", [DEFAULT, Redaction(mode="env"), Redaction(numbered=True)], ids=["", "env", "numbered"]
)
def test_whatever_was_planted_is_found_once(rules: Redaction) -> None:
    """
    No record of the corpus of secrets and lookalikes changes when it passes the gate for the second time.
    """
    for one in (*planted(), *lookalikes()):
        record = redact(one.exchange, rules, id="1")
        assert again(record, rules) == record, one.title


def again_by_hand(notice: Notice, rules: Redaction = UNREDACTED, *, plain: bool = False) -> Notice:
    """The notice of the line that a file would keep of it."""
    raw = restore(json.loads(json.dumps(document(notice, plain=plain), allow_nan=False)))
    assert isinstance(raw, RawNotice)
    assert raw.restored is not None
    return redact_notice(raw, rules, id=raw.restored.id)


@RELAXED
@given(notices())
def test_any_notice_comes_back_and_stays(notice: Notice) -> None:
    """
    What was sent by hand is restored as a record is: the first time but for what JSON has not, then for ever.
    """
    once = again_by_hand(notice)

    assert again_by_hand(once) == once
    assert (once.id, once.kind, once.level, once.suppressed) == (
        notice.id,
        notice.kind,
        notice.level,
        notice.suppressed,
    )


@pytest.mark.parametrize("name", NOTICES)
def test_hostile_notices_come_back(name: str) -> None:
    once = again_by_hand(NOTICES[name])

    assert again_by_hand(once) == once
    assert document(again_by_hand(once)) == document(once)


@RELAXED
@given(
    st.text(max_size=40),
    st.dictionaries(
        st.sampled_from(["a", "token", "b"]) | TEXT,
        TEXT
        | st.integers(-9, 99)
        | st.booleans()
        | st.none()
        | st.lists(TEXT, max_size=2)
        | st.dictionaries(
            st.sampled_from(["a", "password"]), TEXT | st.lists(st.integers(0, 9), max_size=2), max_size=2
        ),
        max_size=3,
    ),
    st.lists(st.tuples(st.sampled_from(["a", "token"]) | TEXT, TEXT), max_size=3),
    st.floats(-1e12, 1e12),
)
def test_a_notice_that_passed_the_gate_passes_unchanged(
    text: str, extra: dict[str, Any], context: Any, started: float
) -> None:
    raw = RawNotice("message", text, started, extra=tuple(extra.items()), context=tuple(context))
    notice = redact_notice(raw, DEFAULT, id="0af3").telling(3, started)

    assert again_by_hand(notice, DEFAULT) == notice


def test_what_was_written_into_a_notice_passes_the_gate() -> None:
    secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    kept = json.loads(json.dumps(document(NOTICES["report"])))
    kept["text"] = kept["caller"] = kept["fingerprint"] = secret
    kept["error"] = {"type": secret, "message": secret}
    kept["traceback"], kept["extra"], kept["context"] = [secret], {"a": secret, secret: "b"}, {secret: secret}
    raw = restore(kept)
    assert isinstance(raw, RawNotice)

    assert secret not in repr(redact_notice(raw, DEFAULT, id="2"))
    assert secret not in repr(raw)


@pytest.mark.parametrize(
    ("key", "value"),
    [("level", "loud"), ("text", 1), ("traceback", "x"), ("extra", {"a": []}), ("id", " "), ("error", {})],
)
def test_what_is_no_document_of_a_notice_is_refused(key: str, value: Any) -> None:
    kept = {**json.loads(json.dumps(document(NOTICES["report"]))), key: value}

    with pytest.raises(ValueError, match="it"):
        restore(kept)
