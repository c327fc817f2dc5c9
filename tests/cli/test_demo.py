"""The demo, as somebody meets it who has just installed the package."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from curl_interceptor.cli import demo as demo_command
from curl_interceptor.cli import main
from curl_interceptor.cli.demo import SECRET
from curl_interceptor.cli.demo_servers import Receiver
from curl_interceptor.cli.terminal import Terminal, printable

FAILURES = {
    "POST /v1/payments: 500",
    "GET /v1/customers/42: 404",
    "GET /v1/reports: 503",
    "GET /v1/reset: ConnectionError",
    "GET /v1/stalled: ReadTimeout",
    "GET /v1/orders: ConnectionError",
    "GET /v1/accounts: SSLError",
}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "curl_interceptor", *arguments],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.fixture(scope="module")
def demos() -> dict[str, subprocess.CompletedProcess[str]]:
    """The demo as it runs without any option, in several environments, all at once."""
    environments: dict[str, dict[str, str]] = {
        "usual": {},
        "plain": {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"},
        "switched off": {"CURL_INTERCEPTOR_ENABLED": "0"},
    }
    with ThreadPoolExecutor() as together:
        return dict(zip(environments, together.map(lambda one: run("demo", **one), environments.values()), strict=True))


@pytest.fixture
def demo(demos):
    return demos["usual"]


@pytest.fixture
def refused_url():
    """A URL where nobody listens, and nobody else can begin to."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unheard.getsockname()[1]}/hooks/T0-secret-part"


def headlines(output: str) -> set[str]:
    return {
        line[2:].partition(" after ")[0] for line in output.splitlines() if line.startswith("# ") and " after " in line
    }


def test_demo_shows_every_failure_as_the_receiver_got_it(demo):
    """
    The demo ends well, shows each failure with its command and not the success, and says nothing on stderr.
    """
    assert (demo.returncode, demo.stderr) == (0, "")
    assert headlines(demo.stdout) == FAILURES
    assert demo.stdout.count("\ncurl ") == len(FAILURES)


def test_secret_is_sent_and_arrives_redacted(demo):
    """
    The secret is named once, where the demo says that it is sent; in the commands it is hidden.
    """
    introduction, _, commands = demo.stdout.partition("What arrived at the webhook")
    assert introduction.count(SECRET) == 1
    assert SECRET not in commands
    assert "access_token=REDACTED" in commands
    assert "Bearer REDACTED" in commands


def test_output_is_plain_text_where_no_terminal_is(demos):
    """
    Into a pipe go printable characters and line breaks alone, whatever the encoding.
    """
    for output in (demos["usual"], demos["plain"]):
        assert output.returncode == 0
        assert all(letter.isprintable() or letter == "\n" for letter in output.stdout)


def test_demo_delivers_to_a_webhook_of_ones_own():
    """
    With --webhook the same failures arrive there, and the secret does not.
    """
    with Receiver() as receiver:
        demo = run("demo", "--webhook", receiver.url, NO_PROXY="*")

        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert len(receiver.documents()) == len(FAILURES)
        assert not any(SECRET.encode() in post for post in receiver.posts)


def test_webhook_that_refuses_is_a_failure_of_the_demo(refused_url, monkeypatch, capsys):
    """
    A webhook that takes nothing makes the exit code 1 and a sentence, in which its URL does not stand.
    """
    monkeypatch.setattr(demo_command, "PATIENCE", 1.0)

    assert main(["demo", "--webhook", refused_url]) == 1

    said = capsys.readouterr()
    assert f"took 0 of {len(FAILURES)} records" in said.out
    assert "secret-part" not in said.out + said.err


def test_demo_says_when_the_environment_switches_it_off(demos):
    """
    Where nothing is captured the demo fails, and names the switch.
    """
    demo = demos["switched off"]

    assert demo.returncode == 1
    assert "CURL_INTERCEPTOR_ENABLED" in demo.stdout.splitlines()[-1]


def test_webhook_that_is_no_url_is_refused_before_anything_is_sent():
    """
    A URL that cannot be used is told in one sentence, without repeating it.
    """
    demo = run("demo", "--webhook", "hooks.example.com/T0-secret-part")

    assert demo.returncode == 2
    assert "https://" in demo.stderr
    assert "secret-part" not in demo.stderr
    assert "Traceback" not in demo.stderr
    assert demo.stdout == ""


def test_command_must_be_named():
    """
    Without a command there is nothing to do, and the usage says what there is.
    """
    bare = run()

    assert bare.returncode == 2
    assert "usage: curl-interceptor" in bare.stderr


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, "\033[31mtrouble\033[0m\n"),
        ({"NO_COLOR": ""}, "\033[31mtrouble\033[0m\n"),
        ({"NO_COLOR": "1"}, "trouble\n"),
        ({"TERM": "dumb"}, "trouble\n"),
    ],
)
def test_colour_is_for_terminals_that_want_it(monkeypatch, environment, shown):
    """
    A terminal gets colour, unless NO_COLOR says something or the terminal is dumb.
    """
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Tty()

    Terminal(stream).say("trouble", "red")

    assert stream.getvalue() == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("café\nau lait", "café\nau lait"),
        ("\033[2Jgone", "\\x1b[2Jgone"),
        ("a\rb\tc\x00", "a\\rb\\tc\\x00"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\x9b31m", "\\x9b31m"),
        ("lone \udc80", "lone \\udc80"),
    ],
)
def test_what_could_steer_a_terminal_is_written_as_an_escape(text, shown):
    """
    Control characters, marks of direction and lone surrogates lose their power, all else stays.
    """
    assert printable(text) == shown
