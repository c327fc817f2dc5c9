"""
The dialects of Windows, judged without Windows: what their shells make of a command is told by their documentation.

Each reader below is written from it: PowerShell's rules of single quotes (about_Quoting_Rules), cmd's caret and percent
sign, and the rules by which the C library takes a command line apart. What they read is given to the real curl.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.corpus import CORPUS, case, judge, perform
from support.shells import Room
from support.wire import WireServer

from curl_interceptor import render
from curl_interceptor.dialects import cmd
from curl_interceptor.records.record import Record

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")


def curl(room: Room, arguments: list[bytes], given: bytes = b"") -> None:
    subprocess.run(
        [b"curl", *arguments], input=given, cwd=room.work, env=room.environment, capture_output=True, timeout=20
    )


# PowerShell.

_QUOTED = r"'(?:[^']|'')*'"
_PIPE = re.compile(rf"({_QUOTED}(?:,\s{_QUOTED})*) \| curl\.exe (.*)")
_FILE = re.compile(
    r"(\$\w+) = \[IO\.Path\]::GetTempFileName\(\)[;\n] ?"
    r"\[IO\.File\]::WriteAllBytes\(\1, \[Convert\]::FromBase64String\('([A-Za-z0-9+/=]*)'\)\)[;\n] ?"
)


def run_powershell(command: str, room: Room) -> None:
    """Do what PowerShell does with the few things that a command consists of."""
    files = {}
    while found := _FILE.match(command):
        path = room.path / found[1].strip("$")
        path.write_bytes(base64.b64decode(found[2]))
        files[found[1]] = path
        command = command[found.end() :]
    if files:
        command, _, removed = re.split("(; |\n)(?=Remove-Item)", command)
        assert removed == f"Remove-Item {', '.join(files)}"
    given, arguments = b"", command.removeprefix("curl.exe ")
    if piped := _PIPE.fullmatch(command):
        lines = [quoted[1:-1].replace("''", "'") for quoted in re.findall(_QUOTED, piped[1])]
        given = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        arguments = piped[2]
    words = [word.strip('"') for word in arguments.split(" ")]
    assert all(re.fullmatch(r"[-@$\w]+", word) for word in words)
    for name, path in files.items():
        words = [word.replace(name, str(path)) for word in words]
    curl(room, [word.encode() for word in words], given)


def test_powershell_puts_the_same_bytes_on_the_wire(corpus: Any, room: Room) -> None:
    wrong = {}
    for one in CORPUS:
        sent, server = corpus[one.name]
        run_powershell(render(sent.record, dialect="powershell"), room)
        verdict = judge(sent, server)
        if not verdict:
            wrong[one.name] = str(verdict)

    assert not wrong
    assert room.is_untouched()


# cmd.


def read_cmd(line: str) -> list[str]:
    """Read a line as cmd does at its prompt, where PATH and a are variables, and then as the C library does."""
    line = re.sub(r"%([^%]+)%", lambda found: "EXPANDED" if found[1].upper() in ("PATH", "A", "41") else found[0], line)
    return list(_arguments(_without_carets(line)))


def _without_carets(line: str) -> str:
    out, quoted, at = [], False, 0
    while at < len(line):
        letter = line[at]
        if letter == "^" and not quoted:
            at += 1
            letter = line[at]
            if letter == "\n":  # ends nothing: the next line follows
                at += 1
                letter = line[at]
        elif letter == '"':
            quoted = not quoted
        else:
            assert quoted or letter not in "&|<>()\n", f"{letter} has a meaning in {line}"
        out.append(letter)
        at += 1
    assert not quoted
    return "".join(out)


def _arguments(line: str) -> Iterator[str]:
    word, quoted, begun, at = "", False, False, 0
    while at < len(line):
        slashes = len(line) - at - len(line[at:].lstrip("\\"))
        if slashes:
            at += slashes
            if line[at : at + 1] == '"':
                word += "\\" * (slashes // 2)
                if slashes % 2:
                    word, at = word + '"', at + 1
            else:
                word += "\\" * slashes
            begun = True
        elif line[at] == '"':
            quoted, begun, at = not quoted, True, at + 1
        elif line[at] in " \t" and not quoted:
            if begun:
                yield word
            word, begun, at = "", False, at + 1
        else:
            word, begun, at = word + line[at], True, at + 1
    if begun:
        yield word


def test_cmd_puts_the_same_bytes_on_the_wire_or_says_why_not(corpus: Any, room: Room) -> None:
    wrong, written = {}, 0
    for one in CORPUS:
        sent, server = corpus[one.name]
        text = render(sent.record, dialect="cmd")
        if text.startswith("rem not runnable: "):
            assert re.search("cmd cannot hold|8191|longer than an argument", text)
            continue
        written += 1
        program, *arguments = read_cmd(text)
        assert program == "curl.exe"
        curl(room, [argument.encode("ascii") for argument in arguments])
        verdict = judge(sent, server)
        if not verdict:
            wrong[one.name] = f"{verdict}\n{text}"

    assert not wrong
    assert written > 0.7 * len(CORPUS)
    assert room.is_untouched()


@settings(max_examples=500, deadline=None, derandomize=True)
@given(text=st.text(st.sampled_from(" \"'\\%^&|<>()!aA4=1;,@-"), max_size=20))
def test_any_word_of_cmd_is_read_back(text: str) -> None:
    assert read_cmd(f"curl.exe {cmd._quote(text)} x") == ["curl.exe", text, "x"]


@pytest.mark.parametrize("text", ["%PATH%", "%%PATH%%", "%a%", "a%41%b", "%", "%%", "100% %PATH%"])
def test_no_variable_of_cmd_is_expanded(text: str) -> None:
    assert read_cmd(f"curl.exe {cmd._quote(text)}") == ["curl.exe", text]


# Both.


@pytest.fixture
def plain(server: WireServer) -> Record:
    return perform(case("plain", "POST", "/a?b=%41", data=b"it's\n", headers={"X": 'a"%PATH%'}), server).record


@pytest.mark.parametrize("dialect", ["powershell", "cmd"])
@pytest.mark.parametrize("style", ["exact", "readable", "compact"])
def test_what_cannot_be_sent_is_a_remark(dialect: str, style: Any, plain: Record) -> None:
    text = render(replace(plain, request_body_state="cut"), dialect=dialect, style=style)

    assert text.startswith(("# not runnable: only the first", "rem not runnable: only the first"))
    assert re.fullmatch("[ -~]+", text)
    assert dialect != "cmd" or "%" not in text


def test_readable_styles_break_between_options(plain: Record) -> None:
    line = replace(plain, request_body=b"it's!")
    wide = render(line, dialect="cmd", style="readable")

    assert wide.count(" ^\n  ") == wide.count("\n") > 2
    assert read_cmd(wide)[0] == "curl.exe"
    assert "',\n'" in render(plain, dialect="powershell", style="readable")
