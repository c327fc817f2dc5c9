"""What holds for anything: planted values are absent, the rest is unchanged, and nothing is ever raised."""

from __future__ import annotations

import json
import re
import string
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curl_interceptor.records.redaction import Redaction, redact, redact_text

from .corpus import FIELDS, exchange
from .score import leaks

DEFAULT = Redaction()
SECRET = st.text(string.ascii_letters + string.digits + "._~+-!", min_size=10, max_size=40).filter(
    lambda text: (
        any(letter.isdigit() for letter in text)
        and not re.fullmatch(r"-?[0-9]{1,9}\.[0-9]+", text)  # under a plural it is a count
        and "REDACTED" not in text
        and text[-1].isalnum()
    )
)
NAME = st.sampled_from(FIELDS)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "id", "user", "n"]), inner, max_size=3)
    ),
    max_leaves=8,
)
RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(PLAIN, st.lists(st.sampled_from(["object", "array", "string"]), max_size=4), NAME, SECRET)
def test_a_value_planted_anywhere_in_json_is_absent(plain: Any, way: list[str], name: str, secret: str) -> None:
    """
    Whatever lies around it, a value under a secret name is in no output, and the document still parses.
    """
    document: Any = {"x": plain, name: secret}
    for step in way:
        document = {"object": {"in": document}, "array": [1, document], "string": {"s": json.dumps(document)}}[step]
    for ascii_only in (True, False):
        body = json.dumps(document, ensure_ascii=ascii_only)
        record = redact(exchange(body=body, response=body.encode()), DEFAULT, id="1")
        assert not leaks(record, secret)
        assert type(json.loads(record.request_body or b"")) is type(document)


@RELAXED
@given(PLAIN, NAME, SECRET, st.data())
def test_a_cut_body_holds_no_secret_either(plain: Any, name: str, secret: str, data: st.DataObject) -> None:
    """
    Wherever a document is cut behind a secret, the secret is absent.
    """
    body = json.dumps({"x": plain, name: secret, "y": plain})
    cut = data.draw(st.integers(body.rindex(json.dumps(secret)) + len(secret) + 1, len(body)))
    assert not leaks(redact(exchange(body=body[:cut], state="cut"), DEFAULT, id="1"), secret)


@RELAXED
@given(NAME, SECRET, st.sampled_from(["{}={}", "{}: {}", '{}="{}"', "x {}={} y", "a=1&{}={}&b=2", "<a><{}>{}</a>"]))
def test_a_pair_in_text_is_absent(name: str, secret: str, template: str) -> None:
    """
    A name and its value are found in text of any kind.
    """
    text = template.format(name, secret.replace("+", "-"))
    assert secret.replace("+", "-") not in redact_text(text, DEFAULT)


@RELAXED
@given(PLAIN)
def test_a_document_without_secrets_is_unchanged(plain: Any) -> None:
    """
    Nothing to hide, nothing changed.
    """
    body = json.dumps(plain)
    if "=" not in body and ":" not in "".join(text for text in _texts(plain)):
        assert redact_text(body, DEFAULT) == body


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]


PIECES = st.lists(
    st.sampled_from(['"', "\\", "{", "}", "[", "]", ":", ",", "=", "&", "%", "<", ">", "/", "//", "@", " ", "\n", "'"])
    | st.sampled_from(["password", "token", "a", "x1", "%22", "\\u0070", "eyJ", "Bearer ", "https:", "--B\r\n", "-u "])
    | st.sampled_from(["Cookie: ", "Set-Cookie: s=1; ", "api_key", "API key", " is ", "&quot;", "`", "(", ";", "=>"])
    | st.sampled_from(["REDACTED", "REDACTED-1", "Basic ", "login ", "<password>", "name=", "$X", "%3D", "s3cr3tV9"])
    | st.text(max_size=3),
    max_size=40,
).map("".join)


@settings(RELAXED, max_examples=200)
@given(PIECES, st.booleans(), st.sampled_from(["mask", "drop"]))
@example('Cookie:x"d', False, "drop")
@example("pass:Bearer ,/", False, "mask")
@example("apikey=' 1", False, "mask")
@example("Bearer %3DF", True, "mask")
@example("token:e<pass>=", False, "mask")
@example("password=\\{[", False, "mask")
def test_any_text_is_redacted_once_and_for_all(text: str, numbered: bool, mode: str) -> None:
    """
    No text makes it raise, and redacting twice is redacting once.
    """
    rules = Redaction(numbered=numbered, mode=mode)
    once = redact_text(text, rules)
    assert redact_text(once, rules) == once


@RELAXED
@given(
    st.binary(max_size=200), st.sampled_from(["", "application/json", "multipart/form-data; boundary=B", "text/xml"])
)
def test_any_bytes_are_taken(data: bytes, content_type: str) -> None:
    """
    A body of any bytes, under any content type and coding, makes a record.
    """
    for coding in ("", "gzip", "deflate", "br"):
        headers = (("Content-Type", content_type), ("Content-Encoding", coding))
        redact(exchange(headers=headers, body=data, response=data, response_headers=headers), DEFAULT, id="1")
