"""Trying a webhook out: whatever it answers is said in words, and its URL is said nowhere."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from support.receiver import Authority, Nonsense, Receiver, close, garbage, hang, redirect, refused_url, reset, status
from support.services import service

from curl_interceptor.cli import main, test_webhook
from curl_interceptor.policies import TransportPolicy

SECRET = "s3cr3t-part-4711"
TOKEN = f"123456789:{SECRET}"
TAKEN = {
    "discord": status(200, body=b'{"id": "1"}'),
    "googlechat": status(200, body=b"{}"),
    "mattermost": status(200, body=b"ok"),
    "rocketchat": status(200, body=b'{"success": true}'),
    "slack": status(200, body=b"ok"),
    "teams": status(202),
    "telegram": status(200, body=b'{"ok": true, "result": {}}'),
    "webhook": status(204),
}
every_service = pytest.mark.parametrize("name", TAKEN)


def call(capsys, *arguments):
    """Run the command; its exit code and all that it says, in which the secret never stands."""
    try:
        code = main(["test-webhook", *arguments])
    except SystemExit as left:
        code = left.code
    said = "".join(capsys.readouterr())
    assert SECRET not in said
    return code, said


def ask(capsys, receiver, name, reply=None, *more):
    """Test a webhook of this service at the receiver."""
    receiver.default = reply or TAKEN[name]
    if name == "telegram":
        return call(capsys, TOKEN, "--chat-id", "-1001234", "--api-base", receiver.url("/"), *more)
    return call(capsys, receiver.url(f"/hooks/{SECRET}"), "--service", name, *more)


@every_service
def test_a_message_that_was_taken(capsys, receiver, name):
    """
    One post that the service would take, marked as a test, and exit code 0.
    """
    code, said = ask(capsys, receiver, name)

    assert (code, len(receiver.requests)) == (0, 1)
    assert said.splitlines()[-1].startswith("Delivered: ")
    body = receiver.requests[0].body.decode()
    assert "This is a test of curl-interceptor: no call has failed." in body
    assert "this-is-a-test" in body


@every_service
@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (status(404), "Not found (HTTP 404): the URL is wrong, or the webhook was deleted."),
        (status(401), "Refused (HTTP 401): the token or the key in the URL is wrong"),
        (status(403), "Refused (HTTP 403): the service knows the webhook, and it may not post there"),
        (status(405), "Refused (HTTP 405): something else than a webhook is at this URL"),
        (status(410), "Gone (HTTP 410): the webhook was deleted"),
        (redirect(f"https://example.com/{SECRET}"), "Refused (HTTP 302): the URL leads elsewhere"),
        (
            status(429, headers={"Retry-After": "37"}),
            "Throttled (HTTP 429): the URL is right, and the service takes no more for now; try again in 37 s.",
        ),
        (status(400, body=SECRET.encode()), "Refused (HTTP 400): the service answers, and does not take this message."),
        (status(503), "Not taken (HTTP 503): the service is in trouble; try again later."),
        (reset(), "Not connected ("),
        (close(), "Not connected ("),
        (garbage(), "Not connected (the answer is not HTTP/1.1): something else than a web server answers there"),
    ],
)
def test_a_message_that_was_not_taken(capsys, receiver, name, reply, sentence):
    """
    Each class of answer has words of its own, and exit code 1.
    """
    code, said = ask(capsys, receiver, name, reply)

    assert code == 1
    assert sentence in said


@pytest.mark.parametrize(
    ("name", "reply", "sentence"),
    [
        ("slack", status(200, body=b"no_service"), "no_service"),
        ("slack", status(404, body=b"channel_not_found"), "Not found (HTTP 404, channel_not_found)"),
        ("telegram", status(200, body=b'{"ok": false, "error_code": 401}'), "HTTP 401"),
        (
            "telegram",
            status(400, body=b'{"ok": false, "error_code": 400, "description": "Bad Request: chat not found"}'),
            "chat not found",
        ),
        (
            "telegram",
            status(429, body=b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 9}}'),
            "try again in 9 s",
        ),
        ("teams", status(200, body=b"Webhook message delivery failed with error: HTTP error 429"), "Throttled"),
        ("mattermost", status(400, body=b'{"id": "web.incoming_webhook.invalid.app_error"}'), "Refused (HTTP 400"),
        ("discord", status(404, body=b'{"code": 10015}'), "code 10015"),
        ("slack", status(200, body=b"<html>Log in</html>"), "with a page where Slack says 'ok'"),
    ],
)
def test_what_a_service_says_in_its_own_way(capsys, receiver, name, reply, sentence):
    """
    The inspector's verdict is what counts, not the status.
    """
    code, said = ask(capsys, receiver, name, reply)

    assert code == 1
    assert sentence in said


def test_a_group_of_telegram_that_has_moved_is_followed(capsys, receiver):
    """
    The second post goes to the chat's new number.
    """
    moved = {"ok": False, "error_code": 400, "parameters": {"migrate_to_chat_id": -100777}}
    path = f"/bot{TOKEN}/sendMessage"
    receiver.script(path, [status(400, body=json.dumps(moved).encode())], then=TAKEN["telegram"])
    code, _ = ask(capsys, receiver, "telegram")

    assert code == 0
    assert [json.loads(body)["chat_id"] for body in receiver.bodies()] == [-1001234, -100777]


def test_a_refused_message_is_sent_plainly_as_in_earnest(capsys, receiver):
    """
    Where only that is taken, it is said; the rich message was refused all the same.
    """
    receiver.script(f"/hooks/{SECRET}", [status(400)], then=status(200, body=b"ok"))
    code, said = ask(capsys, receiver, "slack")

    assert code == 1
    assert "a plain text was taken" in said


def test_where_nobody_listens(capsys):
    """
    A refused connection is told from a refused message.
    """
    code, said = call(capsys, refused_url(f"/{SECRET}"))

    assert code == 1
    assert "Not connected (ConnectionRefusedError): nobody listens at this host and port." in said


def test_a_service_that_does_not_answer(capsys, receiver, monkeypatch):
    """
    The attempt has the deadline of a delivery.
    """
    monkeypatch.setattr(test_webhook, "_POLICY", TransportPolicy(total=0.3))
    code, said = ask(capsys, receiver, "slack", hang())

    assert code == 1
    assert "Not connected (timed out after 0.3 s): the host was reached, and gave no answer in time." in said


def test_a_certificate_that_is_not_trusted(capsys, tmp_path, monkeypatch):
    """
    The remedy is named; with it the message is delivered.
    """
    authority = Authority(tmp_path)
    with Receiver(tls=authority.server()) as receiver:
        code, said = call(capsys, receiver.url(f"/{SECRET}"))
        assert code == 1
        assert "Not connected (TLS: certificate verify failed" in said
        assert "REQUESTS_CA_BUNDLE" in said

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.bundle)
        assert call(capsys, receiver.url(f"/{SECRET}"))[0] == 0


def test_a_port_without_tls(capsys):
    """
    https:// in front of a plain port.
    """
    with Nonsense() as server:
        code, said = call(capsys, server.url(f"/{SECRET}").replace("http://", "https://"))

    assert code == 1
    assert "should the URL begin with http://?" in said


@every_service
def test_a_dry_run_prints_the_message_and_sends_nothing(capsys, receiver, name):
    """
    What is printed is what the service would take.
    """
    code, said = ask(capsys, receiver, name, None, "--dry-run")

    assert code == 0
    assert not receiver.requests
    rules = service(name)
    document = json.loads(said)
    made = rules.make().payloads([test_webhook._record()])[0]
    assert document.keys() == json.loads(made.body).keys()


def test_the_url_comes_by_the_environment_or_the_standard_input(receiver):
    """
    So that it stands in no history of a shell and in no list of processes.
    """
    url = receiver.url(f"/{SECRET}")
    command = [sys.executable, "-m", "curl_interceptor", "test-webhook"]
    for arguments, given in [(["-"], f"{url}\n"), (["--env", "HOOK"], "")]:
        ended = subprocess.run(
            [*command, *arguments],
            input=given,
            env={**os.environ, "HOOK": url},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        assert SECRET not in ended.stdout
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "takes one of URL, - for the standard input, and --env NAME"),
        ([f"https://a.example/{SECRET}", "--env", "HOOK"], "takes one of URL"),
        (["--env", "NO_SUCH_VARIABLE"], "is not set, or empty"),
        (["-"], "the webhook URL is empty"),
        ([f"https://a.example/{SECRET}", f"https://b.example/{SECRET}"], "unrecognized arguments: (a URL)"),
        ([f"--url=https://a.example/{SECRET}"], "unrecognized arguments"),
        (["https://a.example/", "--service", SECRET], "there is no service of this name"),
        (["https://a.example/", "--service", "console"], "there are apprise, discord, googlechat"),
        ([f"ftp://a.example/{SECRET}"], "must begin with http:// or https://"),
        ([f"ntfy://a.example/{SECRET}"], "is given as AppriseInspector(url)"),
        ([f"https://hooks.slack.com/{SECRET}"], "is none of an incoming webhook"),
        ([f"123456789 {SECRET}", "--chat-id", "1"], "contains white space"),
        ([TOKEN, "--chat-id", ""], "chat_id is empty"),
        ([f"https://a.example/{SECRET}", "--chat-id", "1"], "are for Telegram"),
        ([TOKEN, "--api-base", "https://a.example"], "are for Telegram"),
        ([f"https://api.telegram.org/bot{TOKEN}/sendMessage"], "names no bot and chat"),
    ],
)
def test_a_call_that_is_not_right(capsys, monkeypatch, arguments, sentence):
    """
    Exit code 2, and a sentence that repeats no URL and no token.
    """
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    code, said = call(capsys, *arguments)

    assert code == 2
    assert sentence in said


def test_a_url_in_the_place_of_the_command_is_not_repeated(capsys):
    """
    Whoever forgets the command does not find the URL in the log of the terminal.
    """
    with pytest.raises(SystemExit):
        main([f"https://hooks.slack.com/services/T0/B0/{SECRET}"])
    assert SECRET not in "".join(capsys.readouterr())
