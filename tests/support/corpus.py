"""
The corpus: calls of an app in named groups, what each of them puts on the wire, and the record of it.

Every dialect is judged with it, and so are other libraries (`benchmarks/fidelity.py`).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import requests
import urllib3

from curl_interceptor.capture.draft import Draft, Sink
from curl_interceptor.policies import CapturePolicy
from curl_interceptor.records.record import Record
from curl_interceptor.records.redaction import UNREDACTED, redact

from .wire import Verdict, WireServer, compare, parse

__all__ = ["CORPUS", "GROUPS", "PROXIES", "Case", "Sent", "case", "judge", "perform", "prepare"]

_WHOLE = CapturePolicy(request_body=16 * 1024 * 1024)
_NOWHERE = cast("Sink", None)

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
    request: requests.PreparedRequest | None = None


def case(name: str, method: str = "GET", path: str = "/", **more: Any) -> Case:
    known = {key: more.pop(key) for key in ("edit", "chunks", "send", "proxied") if key in more}
    return Case(name, method, path, request=more, **known)


def perform(case: Case, server: WireServer) -> Sent:
    """Send the request of a case with plain requests."""
    options: dict[str, Any] = {"timeout": 10, "allow_redirects": False} | case.send
    if case.proxied:
        options["proxies"] = {key: value.format(port=server.port) for key, value in options["proxies"].items()}
    with requests.Session() as session:
        session.trust_env = False
        prepared = prepare(case, server, session)
        session.send(prepared, **options)
    wire = server.take()
    return Sent(wire, record_of(prepared, case, options, wire), prepared)


def prepare(case: Case, server: WireServer, session: requests.Session) -> requests.PreparedRequest:
    """Return the request of a case, not sent yet."""
    base = "http://api.example.com" if case.proxied else server.url
    url = case.path.replace("{port}", str(server.port)) if "://" in case.path else base + case.path
    arguments = dict(case.request)
    if case.chunks is not None:
        arguments["data"] = iter(case.chunks)
    prepared = session.prepare_request(requests.Request(case.method, url, **arguments))
    if case.edit is not None:
        case.edit(prepared)
    return prepared


def record_of(prepared: requests.PreparedRequest, case: Case, options: dict[str, Any], wire: bytes) -> Record:
    """Return what the capture makes of the request, streams included that only a tee can see."""
    exchange = Draft(_NOWHERE, _WHOLE, prepared, ((), options), 0.0, 0.0).exchange()
    if case.chunks is not None or hasattr(prepared.body, "read"):
        seen = exchange.request._replace(body=parse(wire).body, body_state="complete", body_size=None)
        exchange = exchange._replace(request=seen)
    return redact(exchange, UNREDACTED, id="1")


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
    case("double slashes at the start", path="//a/b"),
    case("long", path="/" + "a" * 8_000),
    case("long query", path="/?" + "a=%20&" * 3_000),
    case("needless escapes", path="/%41%7e%2D"),
    case("needless escapes set after prepare", edit=_target("/%41%7e?%2d")),
    case("empty query set after prepare", edit=_target("/a?")),
    case("fragment set after prepare", edit=_target("/a?b#frag")),
    case("unicode set after prepare", edit=_target("/gr\xfc\xdfe?q=\u4e16")),
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
FORMS = [
    case("form of one field", "POST", data={"a": "1"}),
    case(
        "form of odd values", "POST", data={"at": "@secret.txt", "eq": "a=b&c", "sp": "a b", "pl": "a+b", "pc": "%41"}
    ),
    case("form of odd names", "POST", data={"@secret.txt": "x", "a b": "y", "": "z", "b[]": "1", "<x": "2"}),
    case("form with empty values", "POST", data={"a": "", "b": ""}),
    case("form with repeated names", "POST", data=[("a", "1"), ("a", "2"), ("a", "@x")]),
    case("form in PUT", "PUT", data={"a": "@secret.txt"}),
    case("form by hand", "POST", data="a=1&&b&=c&", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    case("form of quotes", "POST", data={"q": 'it\'s "so" \\ !! $x `id`'}),
    case(
        "form with a charset",
        "POST",
        data="a=1",
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"},
    ),
    case("json that names a file", "POST", data="@secret.txt", headers={"Content-Type": "application/json"}),
    case("json of a text", "POST", json="@secret.txt"),
    case("json asking for json", "POST", json={"a": 1}, headers={"Accept": "application/json"}),
    case("json without Accept", "POST", json={"a": 1}, headers={"Accept": None}),
    case("json in PATCH", "PATCH", json=[{"a": "it's"}]),
    case("json of another type", "POST", data='{"a": 1}', headers={"Content-Type": "application/json; charset=utf-8"}),
    case("multipart of texts", "POST", files={"a": (None, "@secret.txt"), "b": (None, "<x;type=y"), "c[]": (None, "")}),
    case(
        "multipart with odd file names",
        "POST",
        files=[("f", ('a"b\\c;d.txt', b"1")), ("f", ("gr\xfc\u4e16.txt", b"2")), ("f", ("'\n", b"3"))],
    ),
    case("multipart with bytes", "POST", files={"f": ("x.bin", bytes(range(256)), "application/octet-stream")}),
    case("multipart with odd field names", "POST", files={"a=b": (None, "1"), "@x": (None, "2"), 'q"': (None, "3")}),
    case("multipart with empty file", "POST", files={"f": ("", b"")}),
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
    "forms": FORMS,
    "tricks": TRICKS,
    "settings": SETTINGS,
    "proxies": PROXIES,
}
CORPUS = [one for group in GROUPS.values() for one in group]
