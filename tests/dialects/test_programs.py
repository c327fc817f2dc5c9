"""The dialects that are programs of their own, run in earnest: HTTPie, and Python with requests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.corpus import CORPUS, case, judge, perform
from support.shells import FEW, Room
from support.wire import Verdict, WireServer, compare

from curl_interceptor import render
from curl_interceptor.records.record import Record

_REFUSALS = "requests would|requests cannot|requests sends|requests takes|HTTPie|a header holds|the body"

# What curl can send and requests cannot.
_NOT_FOR_REQUESTS = {
    "Transfer-Encoding without body",
    "double slashes at the start",
}


def run_python(program: str, environment: dict[str, str]) -> None:
    """Run a program in this process, to save the start of an interpreter, with what it prints thrown away."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        exec(compile(program, "<program>", "exec"), {"print": lambda *_: None})


def run_python_on(corpus: Any, style: Any, room: Room) -> dict[str, Verdict | str]:
    """Return what came of each case: a verdict, or the sentence that stands in the place of a program."""
    found: dict[str, Verdict | str] = {}
    proxies = {name: value for name, value in room.environment.items() if "proxy" in name.lower()}
    for one in CORPUS:
        sent, server = corpus[one.name]
        program = render(sent.record, dialect="python", style=style)
        if program.startswith("# not runnable: "):
            found[one.name] = program
            continue
        run_python(program, proxies if style == "exact" else {})
        found[one.name] = judge(sent, server)
    return found


def test_python_puts_the_same_bytes_on_the_wire(corpus: Any, room: Room) -> None:
    """
    The program sends what the app sent, whatever the environment says; nearly always there is one.
    """
    found = run_python_on(corpus, "exact", room)
    refused = {name for name, verdict in found.items() if isinstance(verdict, str)}

    assert not {name: str(verdict) for name, verdict in found.items() if not verdict}
    assert refused <= _NOT_FOR_REQUESTS


def test_a_python_program_runs_by_itself(server: WireServer, room: Room, tmp_path: Path) -> None:
    sent = perform(
        case("", "POST", "/a?b=%20", data=b"it's \x00\xff\n", headers={"X": "\xe9"}, send={"timeout": 3}), server
    )
    (tmp_path / "program.py").write_text(render(sent.record, dialect="python"), "ascii")

    done = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=30)

    assert (done.stdout, done.stderr) == ("200 \n", "")
    assert compare(sent.wire, server.take()).kind != "different"


@pytest.mark.parametrize("style", ["readable", "compact"])
def test_short_python_programs_differ_in_usual_headers_only(style: Any, corpus: Any, room: Room) -> None:
    usual = r"header (?:lost|added): b'(?:user-agent|accept|accept-encoding|connection|content-length)[:']"
    for name in (
        "GET without body",
        "POST with body",
        "json",
        "form",
        "every byte",
        "multipart",
        "chunks",
        "own headers",
    ):
        sent, server = corpus[name]
        run_python(render(sent.record, dialect="python", style=style), {})
        assert all(re.match(usual, line) for line in judge(sent, server).differences)


def test_no_value_escapes_from_a_python_program(server: WireServer) -> None:
    """
    Whatever stands in a record is a literal.
    """
    sent = perform(case("", "POST", data=b"'\"\\\n#"), server)
    trick = "\"'; import os; os.system('touch pwned') #\n\\"
    record = replace(
        sent.record,
        verify=trick,
        cert=(trick, trick),
        url="https://h/",
        proxies=((trick, trick),),
        request_headers=(("X", trick.replace("\n", "")),),
    )

    program = render(record, dialect="python")

    assert re.fullmatch(r"[ -~\n]+", program)
    names = set(compile(program, "", "exec").co_names)
    assert names <= {"requests", "Request", "prepare", "request", "Session", "session", "trust_env", "send", "response",
                     "print", "status_code", "text", "headers", "urllib3", "util", "SKIP_HEADER", "pop"}  # fmt: skip


# HTTPie.

HTTP = shutil.which("http")


@pytest.mark.skipif(HTTP is None, reason="needs HTTPie")
def test_httpie_puts_the_same_bytes_on_the_wire_or_says_why_not(corpus: Any, room: Room) -> None:
    # Each HTTPie takes a third of a second.
    chosen = CORPUS if os.environ.get("CURL_INTERCEPTOR_TESTS") == "all" else CORPUS[::8]
    commands, names = [], []
    for one in chosen:
        command = render(corpus[one.name][0].record, dialect="httpie")
        if command.startswith("# not runnable: "):
            assert re.search(_REFUSALS, command)
            continue
        commands.append(command)
        names.append(one.name)
    proxies = [name for name in room.environment if "proxy" in name.lower()]

    room.run("bash", commands, **dict.fromkeys(proxies, ""))

    wrong = {name: verdict for name in names if not (verdict := judge(*corpus[name]))}
    assert not {name: f"{verdict}\n{commands[names.index(name)][:500]}" for name, verdict in wrong.items()}
    assert len(names) > 0.7 * len(chosen)
    assert room.is_untouched()


def test_httpie_is_never_given_a_file(server: WireServer) -> None:
    """
    HTTPie would read a file where a value begins with an at sign, and JSON where it begins with an equals sign.
    """
    sent = perform(case("", "POST", data=b"@x", headers={"X": "@secret.txt", "Y": "=1", "Z": "a@b=c"}), server)

    command = render(sent.record, dialect="httpie")

    assert "'X:\\@secret.txt'" in command
    assert "'Y:\\=1'" in command
    assert "'Z:a@b=c'" in command
    assert command.endswith("'--raw=@x'")


@pytest.mark.parametrize("dialect", ["python", "httpie"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"request_body_state": "cut"}, "only the first"),
        ({"target": "*"}, "requests takes the request target from the URL"),
        ({"url": "http://h/[1]"}, "requests would write this URL in another way"),
        ({"url": "http+unix://%2Fx.sock/"}, "a socket in the file system"),
        ({"request_headers": (("X", "a\r\nb"),)}, "a header holds bytes"),
        ({"method": "GET /\r\n"}, "the method is no HTTP token"),
    ],
)
def test_what_cannot_be_sent_says_so(dialect: str, changes: dict[str, Any], reason: str, server: WireServer) -> None:
    record: Record = replace(perform(case("", "POST", data=b"abc"), server).record, **changes)

    text = render(record, dialect=dialect)

    assert text.startswith("# not runnable: ")
    assert reason in text
    assert re.fullmatch("[ -~]+", text)


@FEW
@given(
    bodies=st.lists(st.binary(min_size=1, max_size=40), min_size=3, max_size=6),
    values=st.lists(st.binary(max_size=20), min_size=3, max_size=3),
)
def test_any_request_arrives_from_python(server: WireServer, bodies: list[bytes], values: list[bytes]) -> None:
    clean = [re.sub(rb"[\0\r\n]", b"", value).strip() for value in values]
    for body in bodies:
        sent = perform(
            case("", "POST", data=body, headers={f"X-{at}": value for at, value in enumerate(clean)}), server
        )
        program = render(sent.record, dialect="python")
        if not program.startswith("# not runnable: a header holds bytes"):
            run_python(program, {})
            assert compare(sent.wire, server.take())
