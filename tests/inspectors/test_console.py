"""The console: blocks of lines, on terminals, in pipes, and on whatever stands in the place of a stream."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import select
import sys
import threading
import time
from dataclasses import replace

import pytest
from support.hostile_records import BASE, RECORDS, record
from support.process import run
from support.services import assert_visible
from support.services.console import columns

from curl_interceptor import BadPayload, ConfigurationError, ConsoleInspector, DeadEndpoint, Transient, mount
from curl_interceptor.delivery.console import ConsoleTransport
from curl_interceptor.inspectors.console import _folded
from curl_interceptor.policies import TransportPolicy


def block(*records, **options) -> str:
    """What is printed of records, with its colours."""
    payloads = ConsoleInspector(**options).payloads(records)
    return "".join(payload.body.decode("utf-8") for payload in payloads)


def bare(text: str) -> str:
    return re.sub("\033\\[[0-9;]*m", "", text)


def post(stream, text="500 · GET\n", timeout=1.0, **options):
    """Deliver a text to a stream as a worker does."""
    inspector = ConsoleInspector(stream, **options)
    (payload,) = inspector.payloads([BASE])
    return ConsoleTransport(inspector.address, TransportPolicy()).post(replace(payload, body=text.encode()), timeout)


@pytest.fixture
def terminal():
    """A real terminal: its keyboard's end as a descriptor, and its screen's end as a stream."""
    keyboard, screen = pty.openpty()
    with open(screen, "w", encoding="utf-8") as stream:
        yield keyboard, stream
    os.close(keyboard)


def seen(keyboard: int) -> str:
    """What the terminal shows by now."""
    found = b""
    while select.select([keyboard], [], [], 0.3)[0]:
        found += os.read(keyboard, 65_536)
    return found.decode("utf-8").replace("\r\n", "\n")


# The blocks.


def test_a_block_has_title_facts_command_and_response():
    """
    In this order: what happened, the command at the left margin, the response behind a bar.
    """
    assert bare(block(BASE)) == (
        "\N{LARGE RED CIRCLE} 503 Service Unavailable · POST api.example.com/v1/payments\n"
        "  Took: 1,234 ms · Size: 16 B sent, 28 B received · When: 2024-05-01 14:02:07 UTC\n"
        "curl -q -g --path-as-is --http1.1 --noproxy '*' --connect-timeout 5 -y 5 -Y 1 \\\n"
        "  'https://api.example.com/v1/payments?page=2' -H 'User-Agent: shop/1.0' -H 'Accept: */*' \\\n"
        "  -H 'Content-Type: application/json' --data-raw '{\"amount\": 1250}'\n"
        "  Response\n"
        "  │ {\n"
        '  │   "error": "try again later"\n'
        "  │ }\n"
        "\n"
    )


def test_circles_can_be_left_out():
    """
    With emoji=False the title begins with the outcome.
    """
    assert bare(block(BASE, emoji=False)).startswith("503 Service Unavailable · POST")


@pytest.mark.parametrize("width", [40, 72, 1_000])
@pytest.mark.parametrize("case", RECORDS)
def test_lines_have_the_width_unless_they_are_titles_or_single_options(width, case):
    """
    Facts and bodies are folded; a command is broken between its options only.
    """
    for line in bare(block(RECORDS[case], width=width)).split("\n")[1:]:
        if line.startswith("  ") and not line.startswith(("  -", "  '", '  "')):
            assert columns(line) <= width


def test_in_the_order_of_events_request_and_outcome_are_blocks_of_their_own():
    """
    A call that began first and ended last stands around the other one.
    """
    outer = replace(BASE, id="outer", started=100.0, elapsed=3.0)
    inner = replace(BASE, id="inner", started=101.0, elapsed=1.0)
    titles = [one.split("\n")[0] for one in bare(block(inner, outer, order="events")).split("\n\n")[:-1]]

    assert [re.sub("^[^[]*", "", title).split(" · ")[0] for title in titles] == [
        "[outer] POST api.example.com/v1/payments",
        "[inner] POST api.example.com/v1/payments",
        "[inner] 503 Service Unavailable",
        "[outer] 503 Service Unavailable",
    ]


@pytest.mark.parametrize("case", RECORDS)
@pytest.mark.parametrize("order", ["calls", "events"])
def test_nothing_of_others_steers_the_terminal(case, order):
    """
    Escapes, controls and marks of direction of any record never arrive raw, whatever the order.
    """
    assert_visible(bare(block(RECORDS[case], order=order)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"stream": "console"}, "stream must be one of text, got a str"),
        ({"stream": None}, "stream must be one of text"),
        ({"stream": io.BytesIO()}, "not of bytes"),
        ({"order": "random"}, "order must be 'calls' or 'events'"),
        ({"color": "red"}, "color must be True or False"),
        ({"emoji": 1}, "emoji must be True or False"),
        ({"width": 39}, "width must be a whole number of characters from 40 to 1,000"),
    ],
)
def test_what_cannot_be_used_is_refused(options, sentence):
    """
    At construction, with the remedy.
    """
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        ConsoleInspector(**options)


def test_one_stream_has_one_address_and_another_look_has_another():
    """
    Two inspectors of a stream share its lane as long as their blocks look alike.
    """
    stream, other = io.StringIO(), io.StringIO()

    assert ConsoleInspector(stream).address != ConsoleInspector(other).address
    first = ConsoleInspector(stream)
    assert first.address == ConsoleInspector(stream).address
    assert first.address != ConsoleInspector(stream, width=80).address
    assert first.label == "console:StringIO"
    assert ConsoleInspector().label == "console:stderr"


# Where they go.


def test_a_terminal_shows_colours(terminal, monkeypatch):
    """
    On a real terminal the title is coloured, and nothing but colours is.
    """
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    keyboard, stream = terminal
    post(stream, block(RECORDS["said: control characters"]))

    shown = seen(keyboard)
    assert "\033[1;31m" in shown
    assert_visible(bare(shown))


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_shows_no_colours_where_they_are_not_wanted(terminal, monkeypatch, name, value):
    """
    The environment is asked at each delivery.
    """
    monkeypatch.setenv(name, value)
    keyboard, stream = terminal
    post(stream, block(BASE))

    assert "\033" not in seen(keyboard)


def test_colours_are_forced_and_forbidden_by_a_keyword(terminal, monkeypatch):
    """
    What is said by hand wins over the environment and the stream.
    """
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    post(stream, block(BASE), color=True)
    assert "\033[1;31m" in stream.getvalue()

    monkeypatch.delenv("NO_COLOR")
    keyboard, screen = terminal
    post(screen, block(BASE), color=False)
    assert "\033" not in seen(keyboard)


@pytest.mark.parametrize("before", [0, 1, 300, 2_000, 4_000])
@pytest.mark.parametrize("line", ["x", "x\n"], ids=["letters", "lines"])
def test_a_held_terminal_costs_the_attempt_its_deadline(terminal, before, line):
    """
    A terminal that is stopped takes less than it is given; the attempt ends in time and is made again later.
    """
    _, stream = terminal
    os.write(stream.fileno(), b"x" * before)
    began = time.monotonic()
    with pytest.raises(Transient, match=r"the stream took nothing for 0\.1 s"):
        post(stream, line * 500_000, timeout=0.1)
    assert time.monotonic() - began < 2
    assert os.get_blocking(stream.fileno())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "utf-16-le"])
def test_what_an_encoding_lacks_comes_as_escapes(tmp_path, encoding):
    """
    No letter of any record is an error, and the command comes as it is.
    """
    said = replace(RECORDS["said: wide letters"], error_message="caf\xe9 \u4e16")
    with open(tmp_path / "console.log", "w", encoding=encoding) as stream:
        post(stream, block(said))
    found = (tmp_path / "console.log").read_text(encoding)

    assert re.search("caf(?:\xe9|\\\\xe9) (?:\u4e16|\\\\u4e16)", found)
    assert "curl -q" in found
    assert "\\U0001f534" not in found


def test_an_odd_encoding_costs_the_record_only():
    """
    A stream whose encoding does not exist refuses what is printed.
    """
    stream = type("Odd", (io.StringIO,), {"encoding": "no-such"})()
    with pytest.raises((BadPayload, Transient)):
        post(stream)


def test_a_closed_stream_is_a_failed_delivery(tmp_path):
    """
    Closed after it was given: nothing raises but the delivery's own error.
    """
    stream = open(tmp_path / "console.log", "w", encoding="utf-8")  # noqa: SIM115
    inspector = ConsoleInspector(stream)
    stream.close()
    with pytest.raises(DeadEndpoint, match="closed"):
        ConsoleTransport(inspector.address, TransportPolicy()).post(inspector.payloads([BASE])[0], 1)


def test_a_pipe_that_nobody_reads_is_a_failed_delivery():
    """
    A broken pipe is told as such.
    """
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream, pytest.raises(DeadEndpoint, match="nobody reads"):
        post(stream)


def test_no_stream_at_all_is_a_failed_delivery(monkeypatch):
    """
    As under pythonw, where sys.stderr is None.
    """
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(DeadEndpoint, match="closed"):
        post("stderr")


def test_the_stream_is_looked_up_late(api, capsys, session):
    """
    What pytest or redirect_stderr put in the place of sys.stderr gets the blocks.
    """
    adapter = mount(session, ConsoleInspector(cooldown=None))
    with contextlib.redirect_stderr(io.StringIO()) as first:
        session.get(api.url("/status/503?a=1"))
        assert adapter.flush(5)
    session.get(api.url("/status/503?a=2"))
    assert adapter.flush(5)

    assert "a=1" in first.getvalue()
    assert "a=2" not in first.getvalue()
    captured = capsys.readouterr()
    assert "a=2" in captured.err
    assert "a=1" not in captured.err


def test_calls_are_printed_soon(api, capsys, session):
    """
    A console does not wait for a batch as chats do.
    """
    mount(session, ConsoleInspector())
    session.get(api.url("/status/503"))
    text, ends = "", time.monotonic() + 2
    while not text and time.monotonic() < ends:
        time.sleep(0.05)
        text += capsys.readouterr().err

    assert "503 Service Unavailable" in text


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("sigpipe", ["", "import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)"])
def test_a_broken_pipe_leaves_no_trace_at_the_end(api, stream, sigpipe, tmp_path):
    """
    The process ends well and says nothing, although its reader is gone; also where SIGPIPE would end it.
    """
    script = f"""
        import os
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, {1 if stream == "stdout" else 2})
        {sigpipe}
        import requests
        from curl_interceptor import ConsoleInspector, mount
        session = requests.Session()
        adapter = mount(session, ConsoleInspector({stream!r}), fallbacks="file:{tmp_path}/lost.ndjson")
        session.get(url)
        adapter.flush(5)
    """
    ended = run(script, url=api.url("/status/503"))

    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert (tmp_path / "lost.ndjson").read_text().count("\n") == 1


def test_what_is_captured_last_is_printed_at_the_end(api):
    """
    A process that ends at once prints its blocks first.
    """
    script = """
        import requests
        from curl_interceptor import ConsoleInspector, mount
        session = requests.Session()
        mount(session, ConsoleInspector("stdout"))
        session.get(url)
    """
    ended = run(script, url=api.url("/status/503"))

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.count("503 Service Unavailable") == 1


def test_many_blocks_through_a_slow_pipe_arrive_whole(tmp_path):
    """
    More than a pipe takes at once arrives as it was, byte for byte.
    """
    text = block(*[record(sent=bytes([65 + number]) * 9_000) for number in range(26)], color=None)
    reading, writing = os.pipe()
    pieces: list[str] = []

    def read():
        with open(reading, encoding="utf-8") as pipe:
            pieces.extend(iter(lambda: pipe.read(10_000), ""))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with open(writing, "w", encoding="utf-8") as stream:
        post(stream, text, timeout=10)
    reader.join(10)

    assert "".join(pieces) == bare(text)


def test_a_word_without_end_is_folded_in_time():
    """
    A long line of wide letters, which has no place to break, costs no more than its length.
    """
    began = time.thread_time()
    lines = _folded("\u4e16" * 60_000, 100)

    assert time.thread_time() - began < 1
    assert [len(line) for line in lines] == [50] * 1_200
