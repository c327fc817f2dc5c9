"""The corpus, scored: what is planted does not get out, what is harmless stays, and every rule is needed for that."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from curl_interceptor.records.record import Record
from curl_interceptor.records.redaction import UNREDACTED, Redaction, kinds, redact, redact_text, shapes, texts, urls

from .corpus import TOKENS, Lookalike, Planted, lookalikes, planted
from .score import DEFAULT, hidden, leaks, missed

SECRETS = planted()
HARMLESS = lookalikes()


def by_title(one: Planted | Lookalike) -> str:
    return f"{getattr(one, 'kind', '')} {one.title}"[:80]


def test_corpus_is_large_and_its_secrets_are_really_there():
    """
    At least 200 secrets in 20 kinds of places and 100 lookalikes; without redaction nearly each can be read.
    """
    assert len(SECRETS) >= 200
    assert len({one.kind for one in SECRETS}) >= 20
    assert len(HARMLESS) >= 100
    seen = sum(leaks(redact(one.exchange, UNREDACTED, id="1"), one.secret) for one in SECRETS)
    assert seen >= 0.97 * len(SECRETS)  # userinfo of URLs is never part of a record


def test_no_secret_gets_out_and_no_lookalike_is_hidden():
    """
    Every secret at a named place, 97 % of all and over 90 % of each kind are hidden; at most 2 % of lookalikes are.
    """
    found = missed(SECRETS)
    titles = [by_title(one) for kind in found.values() for one in kind]
    assert not [by_title(one) for kind in found.values() for one in kind if one.named]
    assert len(titles) <= 0.03 * len(SECRETS), titles
    totals = Counter(one.kind for one in SECRETS)
    assert all(len(kind) < 0.1 * totals[name] for name, kind in found.items()), titles
    wrong = [by_title(one) for one in hidden(HARMLESS)]
    assert len(wrong) <= 0.02 * len(HARMLESS), wrong


def test_harmless_bodies_stay_byte_for_byte():
    """
    A body with nothing to hide is the same body.
    """
    for one in HARMLESS:
        before = one.exchange.request.body
        assert redact(one.exchange, DEFAULT, id="1").request_body == before, one.title


@pytest.mark.parametrize("mode", ["mask", "env", "drop"])
def test_redacted_records_are_well_formed(mode):
    """
    JSON parses as before, and the Content-Length is that of the body, in every mode.
    """
    rules = Redaction(mode=mode, numbered=True)
    for one in SECRETS:
        record = redact(one.exchange, rules, id="1")
        assert_json_survives(one.exchange.request.body, record.request_body, one)
        if record.request_body is not None and record.request_body_state == "complete":
            lengths = [value for name, value in record.request_headers if name == "Content-Length"]
            assert lengths in ([], [str(len(record.request_body))]), by_title(one)
            assert record.request_body_size == len(record.request_body)


def assert_json_survives(before: bytes | str | None, after: bytes | None, one: Planted) -> None:
    try:
        document = json.loads(before or b"")
    except ValueError:
        return
    assert after is not None
    assert type(json.loads(after)) is type(document), by_title(one)


def again(record: Record) -> Record:
    """The record, as if it was an exchange that nobody had redacted."""
    return replace(
        record,
        url=redact_text(record.url, DEFAULT),
        request_body=text_again(record.request_body),
        response_body=text_again(record.response_body),
        error_message=redact_text(record.error_message or "", DEFAULT) or None,
    )


def text_again(body: bytes | None) -> bytes | None:
    if body is None or b"\0" in body or body[:1] in (b"\x1f", b"\x78"):
        return body
    return redact_text(body.decode("utf-8", "surrogateescape"), DEFAULT).encode("utf-8", "surrogateescape")


def test_redaction_is_idempotent():
    """
    What was redacted stays as it is when it is redacted again.
    """
    for one in SECRETS:
        record = redact(one.exchange, DEFAULT, id="1")
        assert again(record) == record, by_title(one)


# -- mutations: a rule that is taken away is missed -------------------------------------------------------------------

REMOVABLE = (
    "token",
    "password",
    "secret",
    "signature",
    "api key",
    "access key",
    "session id",
    "csrf",
    "otp",
    "hmac",
    "authorization",
    "credential",
    "passphrase",
    "jwt",
    "private key",
    "code",
    "key",
)


@pytest.mark.parametrize("word", REMOVABLE)
def test_a_removed_word_is_missed(word):
    """
    Without a word of the default set, secrets get out.
    """
    rules = Redaction(remove=[word])
    assert any(missed([one], rules) for one in SECRETS)


@pytest.mark.parametrize("name", sorted(TOKENS))
def test_a_removed_shape_is_missed(name, monkeypatch):
    """
    Without its pattern, a token gets out.
    """
    token = TOKENS[name]
    fewer = [(literal, pattern) for literal, pattern in shapes._SHAPES if not pattern.search(f"/bot{token} {token} ")]
    assert redact_text(f"see {token} there", DEFAULT) != f"see {token} there"
    monkeypatch.setattr(shapes, "_SHAPES", fewer)
    monkeypatch.setattr(shapes, "_DISCORD", shapes.re.compile("(?!)()"))
    assert token in redact_text(f"see {token} there", DEFAULT)


ROOMS = [
    (kinds.xml, "document", lambda text, scan: text, "XML"),
    (kinds.json, "document", lambda text, scan: (text, True), "JSON"),
    (kinds.multipart, "delimiter_of", lambda text, kind: None, "multipart"),
    (urls, "in_text", lambda text, scan: text, "inside a header's value"),
    (urls, "parameters", lambda text, scan: text, "query"),
    (texts, "_pairs", lambda text, scan: [], "text body"),
    (texts, "_options", lambda text, scan: text, "text body"),
    (shapes, "_hide_paths", lambda text, mark: text, "webhook URL"),
]


@pytest.mark.parametrize(
    ("room", "name", "idle", "kind"), ROOMS, ids=[f"{room[0].__name__}.{room[1]}" for room in ROOMS]
)
def test_an_idle_room_is_missed(room, name, idle, kind, monkeypatch):
    """
    Without one of the searches, secrets of its kind get out.
    """
    chosen = [one for one in SECRETS if one.kind == kind]
    assert not missed(chosen)
    monkeypatch.setattr(room, name, idle)
    assert missed(chosen)
