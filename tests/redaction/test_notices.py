"""A secret in anything that is sent by hand is absent from what every inspector posts of it."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.services import service

from curl_interceptor import UNREDACTED, Redaction
from curl_interceptor.delivery.announcement import raw_notice
from curl_interceptor.inspectors.registry import names
from curl_interceptor.records.place import Place
from curl_interceptor.records.redaction import redact_notice

SECRET = "s3cr3t-Value-4711"
TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
HOOK = "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"

# Where a person would say that a secret stands; of each, what must not be seen.
_SAYINGS = [
    (f"password={SECRET}", SECRET),
    (f"login failed: password: {SECRET}", SECRET),
    (json.dumps({"user": "ann", "api_key": SECRET}), SECRET),
    (f"{{'user': 'ann', 'api_key': '{SECRET}'}}", SECRET),
    (f"GET https://ann:{SECRET}@api.example.com/?access_token={SECRET}", SECRET),
    (f"Authorization: Bearer {SECRET}", SECRET),
    (f"curl -H 'Cookie: sid={SECRET}'", SECRET),
    (f"the token is {TOKEN}", TOKEN),
    (f"posted to {HOOK}", HOOK[-24:]),
]
_AROUND = st.text(st.sampled_from("ab 1.,;:\n\t(\"'`é世👍@<&"), max_size=40)


@st.composite
def sayings(draw):
    """A text with a secret in it, and the secret."""
    said, secret = draw(st.sampled_from(_SAYINGS))
    before = draw(_AROUND)
    return f"{before.replace(chr(39), '').replace(chr(34), '')}\n{said}\n{draw(_AROUND)}", secret


def raised(text: str) -> BaseException:
    """An exception with a text, raised by code in which the text stands, caused by another one like it."""
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            raise ValueError(text, {"password": SECRET}) from error
    except ValueError as error:
        return error


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(saying=sayings(), name=st.sampled_from(["order", "note", "x-custom"]))
def test_no_secret_is_seen_anywhere(saying, name):
    """
    Text, arguments of exceptions, extra values at any depth, labels and places: all pass the gate.
    """
    text, secret = saying
    extra = {name: text, "password": SECRET, "deep": {"list": [text, {"client_secret": SECRET}]}, text: 1}
    raw = raw_notice("bug_report", text, raised(text), extra=extra, caller=Place(f"/srv/{text}.py", 1, text), key=text)
    raw = raw._replace(context=(("token", SECRET), ("note", text)))
    notice = redact_notice(raw, Redaction(), id="1")

    assert not seen(repr(notice), secret)
    for inspector in names():
        for plain in (False, True):
            for payload in told(inspector, notice, plain):
                shown = service(inspector).text(payload) + payload.body.decode("utf-8", "replace")
                assert not seen(shown, secret), inspector


def told(inspector, notice, plain):
    try:
        made = service(inspector).make()
    except pytest.skip.Exception:  # a library of its own is not there
        return []
    return made.payloads([notice], plain=plain)


def seen(shown: str, secret: str) -> bool:
    writings = {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-2]}
    return any(writing in shown for writing in {*writings, SECRET})


def test_a_secret_in_a_line_of_code_is_hidden(tmp_path):
    """
    The source lines of a traceback are texts like any other.
    """
    file = tmp_path / "settings.py"
    file.write_text(f'def connect(**options):\n    raise OSError\n\n\nconnect(user="ann", password="{SECRET}")\n')
    try:
        exec(compile(file.read_text(), str(file), "exec"), {})
    except OSError as error:
        raw = raw_notice("bug_report", "", error)
    notice = redact_notice(raw, Redaction(), id="1")

    assert 'connect(user="ann", password="REDACTED")' in notice.traceback
    assert SECRET in redact_notice(raw, UNREDACTED, id="1").traceback  # or the test would tell nothing


@pytest.mark.parametrize("length", range(7_960, 8_010, 3))
def test_no_half_of_a_token_is_left_where_a_text_is_cut(length):
    """
    A token that would be cut in two is left out with its whole word: half of one looks like none.
    """
    raw = raw_notice("message", "x " * (length // 2) + TOKEN)
    notice = redact_notice(raw, Redaction(), id="1")

    assert TOKEN[:8] not in notice.text
