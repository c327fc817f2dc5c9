"""
The posix dialect, judged by the world: requests sends, a shell runs the command, and the bytes are compared.

Every shell is given a hostile environment: proxies that lead nowhere, and a `.curlrc` that would change each request.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import pty
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.wire import Verdict, WireServer, compare, parse

from curl_interceptor.dialects import posix, quoting, render
from curl_interceptor.records.exchange import Exchange, RequestFacts
from curl_interceptor.records.record import Record
from curl_interceptor.records.redaction import UNREDACTED, redact

_SHELLS = {
    "bash": ("bash", "--norc"),
    "dash": ("dash",),
    "zsh": ("zsh", "-f"),
    "ksh": ("ksh93",),
    "mksh": ("mksh",),
    "ash": ("busybox", "sh"),
    "fish": ("fish", "--no-config"),
}
SHELLS = [name for name, (program, *_) in _SHELLS.items() if shutil.which(program)]
CLIENT = f"python-urllib3/{version('urllib3')}"

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")


# From an app's call to a record and the bytes that it sent.


@dataclass(frozen=True)
class Case:
    """One call of an app: the arguments of `requests.Request`, of `Session.send`, and what is done in between."""

    name: str
    method: str
    path: str = "/"
    edit: Callable[[requests.PreparedRequest], object] | None = None
    chunks: tuple[bytes, ...] | None = None
    send: dict[str, Any] = field(default_factory=dict)
    proxied: bool = False
    request: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """What an app sent, as bytes and as a record."""

    wire: bytes
    record: Record


def case(name: str, method: str = "GET", path: str = "/", **more: Any) -> Case:
    known = {key: more.pop(key) for key in ("edit", "chunks", "send", "proxied") if key in more}
    return Case(name, method, path, request=more, **known)


def perform(case: Case, server: WireServer) -> Sent:
    """Send the request of a case with plain requests."""
    base = "http://api.example.com" if case.proxied else server.url
    url = case.path if "://" in case.path else base + case.path
    options: dict[str, Any] = {"timeout": 10, "allow_redirects": False} | case.send
    if case.proxied:
        options["proxies"] = {key: value.format(port=server.port) for key, value in options["proxies"].items()}
    with requests.Session() as session:
        session.trust_env = False
        arguments = dict(case.request)
        if case.chunks is not None:
            arguments["data"] = iter(case.chunks)
        prepared = session.prepare_request(requests.Request(case.method, url, **arguments))
        if case.edit is not None:
            case.edit(prepared)
        session.send(prepared, **options)
    wire = server.take()
    return Sent(wire, record_of(prepared, case, options, wire))


def record_of(prepared: requests.PreparedRequest, case: Case, options: dict[str, Any], wire: bytes) -> Record:
    """Return what the capture would have made of the request."""
    body = prepared.body if case.chunks is None else b"".join(case.chunks)
    if hasattr(body, "read"):
        body = parse(wire).body
    facts = RequestFacts(
        method=prepared.method or "",
        url=prepared.url or "",
        headers=tuple(prepared.headers.items()),
        body=body,
        body_state="none" if body is None else "complete",
        chunked=not (prepared.body is None or "Content-Length" in prepared.headers),
        target=parse(wire).target.decode() if case.edit is not None else None,
        timeout=options.get("timeout"),
        verify=options.get("verify", True),
        cert=options.get("cert"),
        proxies=tuple(options.get("proxies", {}).items()),
        client=CLIENT,
    )
    return redact(Exchange(facts, None, None, started=0.0, elapsed=0.0), UNREDACTED, id="1")


# From commands to the bytes that a shell and curl sent.


class Room:
    """A working directory with a secret, a home with a bad `.curlrc`, and an environment full of dead proxies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"
        self.work.mkdir()
        for name in ("secret.txt", "passwd", "x"):
            (self.work / name).write_text("SECRET OF THIS MACHINE\n")
        (path / ".curlrc").write_text('header = "X-Evil: 1"\nuser-agent = "evil"\nproxy = "http://127.0.0.1:1"\n')
        dead = "http://127.0.0.1:1"
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), dead)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(path),
            "LC_ALL": "C.UTF-8",
            "no_proxy": "",
            **proxies,
        }

    def run(self, shell: str, commands: list[str], **environment: str) -> None:
        """Run the commands as one script: to start a shell for each would take most of the time."""
        script = self.path / "script"
        script.write_text("".join(f"{command}\n" for command in commands), encoding="ascii")
        subprocess.run(
            [*_SHELLS[shell], str(script)],
            cwd=self.work,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )

    def is_untouched(self) -> bool:
        return sorted(path.name for path in self.work.iterdir()) == ["passwd", "secret.txt", "x"]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def server() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


def judge(sent: Sent, server: WireServer) -> Verdict:
    """Compare what has come at the server with what the app had sent to it."""
    found = server.take_all()
    if len(found) != 1:
        return Verdict("different", (f"{len(found)} requests came: {found}",))
    return compare(sent.wire, found[0])


# The corpus.


def _set(**attributes: Any) -> Callable[[requests.PreparedRequest], None]:
    def edit(prepared: requests.PreparedRequest) -> None:
        for name, value in attributes.items():
            setattr(prepared, name, value)

    return edit


def _header(name: str, value: Any) -> Callable[[requests.PreparedRequest], None]:
    return lambda prepared: prepared.headers.__setitem__(name, value)


def _target(target: str) -> Callable[[requests.PreparedRequest], None]:
    """Let the request end at a target that the URL does not name: requests takes it from `url` as it is."""
    return lambda prepared: setattr(prepared, "url", (prepared.url or "").rstrip("/") + target)


METHODS = [
    *(
        case(f"{method} without body", method)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
    ),
    *(
        case(f"{method} with body", method, data=b"a=1")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    ),
    case("HEAD with body", "HEAD", data=b"a=1"),
    case("HEAD with chunks", "HEAD", chunks=(b"a", b"b")),
    case("PURGE", "PURGE"),
    case("TRACE", "TRACE"),
    case("CONNECT", "CONNECT"),
    case("method of odd token characters", "A!#$%&'*+-.^_`|~9"),
    case("method like an option", "-FOO"),
    case("method in lower case", "GET", edit=_set(method="get")),
]
BODIES = [
    case("form", "POST", data={"a": "1 2", "b": "ü&="}),
    case("json", "POST", json={"a": "ü", "b": [1, None, {"c": 'x"y\\z'}]}),
    case(
        "json of many lines", "POST", data='{\n  "a": 1,\n\t"b": 2\n}\n', headers={"Content-Type": "application/json"}
    ),
    case("text without content type", "POST", data="plain"),
    case("empty text", "POST", data=""),
    case("utf-8", "POST", data="Grüße, 世界 🎉".encode()),
    case("latin-1", "POST", data=b"caf\xe9"),
    case("every byte", "POST", data=bytes(range(256))),
    case("every byte backwards, twice", "POST", data=bytes(range(255, -1, -1)) * 2),
    case("NUL alone", "POST", data=b"\0"),
    case("NUL at the end", "POST", data=b"text\0"),
    case("newline alone", "POST", data=b"\n"),
    case("newlines at the end", "POST", data=b"text\n\n\n"),
    case("CRLF", "POST", data=b"a\r\nb\r\n"),
    case("space at both ends", "POST", data=b"  a  "),
    case("control bytes and an end of paste", "POST", data=b"\x03\x1b[201~touch pwned\n\x7f"),
    case("leading dash", "POST", data=b"-n -e"),
    case("leading dash, piped", "POST", data=b"-n\n"),
    case("leading dashes, piped", "POST", data=b"--help\n"),
    case("percents, piped", "POST", data=b"%s%d%%\n%n"),
    case("octal lookalikes, piped", "POST", data=b"\\101\\n\\0\n1\x011"),
    case("gzip", "POST", data=b"\x1f\x8b\x08\0\0\0\0\0\0\x03", headers={"Content-Encoding": "gzip"}),
    case("multipart", "POST", files={"f": ("a.txt", b"line\nline\0\n", "text/plain")}, data={"k": "v"}),
    case("multipart of plain text", "POST", files={"f": ("@secret.txt", "text")}),
    case("file object", "POST", data=io.BytesIO(b"line\nline\n")),
    case("chunks", "POST", chunks=(b"one", b"two", b"three\n")),
    case("chunks of text", "PUT", chunks=(b"one", b"two")),
    case("chunks without content", "POST", chunks=()),
    case("chunks with NUL", "POST", chunks=(b"\0\0", b"\r\n0\r\n")),
    case("chunked GET", "GET", chunks=(b"x",)),
    case("Transfer-Encoding without body", "GET", headers={"Transfer-Encoding": "chunked"}),
    case("100,000 printable bytes", "POST", data=b"ab" * 50_000),
    case("200 KB of text", "POST", data=b"a line of text\n" * 14_000),
    case("200 KB of one line", "POST", data=b"'\\" * 100_000),
    case("1.5 MB", "POST", data=bytes(range(256)) * 6_000),
    case("1.5 MB in chunks", "POST", chunks=(b"x" * 1_000_000, b"y" * 500_000)),
]
HEADERS = [
    case("own headers", headers={"X-A": "1", "x-b": "2", "X_C": "3"}),
    case("empty header", headers={"X-Empty": ""}),
    case("blank header", edit=_header("X-Blank", "  \t ")),
    case(
        "header without defaults",
        headers={"User-Agent": None, "Accept": None, "Accept-Encoding": None, "Connection": None},
    ),
    case("empty defaults", headers={"User-Agent": "", "Accept": "", "Accept-Encoding": ""}),
    case("empty content type", "POST", data=b"x", headers={"Content-Type": ""}),
    case("bytes header", headers={"X-Bytes": b"caf\xc3\xa9 \xff\x80"}),
    case("latin-1 header", headers={"X-Text": "caf\xe9"}),
    case("latin-1 header and piped body", "POST", headers={"X-Text": "\xa9!\"$(touch pwned)`'\\%s"}, data=b"a\nb\n\0"),
    case("every byte in a header", headers={"X-All": bytes(b for b in range(1, 256) if b not in b"\r\n\t ") + b"\t !"}),
    case("no-break space alone", edit=_header("X-Blank", b"\xa0")),
    case("tab in a header", headers={"X-Tab": "a\tb"}),
    case("space at the end of a header", headers={"X-Space": "a  "}),
    case("header with an at sign", headers={"X-At": "@secret.txt"}),
    case("header of colons and semicolons", headers={"X-Odd": ":;:,=", "X;Y": "z"}),
    case("header name with a space", headers={"X Y": "z"}),
    case("header like an option", headers={"-o": "secret.txt"}),
    case("header of quotes", headers={"X-Quote": "it's \"so\" `x` $HOME \\ \\\\ \\' !! ^a^b"}),
    case("cookies", cookies={"a": "1", "b": "@secret.txt"}),
    case("basic auth", auth=("user", "pa:ss'")),
    case("bearer", headers={"Authorization": "Bearer abc.def-_~+/="}),
    case("other Host", headers={"Host": "other.example:81"}),
    case("empty Host", headers={"Host": ""}),
    case("Content-Length of nothing", "GET", headers={"Content-Length": "0"}),
    case("foreign Transfer-Encoding", "POST", data=b"x", headers={"Transfer-Encoding": "gzip"}),
    case("upgrade", headers={"Connection": "Upgrade", "Upgrade": "websocket", "TE": "trailers"}),
    case("thirty headers", headers={f"X-{number}": "v" * number for number in range(30)}),
    case("header of 20 KB", headers={"X-Long": "v" * 20_000}),
]
TARGETS = [
    case("query", path="/search?q=a+b&c=%20&d"),
    case("empty path with query", path="?q=1"),
    case("empty query", path="/a?"),
    case("dot segments", path="/a/../b/./c/.."),
    case("escaped dot segments", path="/a/%2e%2e/b"),
    case("double slashes", path="/a//b///"),
    case("brackets and braces", path="/a[1-3]{x,y}?b[]=1&c={1,2}"),
    case("percent signs", path="/100%/%zz/%41"),
    case("unicode", path="/grüße/世界?q=ü"),
    case("quotes", path="/it's/\"so\"?q='%27"),
    case("shell characters", path="/$HOME/`id`/$(id)/;id;/|id|/&id&/!!/~/*?<>"),
    case("backslash", path="/a\\b\\\\c\\"),
    case("caret", path="/^a^b^"),
    case("fragment", path="/a?b#frag'ment"),
    case("params", path="/p", params={"a": ["1", "2"], "b": "@secret.txt", "c": ""}),
    case("long", path="/" + "a" * 8_000),
    case("target set after prepare", edit=_target("/a[1]/{b}/%zz/~x?c=|d|")),
    case("dot segments set after prepare", edit=_target("/a/../b/./c")),
    case("dot segments and more set after prepare", edit=_target("/a/../b?x='\\y")),
]
HOSTS = [
    case("host name", path="http://localhost:{port}/a"),
    case("host in capitals", path="http://LOCALHOST:{port}/a"),
    case("short IPv4", path="http://127.1:{port}/a"),
    case("hexadecimal IPv4", path="http://0x7f.0.0.1:{port}/a"),
    case("userinfo", path="http://user:p%40ss@127.0.0.1:{port}/a"),
]
_TRICKS = [
    *("'; touch pwned; '", '"; touch pwned; "', "$(touch pwned)", "`touch pwned`", "${IFS}touch${IFS}pwned"),
    *("\\'; touch pwned; \\'", "'\\''; touch pwned; '\\''", "(touch pwned)", ">pwned", "<x", "<secret.txt"),
    *("\\", "\\\\", "\\\\\\", "'", "''", "'''", "\\'", "'\\", "\\'\\", "a\\'b\\\\'c", "end\\"),
    *(
        "!!",
        "!touch",
        "^a^b",
        "~",
        "*",
        "?",
        "[a]",
        "{a,b}",
        "#x",
        "a #b",
        "&",
        "|",
        ";",
        "=ls",
        "%",
        "%1",
        "$x",
        "$1",
        "(",
    ),
    *("$'\\x41'", "\\n\\t\\101", "\\u0041\\U00000041"),
    *("@secret.txt", "@-", "-", "--", "--next", "-K secret.txt"),
]
TRICKS = [
    *(case(f"body {text}", "POST", data=text, headers={"X-Trick": f"x{text}"}) for text in _TRICKS),
    *(case(f"piped body {text}", "POST", data=f"{text}\n") for text in _TRICKS[::3]),
]
SETTINGS = [
    case("verify off", send={"verify": False}),
    case("timeout pair", send={"timeout": (3.05, 27)}),
    case("connect timeout only", send={"timeout": (3, None)}),
    case("no timeout", send={"timeout": None}),
    case("short timeout", send={"timeout": 0.75}),
    case("timeout object", send={"timeout": urllib3.Timeout(connect=2, read=3)}),
    case("total timeout", send={"timeout": urllib3.Timeout(total=4)}),
]
PROXIES = [
    case("proxy", path="/a?b", proxied=True, send={"proxies": {"http": "http://127.0.0.1:{port}"}}),
    case("proxy without scheme", "POST", data=b"x\n", proxied=True, send={"proxies": {"http": "127.0.0.1:{port}"}}),
    case("proxy for all", path="/a/../b", proxied=True, send={"proxies": {"all": "http://127.0.0.1:{port}/"}}),
    case(
        "proxy for one host",
        proxied=True,
        send={"proxies": {"http": "http://127.0.0.1:1", "http://api.example.com": "http://127.0.0.1:{port}"}},
    ),
    case(
        "proxy for one host, any scheme",
        proxied=True,
        send={"proxies": {"all": "http://127.0.0.1:1", "all://api.example.com": "http://127.0.0.1:{port}"}},
    ),
    case("proxy and explicit port", path="http://api.example.com:80/a", proxied=True, send={"proxies": {"http": "http://127.0.0.1:{port}"}}),
    case("proxy and other port", path="http://api.example.com:8080/a", proxied=True, send={"proxies": {"http": "http://127.0.0.1:{port}"}}),
    case("proxy and Host", headers={"Host": "b.example"}, proxied=True, send={"proxies": {"http": "http://127.0.0.1:{port}"}}),
    case(
        "proxy with a password",
        proxied=True,
        send={"proxies": {"http": "http://us%40er:p%3Aa'ss@127.0.0.1:{port}"}},
    ),
    case("proxy for others", send={"proxies": {"https": "http://127.0.0.1:1", "http://b.example": "http://127.0.0.1:1"}}),
]  # fmt: skip
GROUPS = {
    "methods": METHODS,
    "bodies": BODIES,
    "headers": HEADERS,
    "targets": TARGETS,
    "hosts": HOSTS,
    "tricks": TRICKS,
    "settings": SETTINGS,
    "proxies": PROXIES,
}
CORPUS = [one for group in GROUPS.values() for one in group]


@pytest.fixture(scope="module")
def corpus() -> Iterator[dict[str, tuple[Sent, WireServer]]]:
    """Every case with a server of its own, so that a request that goes astray cannot be taken for another's."""
    with contextlib.ExitStack() as servers:
        sent = {}
        for one in CORPUS:
            server = servers.enter_context(WireServer())
            if "://" in one.path:
                one = replace(one, path=one.path.replace("{port}", str(server.port)))
            sent[one.name] = perform(one, server), server
        yield sent


@pytest.fixture(scope="module")
def verdicts(corpus: dict[str, tuple[Sent, WireServer]], room: Room) -> Callable[[str], dict[str, Verdict]]:
    """What each shell makes of the corpus, all of it in one process."""
    known: dict[str, dict[str, Verdict]] = {}

    def of(shell: str) -> dict[str, Verdict]:
        if shell not in known:
            room.run(shell, [render(sent.record) for sent, _ in corpus.values()])
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

_FEW = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
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
@_FEW
@given(bodies=st.lists(_BODY.filter(bool), min_size=4, max_size=12))
def test_any_body_arrives(shell: str, server: WireServer, room: Room, bodies: list[bytes]) -> None:
    _agree([case("", "POST", data=body) for body in bodies], shell, server, room)


@pytest.mark.parametrize("shell", SHELLS)
@_FEW
@given(values=st.lists(_VALUE, min_size=4, max_size=12))
def test_any_header_arrives(shell: str, server: WireServer, room: Room, values: list[bytes]) -> None:
    """
    Whatever bytes requests lets through as the value of a header.
    """
    _agree([case("", "GET", headers={f"X-{at}": value for at, value in enumerate(values)})], shell, server, room)


@pytest.mark.parametrize("shell", SHELLS[:2])
@_FEW
@given(paths=st.lists(_PATH, min_size=4, max_size=12))
def test_any_target_arrives(shell: str, server: WireServer, room: Room, paths: list[str]) -> None:
    _agree([case("", "GET", f"/t/{path}") for path in paths], shell, server, room)


@pytest.mark.parametrize("shell", SHELLS)
@_FEW
@given(texts=st.lists(_TEXT.map(lambda text: re.sub("[\0\n]", "", text)), min_size=10, max_size=50))
def test_any_word_is_read_back(shell: str, room: Room, texts: list[str]) -> None:
    """
    A quoted word comes out of every shell as it went in; the printf of the system shows its arguments.
    """
    words = [text.encode().decode("latin-1") for text in texts]
    script = f"{shutil.which('printf')} '%s\\0' {' '.join(map(quoting.quote, words))}"
    (room.path / "words").write_text(script, encoding="ascii")

    out = subprocess.run(
        [*_SHELLS[shell], str(room.path / "words")], env=room.environment, capture_output=True, check=True, timeout=30
    ).stdout

    assert out.split(b"\0")[:-1] == [text.encode() for text in texts]


# A person at a prompt.


class Terminal:
    """An interactive shell at a pseudo terminal, typed into like a person does."""

    def __init__(self, room: Room, shell: str) -> None:
        self._child, self._fd = pty.fork()
        if not self._child:
            os.chdir(room.work)
            program, *options = _SHELLS[shell]
            os.execvpe(program, [program, *options, "-i"], room.environment | {"PS1": "READY> ", "TERM": "dumb"})
        self._screen = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait_for(b"READY> ")  # before its prompt a shell leaves the line to the terminal, which keeps 4 KB of it

    def _read(self) -> None:
        # All the time: a shell whose echo nobody reads stands still.
        with contextlib.suppress(OSError):
            while data := os.read(self._fd, 65536):
                self._screen += data

    def wait_for(self, text: bytes) -> None:
        """Wait until a text has come up on the screen."""
        deadline = time.monotonic() + 10
        while text not in self._screen:
            assert time.monotonic() < deadline, self._screen
            time.sleep(0.01)

    def type(self, line: str) -> None:
        self._screen = b""
        data = line.encode("ascii") + b"\r"
        while data:
            data = data[os.write(self._fd, data[:256]) :]
        self.wait_for(b"READY> ")

    def close(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        self._reader.join(5)
        os.close(self._fd)


@contextlib.contextmanager
def terminal(room: Room, shell: str) -> Iterator[Terminal]:
    found = Terminal(room, shell)
    try:
        yield found
    finally:
        found.close()


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

    assert not all(judge(sent, server) for sent, server in chosen)


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
