"""`assert_absent` sees every exit of ours, and `curl-interceptor redact` is one of them."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import requests
from support.api import Api

import curl_interceptor
from curl_interceptor import UNREDACTED, ConfigurationError, WebhookInspector
from curl_interceptor.testing import assert_absent

SECRET = "hush-Kj8w/4711+x"


@pytest.fixture
def api():
    with Api() as made:
        yield made


@pytest.fixture
def call(api, session, pipeline):
    """Make a failing call with the secret in a header, in the query and in the body."""

    def make(**options):
        hook = WebhookInspector("https://hooks.example.com/x")
        curl_interceptor.mount(session, hook, pipeline=pipeline, cooldown=None, **options)
        url = api.url("/status/500")
        session.post(url, params={"token": SECRET}, json={"password": SECRET}, headers={"X-Api-Key": SECRET})

    return make


def test_nothing_is_seen_by_default(call):
    """
    The block passes, and shows what was captured.
    """
    with assert_absent([SECRET]) as seen:
        call()
    assert len(seen.records) == 1
    assert seen.payloads


def test_a_secret_that_gets_out_is_told_without_being_shown(call):
    """
    The failure says where it was seen; the secret is not in its text.
    """
    with (
        pytest.raises(AssertionError, match="secret 2 of 2 was seen in the record") as caught,
        assert_absent(["x9", SECRET]),
    ):
        call(redaction=UNREDACTED)
    assert SECRET not in str(caught.value)


def test_logs_are_watched(call):
    """
    What we log counts, at every level.
    """
    with pytest.raises(AssertionError, match="a log record"), assert_absent([SECRET]):
        logging.getLogger("curl_interceptor.x").debug("logged in with %s", SECRET)


@pytest.mark.parametrize("secrets", ["text", [""], [b"bytes"], [1]])
def test_secrets_are_a_list(secrets):
    """
    One text would be taken for a list of letters.
    """
    with pytest.raises(ConfigurationError, match="secrets must be a list"), assert_absent(secrets):
        pass


def redacted(text: bytes, *options: str) -> bytes:
    command = [sys.executable, "-m", "curl_interceptor", "redact", *options]
    return subprocess.run(command, input=text, capture_output=True, check=True, timeout=30).stdout


def test_the_command_shows_what_a_text_would_look_like():
    """
    It changes the secrets and nothing else, down to the last byte.
    """
    assert redacted(b'{"password": "x", "n": 1}\r\n\xff') == b'{"password": "REDACTED", "n": 1}\r\n\xff'
    assert (
        redacted(b"my_id=7 token=8", "--hide", "my-id", "--keep", "token", "--numbered") == b"my_id=REDACTED-1 token=8"
    )
    assert redacted(b"") == b""


def test_plain_calls_are_nobodys_business(api):
    """
    A session without an adapter of ours is not looked at.
    """
    with assert_absent([SECRET]) as seen, requests.Session() as plain:
        plain.get(api.url("/status/500"))
    assert not seen.records
