"""
The posix dialect, judged by the world: requests sends, a shell runs the command, and the bytes are compared.

Every shell is given a hostile environment: proxies that lead nowhere, and a `.curlrc` that would change each request.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.corpus import CORPUS, GROUPS, PROXIES, Case, Sent, case, judge, perform
from support.shells import FEW, SHELLS, Room, terminal
from support.wire import Verdict, WireServer, compare

from curl_interceptor.dialects import posix, quoting, render
from curl_interceptor.records.record import Record

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")


@pytest.fixture(scope="module")
def verdicts(corpus: dict[str, tuple[Sent, WireServer]], room: Room) -> Callable[[str], dict[str, Verdict]]:
    """What each shell makes of the corpus, all of it in one process."""
    known: dict[str, dict[str, Verdict]] = {}

    def of(shell: str) -> dict[str, Verdict]:
        if shell not in known:
            room.run_in_any_order(shell, [render(sent.record) for sent, _ in corpus.values()])
            known[shell] = {name: judge(sent, server) for name, (sent, server) in corpus.items()}
        return known[shell]

    return of


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("shell", SHELLS)
def test_command_puts_the_same_bytes_on_the_wire(shell: str, group: str, verdicts: Any, corpus: Any) -> None:
    """
    Run in any of the shells, the command makes curl send what the app sent.
    """
    of = verdicts(shell)
    failed = [one.name for one in GROUPS[group] if not of[one.name]]

    assert not failed, "\n\n".join(f"{name}: {of[name]}\n{render(corpus[name][0].record)[:2_000]}" for name in failed)


def test_corpus_has_names_of_its_own() -> None:
    assert len({one.name for one in CORPUS}) == len(CORPUS) >= 80


def test_commands_are_one_line_of_printable_ascii(corpus: Any) -> None:
    """
    Nothing in a command can steer a terminal or end a paste.
    """
    for sent, _ in corpus.values():
        assert re.fullmatch(r"[ -~]+", render(sent.record))


def test_commands_leave_the_machine_alone(verdicts: Any, room: Room) -> None:
    """
    No part of a request runs as a command, and none reads or writes a file.
    """
    for shell in SHELLS:
        verdicts(shell)

    assert room.is_untouched()


def test_proxy_is_used_although_the_environment_exempts_all_hosts(corpus: Any, room: Room) -> None:
    chosen = [corpus[one.name] for one in PROXIES if one.proxied]

    room.run("bash", [render(sent.record) for sent, _ in chosen], no_proxy="*", NO_PROXY="*")

    for sent, server in chosen:
        assert judge(sent, server)


def test_expectation_of_the_app_is_sent(server: WireServer, room: Room) -> None:
    """
    curl waits a second for a 100 that does not come, and sends the body then.
    """
    sent = perform(case("expect", "POST", data=b"x", headers={"Expect": "100-continue"}), server)

    room.run("bash", [render(sent.record)])

    assert judge(sent, server)


# Anything at all.

_TEXT = st.text(st.sampled_from(" '\"\\$`!#%&*()[]{};<>|~^@=-\n\r\t\0aé0137n"), max_size=30)
_BODY = st.one_of(
    st.binary(max_size=60),
    _TEXT.map(str.encode),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
)
_VALUE = st.one_of(st.binary(max_size=40), _TEXT.map(lambda text: text.encode("latin-1"))).map(
    lambda value: re.sub(rb"[\0\r\n]", b"", value).lstrip(b" \t\v\f\r\n")
)
_PATH = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x17F, exclude_characters="#"), max_size=30)


def _agree(cases: list[Case], shell: str, server: WireServer, room: Room) -> None:
    """Run all cases in one shell; the server gets them in the same order."""
    sent = [perform(one, server) for one in cases]
    room.run(shell, [render(one.record) for one in sent])
    got = server.take_all()
    assert len(got) == len(sent)
    for one, theirs in zip(sent, got, strict=True):
        verdict = compare(one.wire, theirs)
        assert verdict, f"{verdict}\n{render(one.record)}"


@pytest.mark.parametrize("shell", SHELLS)
@FEW
@given(bodies=st.lists(_BODY.filter(bool), min_size=4, max_size=12))
def test_any_body_arrives(shell: str, server: WireServer, room: Room, bodies: list[bytes]) -> None:
    _agree([case("", "POST", data=body) for body in bodies], shell, server, room)


@pytest.mark.parametrize("shell", SHELLS)
@FEW
@given(values=st.lists(_VALUE, min_size=4, max_size=12))
def test_any_header_arrives(shell: str, server: WireServer, room: Room, values: list[bytes]) -> None:
    """
    Whatever bytes requests lets through as the value of a header.
    """
    _agree([case("", "GET", headers={f"X-{at}": value for at, value in enumerate(values)})], shell, server, room)


@pytest.mark.parametrize("shell", SHELLS[:2])
@FEW
@given(paths=st.lists(_PATH, min_size=4, max_size=12))
def test_any_target_arrives(shell: str, server: WireServer, room: Room, paths: list[str]) -> None:
    _agree([case("", "GET", f"/t/{path}") for path in paths], shell, server, room)


@pytest.mark.parametrize("shell", SHELLS)
@FEW
@given(texts=st.lists(_TEXT.map(lambda text: re.sub("[\0\n]", "", text)), min_size=10, max_size=50))
def test_any_word_is_read_back(shell: str, room: Room, texts: list[str]) -> None:
    """
    A quoted word comes out of every shell as it went in; the printf of the system shows its arguments.
    """
    words = [text.encode().decode("latin-1") for text in texts]
    script = f"{shutil.which('printf')} '%s\\0' {' '.join(map(quoting.quote, words))}"

    out = room.run(shell, [script])

    assert out.split(b"\0")[:-1] == [text.encode() for text in texts]


_TYPED = [
    case("history", "POST", data="a!!b !x ^a^b", headers={"X-Bang": "caf\xe9!! !x"}),
    case("history, piped", "POST", data=b"!!\n!x\n'!'\n"),
    case("control bytes", "POST", data=b"\x03\x04\x15\x1b[201~\ttouch pwned\r\n"),
    case("quotes", "POST", data="it's \\ \\\\ \\' \"x\" $(touch pwned) `touch pwned` # no comment"),
    case("target", "GET", "/!!/^a^b/?q='!x'&r=[1]{2}"),
    case("5 KB", "POST", data="0123456789" * 500),
]


@pytest.mark.parametrize("shell", [shell for shell in ("bash", "zsh") if shell in SHELLS])
def test_typed_commands_send_the_same_bytes(shell: str, server: WireServer, room: Room) -> None:
    """
    Typed at a prompt, where history and line editing look at each character, the command still is the request.
    """
    sent = [perform(one, server) for one in _TYPED]

    with terminal(room, shell) as prompt:
        for one in sent:
            prompt.type(render(one.record))
            assert compare(one.wire, server.take())

    assert room.is_untouched()


# What cannot be sent again says so.


@pytest.fixture
def plain(server: WireServer) -> Record:
    return perform(case("plain", "POST", "/a'b?c=1", data=b"head of a body", headers={"X-A": "it's"}), server).record


def _with(record: Record, name: str, value: str) -> Record:
    return replace(record, request_headers=(*record.request_headers, (name, value)))


REFUSED: dict[str, tuple[Callable[[Record], Record], str]] = {
    "cut body": (
        lambda record: replace(record, request_body_state="cut", request_body_size=100),
        "only the first 14 of 100 bytes of the request body are known",
    ),
    "cut body of unknown size": (
        lambda record: replace(record, request_body_state="cut", request_body_size=None),
        "only the first 14 bytes of the request body are known",
    ),
    "missing body": (
        lambda record: replace(record, request_body_state="missing", request_body=None),
        "the request body was not captured",
    ),
    "broken body": (lambda record: replace(record, request_body_state="broken"), "the request body ended in an error"),
    "abandoned body": (lambda record: replace(record, request_body_state="abandoned"), "was not sent to its end"),
    "CRLF in a header": (lambda record: _with(record, "X", "a\r\nX-Evil: 1"), "a header holds bytes"),
    "NUL in a header": (lambda record: _with(record, "X", "a\0b"), "a header holds bytes"),
    "character that is no byte": (lambda record: _with(record, "X", "\u20ac"), "a header holds bytes"),
    "value of a form feed": (lambda record: _with(record, "X", " \f"), "a header holds bytes"),
    "header that names a file": (lambda record: _with(record, "@secret.txt", "x"), "a header of this name"),
    "header name with a line": (lambda record: _with(record, "X\r\nY", "x"), "a header of this name"),
    "empty header name": (lambda record: _with(record, "", "x"), "a header of this name"),
    "empty header with a semicolon": (lambda record: _with(record, "X;Y", ""), "a header of this name"),
    "huge header": (lambda record: _with(record, "X", "x" * 140_000), "longer than an argument"),
    "huge header of odd bytes": (lambda record: _with(record, "X", "\xe9" * 40_000), "longer than an argument"),
    "two hosts": (lambda record: _with(_with(record, "Host", "a"), "host", "b"), "one Host header"),
    "method with a space": (lambda record: replace(record, method="GET /x HTTP/1.1"), "the method is no HTTP token"),
    "method with a line": (lambda record: replace(record, method="GET\r\n"), "the method is no HTTP token"),
    "no method": (lambda record: replace(record, method=""), "the method is no HTTP token"),
    "file": (lambda record: replace(record, url="file:///etc/passwd"), "curl speaks HTTP only"),
    "no URL": (lambda record: replace(record, url="secret.txt"), "curl speaks HTTP only"),
    "backslash in the authority": (
        lambda record: replace(record, url="http://a\\@127.0.0.1/"),
        "the URL holds characters",
    ),
    "space in the URL": (lambda record: replace(record, url=record.url + " x"), "the URL holds characters"),
    "line in the target": (lambda record: replace(record, target="/a\r\nb"), "the request target holds characters"),
    "huge URL": (lambda record: replace(record, url=record.url + "x" * 140_000), "the URL is longer"),
    "chunks and a length": (lambda record: _with(record, "Transfer-Encoding", "chunked"), "both a Content-Length and"),
    "wrong length": (
        lambda record: replace(record, request_body_size=15),
        "the Content-Length is not that of the body",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exact_says_so(name: str, plain: Record) -> None:
    """
    The text names the reason, shows the request, and is a comment of harmless words.
    """
    change, reason = REFUSED[name]

    text = render(change(plain))

    assert text.startswith("# not runnable: ")
    assert reason in text
    assert "X-A: it\\047s" in text
    assert re.fullmatch(r"# [a-zA-Z0-9 .,:_'*~@/+=-]*(?:'[^'\\]*(?:\\[0-9a-zA-Z][^'\\]*)*'|[a-zA-Z0-9 .-])*", text)
    assert re.fullmatch(r"[ -~]+", text)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_not_runnable_sends_nothing(shell: str, plain: Record, server: WireServer, room: Room) -> None:
    room.run(shell, [render(change(plain)) for change, _ in REFUSED.values()])

    assert server.take_all() == []
    assert room.is_untouched()


@pytest.mark.parametrize("shell", [shell for shell in ("bash", "zsh") if shell in SHELLS])
def test_what_is_not_runnable_sends_nothing_at_a_prompt(
    shell: str, plain: Record, server: WireServer, room: Room
) -> None:
    """
    An interactive zsh knows no comments: there the line is a command that does not exist.
    """
    with terminal(room, shell) as prompt:
        for name in ("cut body", "CRLF in a header", "file"):
            prompt.type(render(REFUSED[name][0](_with(plain, "X-Raw", "\xe9'; touch pwned; '"))))

    assert server.take_all() == []
    assert room.is_untouched()


_ANY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.tuples(st.text(), st.floats())
)
_ANY_TEXT = st.one_of(
    st.text(st.characters(), max_size=12),
    st.sampled_from(["", "http://h", "https://[::1]:443/a", "//", "http://:99999"]),
)
_ANY_PAIRS = st.lists(
    st.tuples(
        st.one_of(_ANY_TEXT, st.sampled_from(["Host", "Content-Length", "Transfer-Encoding", "http", "all"])), _ANY_TEXT
    ),
    max_size=4,
).map(tuple)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "method": st.one_of(st.sampled_from(["GET", "HEAD", "POST"]), _ANY_TEXT),
            "url": _ANY_TEXT,
            "target": st.none() | _ANY_TEXT,
            "request_headers": _ANY_PAIRS,
            "request_body": st.none() | st.binary(max_size=10),
            "request_body_state": st.sampled_from(["none", "complete", "cut", "missing", "broken", "abandoned"]),
            "request_body_size": st.none() | st.integers(0, 99),
            "chunked": st.booleans(),
            "verify": st.booleans() | _ANY_TEXT,
            "cert": st.none() | _ANY_TEXT | st.tuples(_ANY_TEXT, _ANY_TEXT),
            "proxies": _ANY_PAIRS,
            "timeout": _ANY,
        },
    )
)
def test_no_record_raises(changes: dict[str, Any], plain: Record) -> None:
    assert re.fullmatch(r"[ -~]+", render(replace(plain, **changes)))


# Options that leave no trace at a server without TLS.


def test_connection_settings_become_options(plain: Record) -> None:
    def options(**changes: Any) -> str:
        return render(replace(plain, **{"url": "https://h.example/"} | changes)).partition(" -H ")[0]

    assert " -k" not in options(url="http://h/", verify=False)  # nothing to verify
    assert " -k " in options(verify=False)
    assert " --cacert '/etc/ca.pem' " in options(verify="/etc/ca.pem")
    assert " --capath '/etc/ssl/certs' " in options(verify="/etc/ssl/certs")
    assert " --cert '/c\\:1.pem' " in options(cert="/c:1.pem")
    assert " --cert '/c.pem' --key '/k.pem' " in options(cert=("/c.pem", "/k.pem"))
    assert " -x 'http://127.0.0.1:80' --noproxy '' " in options(url="http://h/", proxies=(("all", "127.0.0.1"),))
    assert " -x 'https://u:p@p.example:443' " in options(url="http://h/", proxies=(("http", "https://u:p@p.example/"),))
    assert " -x 'socks5h://p.example' " in options(proxies=(("all", "socks5h://p.example"),))
    assert " --noproxy '*' " in options(url="http://h/", proxies=(("https", "http://p.example"),))


@pytest.mark.parametrize(
    ("timeout", "options"),
    [
        (None, ""),
        (2, "--connect-timeout 2 -y 2 -Y 1"),
        (0.2, "--connect-timeout 0.2 -y 1 -Y 1"),
        ((3.05, 27), "--connect-timeout 3.05 -y 27 -Y 1"),
        ((None, 2.5), "-y 3 -Y 1"),
        (0.00001, "--connect-timeout 0.001 -y 1 -Y 1"),
        (urllib3.Timeout(connect=1, read=None), "--connect-timeout 1"),
        (urllib3.Timeout(total=5), "--connect-timeout 5 -y 5 -Y 1"),
        (float("nan"), ""),
        (float("inf"), ""),
        (-1, ""),
        (True, ""),
        ("5", ""),
        ((1, 2, 3), ""),
        (object(), ""),
        (10**400, ""),
    ],
    ids=str,
)
def test_timeouts_become_options(timeout: Any, options: str, plain: Record) -> None:
    command = render(replace(plain, timeout=timeout))

    assert f"--noproxy '*' {options} 'http".replace("  ", " ") in command


def test_hosts_that_curl_rewrites_are_named(plain: Record) -> None:
    """
    curl writes `127.0.0.1` and `::1` where the app wrote something else, and keeps a final dot that urllib3 drops.
    """
    assert "-H 'Host: 127.1:81'" in render(replace(plain, url="http://127.1:81/"))
    assert "-H 'Host: [0::1]'" in render(replace(plain, url="http://[0::1]:80/"))
    assert "-H 'Host: example.com'" in render(replace(plain, url="https://example.com./"))
    assert "Host:" not in render(replace(plain, url="https://example.com:0443/"))


# The judge is judged: a broken dialect does not get past it.

MUTATIONS: dict[str, tuple[str, Callable[[str], str]]] = {
    "a header is dropped": ("own headers", lambda command: command.replace(" -H 'x-b: 2'", "")),
    "a value loses a letter": ("own headers", lambda command: command.replace("X_C: 3'", "X_C: '")),
    "an empty header is lost": ("empty header", lambda command: command.replace("'X-Empty;'", "'X-Empty:'")),
    "a default header comes back": ("header without defaults", lambda command: command.replace(" -H 'Accept:'", "")),
    "a content type is added": (
        "text without content type",
        lambda command: command.replace(" -H 'Content-Type:'", ""),
    ),
    "the method is left out": ("PUT with body", lambda command: command.replace(" -X PUT", "")),
    "a file is read": ("body @secret.txt", lambda command: command.replace("--data-raw", "-d")),
    "lines are joined": ("CRLF", lambda command: command.replace("--data-binary", "-d")),
    "the path is squeezed": ("dot segments set after prepare", lambda command: command.replace(" --path-as-is", "")),
    ".curlrc is read": ("GET without body", lambda command: command.replace(" -q", "")),
    "a proxy is taken": ("GET without body", lambda command: command.replace(" --noproxy '*'", "")),
    "the proxy header stays": ("proxy", lambda command: command.replace(" -H 'Proxy-Connection:'", "")),
    "chunks become a length": ("chunks", lambda command: command.replace(" -H 'Transfer-Encoding: chunked'", "")),
    "Expect is added": ("1.5 MB", lambda command: command.replace(" -H 'Expect:'", "")),
    "the last newline is lost": ("newlines at the end", lambda command: command.replace("\\n' |", "' |")),
    "bytes become UTF-8": ("bytes header", lambda command: command.replace("\\377", "\\303\\277")),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_judge_sees_a_broken_command(name: str, corpus: Any, room: Room) -> None:
    chosen, mutate = MUTATIONS[name]
    sent, server = corpus[chosen]
    command = render(sent.record)
    broken = mutate(command)
    assert broken != command

    room.run("bash", [broken])
    verdict = judge(sent, server)
    room.run("bash", [command])

    assert not verdict
    assert judge(sent, server)


def test_brackets_are_no_ranges(server: WireServer, room: Room) -> None:
    """
    urllib3 escapes brackets; another client may have sent them.
    """
    sent = perform(case("brackets", path="/x"), server)
    record = replace(sent.record, url=sent.record.url.replace("/x", "/[1-2]{a,b}"))
    sent = Sent(sent.wire.replace(b"/x", b"/[1-2]{a,b}"), record)

    room.run("bash", [render(record)])
    assert judge(sent, server)

    room.run("bash", [render(record).replace(" -g", "")])
    assert not judge(sent, server)


@pytest.mark.parametrize(
    ("rule", "shell"),
    [
        (lambda text: f'"{text}"', "bash"),
        (lambda text: f"'{text}'", "bash"),
        (lambda text: "'" + text.replace("'", "'\\''") + "'", "fish"),
    ],
    ids=["double quotes", "bare single quotes", "no care for fish"],
)
def test_judge_sees_a_broken_quote_rule(
    rule: Callable[[str], str], shell: str, corpus: Any, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shell not in SHELLS:
        pytest.skip(f"needs {shell}")
    monkeypatch.setattr(posix, "_SHELL", posix._SHELL._replace(quote=rule))
    chosen = [corpus[f"body {text}"] for text in ("$x", "'", "\\\\", "\\'\\") if shell == "bash" or text != "'"]

    # One process for each: a command whose quotes do not close swallows the next.
    for sent, _ in chosen:
        room.run(shell, [render(sent.record)])

    verdicts = [judge(sent, server) for sent, server in chosen]  # of all: what is left over would be the next test's

    assert not all(verdicts)


def test_judge_tolerates_what_servers_do() -> None:
    sent = b"POST /a HTTP/1.1\r\nA: 1\r\nX: \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    got = b"POST /a HTTP/1.1\r\nx:\r\nTransfer-Encoding: chunked\r\na:1\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"

    assert compare(sent, sent).kind == "exact"
    assert compare(sent, got).kind == "equivalent"
    assert compare(sent, got.replace(b"bc", b"bd")).kind == "different"
    assert (
        compare(b"GET / HTTP/1.1\r\nA: 1\r\nA: 2\r\n\r\n", b"GET / HTTP/1.1\r\nA: 2\r\nA: 1\r\n\r\n").kind
        == "different"
    )
    assert compare(b"GET / HTTP/1.1\r\nA: 1 \r\n\r\n", b"GET / HTTP/1.1\r\nA: 1\r\n\r\n").kind == "different"


# The cost.


def _best(function: Callable[[], object], times: int = 5) -> float:
    spans = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spans.append(time.perf_counter() - start)
    return min(spans)


def test_large_body_costs_little_more_than_base64(plain: Record) -> None:
    body = os.urandom(1 << 20)
    large = replace(plain, request_body=body, request_body_size=None)

    assert _best(lambda: render(large)) <= 10 * _best(lambda: base64.b64encode(body))
