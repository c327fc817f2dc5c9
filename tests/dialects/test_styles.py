"""The styles for readers: what they look like is in the folder `golden`, and what they send is judged."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.corpus import CORPUS, judge
from support.shells import Room

from curl_interceptor import ConfigurationError, render
from curl_interceptor.dialects import STYLES, names
from curl_interceptor.records.record import Record

GOLDEN = Path(__file__).parent / "golden"

_DEFAULTS = (
    ("User-Agent", "python-requests/2.32.0"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept", "*/*"),
    ("Connection", "keep-alive"),
)
_BASE = Record(
    id="1",
    method="GET",
    url="https://api.example.com/v1/orders?page=2&q=it's",
    host="api.example.com",
    request_headers=(*_DEFAULTS, ("Authorization", "Bearer REDACTED")),
    request_body=None,
    request_body_state="none",
    request_body_size=None,
    chunked=False,
    target=None,
    status=503,
    reason="Service Unavailable",
    response_headers=(("Content-Type", "text/plain"), ("Set-Cookie", "a=REDACTED; Path=/")),
    response_body=b"try again\nlater",
    response_body_state="complete",
    response_body_size=15,
    error=None,
    error_message=None,
    started=1_700_000_000.0,
    elapsed=0.25,
    duration=0.5,
    verify=True,
    cert=None,
    proxies=(),
    timeout=(3.05, 27),
    fingerprint="",
)


def _posting(body: bytes, content_type: str, **changes: Any) -> Record:
    headers = (*_DEFAULTS, ("Content-Type", content_type), ("Content-Length", str(len(body))))
    base = replace(_BASE, method="POST", url="https://api.example.com/v1/orders", request_headers=headers)
    return replace(base, request_body=body, request_body_state="complete", request_body_size=len(body), **changes)


_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data; boundary=b"
_PART = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
RECORDS = {
    "get": _BASE,
    "json": _posting(b'{"note": "it\'s for the caf\\u00e9", "at": "@x"}', "application/json"),
    "form": _posting(b"at=%40secret.txt&plain=1&space=a+b&pct=100%25", _FORM, method="PUT"),
    "multipart": _posting(_PART % (b"a", b"@x;y") + _PART % (b"b", b"<z") + b"--b--\r\n", _MULTIPART),
    "lines": _posting(b"one's\ntwo\t!\n", "text/plain"),
    "binary": _posting(b"\0\x1b[201~\xff" * 3, "application/octet-stream", chunked=True),
    "connection": replace(
        _BASE, verify="/etc/ca.pem", cert=("/c.pem", "/k.pem"), proxies=(("https", "http://proxy.example:3128"),)
    ),
    "insecure": replace(_BASE, verify=False, url="https://[::1]:8443/a/../b[1]{2}"),
    "head": replace(_BASE, method="HEAD"),
    "socket": replace(_BASE, url="http+unix://%2Fvar%2Frun%2FDocker.sock/info", timeout=None),
    "cut": replace(_posting(b"only the head", "text/plain"), request_body_state="cut", request_body_size=90_000),
    "failed": replace(
        _BASE, status=None, reason=None, response_headers=(), response_body=None, response_body_state="none",
        duration=None, error="requests.exceptions.ReadTimeout", error_message="timed out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", names())
@pytest.mark.parametrize("style", STYLES)
def test_text_is_the_golden_one(dialect: str, style: Any) -> None:
    """
    To write the files anew after a change that is meant: CURL_INTERCEPTOR_TESTS=golden pytest tests/dialects
    """
    texts = [f"== {name}\n{render(record, dialect=dialect, style=style)}\n" for name, record in RECORDS.items()]
    file = GOLDEN / f"{dialect}-{style}.txt"
    if os.environ.get("CURL_INTERCEPTOR_TESTS") == "golden":
        file.write_text("\n".join(texts), "ascii")

    assert "\n".join(texts) == file.read_text("ascii")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("dialect", ["posix", "bash"])
@pytest.mark.parametrize("style", ["readable", "compact"])
def test_readers_styles_send_the_same_but_for_usual_headers(style: Any, dialect: str, corpus: Any, room: Room) -> None:
    """
    Method, target, body and the app's own headers arrive; a multipart form has another boundary.
    """
    usual = r"header (?:lost|added): b'(?:user-agent|accept|accept-encoding|connection)[:']"
    boundary = r"body: |header (?:lost|added): b'content-(?:type: multipart|length:)"
    chosen = [one.name for one in CORPUS if not one.proxied]
    (room.path / ".curlrc").rename(room.path / "curlrc")
    try:
        none = {name: "" for name in room.environment if "proxy" in name.lower()}
        commands = [render(corpus[name][0].record, dialect=dialect, style=style) for name in chosen]
        room.run_in_any_order("bash", commands, **none)
    finally:
        (room.path / "curlrc").rename(room.path / ".curlrc")

    wrong = {}
    for name in chosen:
        sent, server = corpus[name]
        verdict = judge(sent, server)
        form = "--form-string" in render(sent.record, dialect=dialect, style=style)
        allowed = f"(?:{usual}|{boundary if form else usual})"
        if not all(re.match(allowed, line) for line in verdict.differences):
            wrong[name] = f"{verdict}\n{render(sent.record, dialect=dialect, style=style)}"
    assert not wrong
    assert room.is_untouched()


@pytest.mark.parametrize("dialect", ["posix", "bash"])
def test_readable_breaks_between_options_only(dialect: str, corpus: Any) -> None:
    for sent, _ in corpus.values():
        text = render(sent.record, dialect=dialect, style="readable")
        assert re.fullmatch(r"[ -~]+(?: \\\n  --[ -~]+)*", text)


def test_no_option_that_reads_a_file_is_used(corpus: Any) -> None:
    """
    The one at sign that curl obeys is that of the pipe.
    """
    for sent, _ in corpus.values():
        for style in STYLES:
            bare = re.sub(r"'[^']*'|\\.|base64 -d", "", render(sent.record, dialect="posix", style=style))
            assert {word for word in bare.split() if "@" in word} <= {"@-"}
            assert not re.search(r" (?:-d|-F|-b|-K|--data|--data-ascii|--form|--cookie|--config) ", bare)


def test_the_corpus_uses_every_way_to_write_a_body(corpus: Any) -> None:
    texts = [render(sent.record, style="readable") for sent, _ in corpus.values()]

    for option in ("--json", "--data-urlencode", "--form-string", "--data-raw", "--data-binary @-"):
        assert any(option in text for text in texts), option


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"dialect": "klingon"}, "dialect must be one of bash, cmd, har, httpie, posix, powershell, python, raw"),
        ({"dialect": "request"}, "dialect must be one of"),
        ({"dialect": None}, "dialect must be one of"),
        ({"dialect": []}, "dialect must be one of"),
        ({"style": "pretty"}, "style must be one of exact, readable, compact"),
        ({"style": []}, "style must be one of"),
    ],
)
def test_an_unknown_name_is_an_error(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        render(_BASE, **arguments)


def test_only_records_are_rendered() -> None:
    with pytest.raises(ConfigurationError, match="takes a record, got a str"):
        render("x")  # type: ignore[arg-type]


_ODD: list[Any] = [None, 1, 1.5, True, b"\0", "\0", "\x1b[201~\u202e", [], {}, (("a",),), object()]


@pytest.mark.parametrize("dialect", names())
@pytest.mark.parametrize("field", sorted(Record.__dataclass_fields__))
def test_no_value_of_a_record_raises(field: str, dialect: str) -> None:
    """
    Whatever stands in a field: text or a sentence comes out, and nothing in it can steer a terminal.
    """
    for value in _ODD:
        for style in STYLES:
            for record in (_BASE, RECORDS["lines"]):
                text = render(replace(record, **{field: value}), dialect=dialect, style=style)
                assert re.fullmatch(r"[ -~\n]+", text)
