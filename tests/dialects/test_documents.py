"""The dialects that are documents: the text of a message, and an entry of an HTTP Archive."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from support.corpus import case, perform
from support.wire import WireServer, parse

from curl_interceptor import render
from curl_interceptor.records.record import Record


@pytest.fixture
def plain(server: WireServer) -> Record:
    return perform(case("plain", "POST", "/a?b=1", data=b"x\ny", headers={"X": "1"}), server).record


def test_raw_is_the_message_as_it_was_sent(corpus: Any) -> None:
    """
    What is printable text on the wire is the same text here.
    """
    same = 0
    for sent, _ in corpus.values():
        wire = parse(sent.wire)
        head = sent.wire.partition(b"\r\n\r\n")[0].decode("latin-1")
        text = render(sent.record, dialect="raw")
        assert re.fullmatch(r"[ -~\n]*", text)
        if not wire.chunked and sent.wire.isascii() and head.replace("\r\n", "").isprintable() and "\\" not in head:
            first, *lines = head.split("\r\n")
            ours, *others = text.partition("\n\n")[0].rstrip("\n").split("\n")
            lines = [line for line in lines if not line.startswith("Proxy-Authorization")]
            assert (ours, sorted(line.rstrip() for line in others)) == (first, sorted(line.rstrip() for line in lines))
            same += 1
    assert same > 120


def test_raw_escapes_what_could_steer_a_terminal(plain: Record) -> None:
    record = replace(plain, request_body=b"some text\n\x1b[2J\\x41\xff", request_headers=(("X", "\u202e\x00"),))

    assert render(record, dialect="raw").endswith("X: \\u202e\\x00\n\nsome text\n\\x1b[2J\\\\x41\\xff")


def test_raw_says_what_is_missing(plain: Record) -> None:
    text = render(replace(plain, request_body_state="cut", request_body_size=9), dialect="raw")

    assert text.endswith("x\ny\n# only the first 3 of 9 bytes of the request body are known")


# HAR.

Schema = Mapping[str, Any]
_PAIRS: list[Any] = [{"name": str, "value": str}]
_TIMES = {"send": (int, float), "wait": (int, float), "receive": (int, float)}
# What HAR 1.2 requires of an entry; a question mark marks what may be left out.
ENTRY: Schema = {
    "startedDateTime": str,
    "time": (int, float),
    "request": {
        "method": str, "url": str, "httpVersion": str, "cookies": _PAIRS, "headers": _PAIRS, "queryString": _PAIRS,
        "postData?": {"mimeType": str, "text": str, "_encoding?": str}, "headersSize": int, "bodySize": int,
        "comment?": str,
    },
    "response": {
        "status": int, "statusText": str, "httpVersion": str, "cookies": _PAIRS, "headers": _PAIRS,
        "content": {"size": int, "mimeType": str, "text?": str, "encoding?": str, "comment?": str},
        "redirectURL": str, "headersSize": int, "bodySize": int,
    },
    "cache": {},
    "timings": _TIMES,
    "comment?": str,
}  # fmt: skip


def check(found: Any, schema: Any, where: str = "entry") -> None:
    """Hold a document against a schema: all that is required is there, of its type, and nothing else."""
    if isinstance(schema, Mapping):
        assert isinstance(found, dict), where
        known = {name.rstrip("?"): part for name, part in schema.items()}
        assert set(found) <= set(known), f"{where} has {set(found) - set(known)}"
        assert {name for name in schema if not name.endswith("?")} <= set(found), where
        for name, value in found.items():
            check(value, known[name], f"{where}.{name}")
    elif isinstance(schema, list):
        assert isinstance(found, list), where
        for value in found:
            check(value, schema[0], where)
    else:
        assert isinstance(found, schema), where
        assert not isinstance(found, bool), where


@pytest.mark.parametrize("style", ["exact", "readable", "compact"])
def test_every_entry_is_har_1_2(style: Any, corpus: Any) -> None:
    for sent, _ in corpus.values():
        text = render(sent.record, dialect="har", style=style)
        assert re.fullmatch(r"[ -~\n]*", text)
        check(json.loads(text), ENTRY)


def test_an_entry_holds_the_request_of_the_wire(corpus: Any) -> None:
    for sent, _ in corpus.values():
        wire = parse(sent.wire)
        request = json.loads(render(sent.record, dialect="har"))["request"]
        headers = [(pair["name"].lower().encode(), pair["value"].encode("latin-1")) for pair in request["headers"]]
        # What the proxy alone is to see stands in the proxy's URL.
        expected = [pair for pair in wire.headers if pair[0] != b"proxy-authorization"]
        posted = request.get("postData", {"text": ""})
        body = base64.b64decode(posted["text"]) if "_encoding" in posted else posted["text"].encode()

        assert request["method"].encode() == wire.method
        assert sorted((name, value.lstrip(b" \t")) for name, value in headers) == sorted(expected)
        assert body == wire.body


def test_an_entry_holds_the_response(plain: Record) -> None:
    record = replace(
        plain,
        status=302,
        reason="Found",
        response_headers=(("Set-Cookie", "a=1; Path=/"), ("Location", "/b"), ("Content-Type", "text/plain")),
        response_body=b"\xff\0",
        response_body_state="cut",
        response_body_size=None,
        elapsed=0.25,
        duration=1.0,
    )

    entry = json.loads(render(record, dialect="har"))

    check(entry, ENTRY)
    assert entry["time"] == 1000
    assert entry["timings"] == {"send": 0, "wait": 250, "receive": 750}
    assert entry["response"]["cookies"] == [{"name": "a", "value": "1"}]
    assert entry["response"]["redirectURL"] == "/b"
    assert entry["response"]["content"] == {
        "size": 2, "mimeType": "text/plain", "text": "/wA=", "encoding": "base64", "comment": "the response body is cut"
    }  # fmt: skip


def test_an_entry_of_a_failure_says_which(plain: Record) -> None:
    entry = json.loads(render(replace(plain, status=None, error="x.Timeout", error_message="too late"), dialect="har"))

    check(entry, ENTRY)
    assert entry["response"]["status"] == 0
    assert entry["comment"] == "x.Timeout: too late"
