"""The dialect for bash, zsh, ksh and mksh, judged like the portable one; its control characters can be read."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.corpus import CORPUS, case, judge, perform
from support.shells import FEW, SHELLS, Room, terminal
from support.wire import WireServer, compare

from curl_interceptor import render

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")

_SHELLS = [shell for shell in ("bash", "zsh", "ksh", "mksh") if shell in SHELLS]


@pytest.mark.parametrize("shell", _SHELLS)
def test_command_puts_the_same_bytes_on_the_wire(shell: str, corpus: Any, room: Room) -> None:
    room.run_in_any_order(shell, [render(sent.record, dialect="bash") for sent, _ in corpus.values()])

    verdicts = {one.name: judge(*corpus[one.name]) for one in CORPUS}

    assert not {name: str(verdict) for name, verdict in verdicts.items() if not verdict}
    assert room.is_untouched()


def test_control_characters_are_escapes_in_the_command(server: WireServer) -> None:
    """
    A body of several lines, and one with control bytes, stand in the command; only NUL and great length do not.
    """
    sent = perform(case("", "POST", data=b"one's\ttwo!\r\n\x1b[201~caf\xc3\xa9"), server)

    text = render(sent.record, dialect="bash")

    assert text.endswith(r"--data-raw $'one\047s\ttwo\041\r\n\033[201~caf\303\251'")
    assert render(replace(sent.record, request_body=b"a\0"), dialect="bash").startswith("printf 'a\\000' | ")
    assert " | base64 -d | " in render(replace(sent.record, request_body=b"\n" * 40_000), dialect="bash")


def test_commands_are_one_line_of_printable_ascii(corpus: Any) -> None:
    for sent, _ in corpus.values():
        assert re.fullmatch(r"[ -~]+", render(sent.record, dialect="bash"))


@FEW
@given(bodies=st.lists(st.binary(min_size=1, max_size=60), min_size=4, max_size=12))
def test_any_body_arrives(server: WireServer, room: Room, bodies: list[bytes]) -> None:
    sent = [perform(case("", "POST", data=body), server) for body in bodies]

    room.run("bash", [render(one.record, dialect="bash") for one in sent])

    for one, got in zip(sent, server.take_all(), strict=True):
        assert compare(one.wire, got)


def test_typed_commands_send_the_same_bytes(server: WireServer, room: Room) -> None:
    """
    An interactive bash looks for its history in these quotes, too, and finds none.
    """
    bodies = [b"a!!b\n!x ^a^b'!'\n", b"it's\n!touch pwned\n", b"\x03\x04\x15\x1b[201~\ttouch pwned\r\n"]
    sent = [perform(case("", "POST", data=body, headers={"X": "caf\xe9 !! '!x'"}), server) for body in bodies]

    with terminal(room, "bash") as prompt:
        for one in sent:
            prompt.type(render(one.record, dialect="bash"))
            assert compare(one.wire, server.take())

    assert room.is_untouched()
