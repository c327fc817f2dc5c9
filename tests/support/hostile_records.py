"""Records that want to break a message: its limits, its markup, its eyes, or the shell into which it is pasted."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from hypothesis import strategies

from curl_interceptor import Record

__all__ = ["BASE", "RECORDS", "SAYINGS", "TEXTS", "record", "records"]

BASE = Record(
    id="1",
    method="POST",
    url="https://api.example.com/v1/payments?page=2",
    host="api.example.com",
    request_headers=(("User-Agent", "shop/1.0"), ("Accept", "*/*"), ("Content-Type", "application/json")),
    request_body=b'{"amount": 1250}',
    request_body_state="complete",
    request_body_size=16,
    chunked=False,
    target=None,
    status=503,
    reason="Service Unavailable",
    response_headers=(("Content-Type", "application/json"),),
    response_body=b'{"error": "try again later"}',
    response_body_state="complete",
    response_body_size=28,
    error=None,
    error_message=None,
    started=1_714_572_127.5,
    elapsed=1.234,
    duration=None,
    verify=True,
    cert=None,
    proxies=(),
    timeout=5,
    fingerprint="POST api.example.com/v1/payments 503",
)
"""A usual one."""


def record(**changes: Any) -> Record:
    """Return a usual record with changes; `sent` and `received` are whole bodies."""
    for short, side in (("sent", "request"), ("received", "response")):
        if short in changes:
            body = changes.pop(short)
            changes |= {f"{side}_body": body, f"{side}_body_size": len(body), f"{side}_body_state": "complete"}
    return replace(BASE, **changes)


def _said(text: str) -> Record:
    """Say the same everywhere where others can say anything."""
    body = text.encode("utf-8", "surrogatepass")
    byte_wise = body.decode("latin-1")
    return record(
        url=f"https://api.example.com/{text}?q={text}",
        request_headers=(("X-Said", byte_wise),),
        reason=byte_wise,
        response_headers=(("Content-Type", byte_wise),),
        sent=body,
        received=body,
        error="shop.errors.Failure",
        error_message=text,
        context=(("service", text), (text, text)),
        notes=(text,),
        caller=text,
    )


SAYINGS = {
    "pings": "@everyone @here <@1> <@!1> <@&1> <#1> <!here> <!channel> <!subteam^S1> <users/all> @all @channel",
    "a link": "https://example.com/unsubscribe?once=1 [click](https://example.com) <https://example.com|x>",
    "an invitation": "discord.gg/abc mailto:a@example.com tel:+123",
    "a code fence": "```\n@everyone\n```",
    "many fences": "```" * 40 + "``" * 3 + "`" * 7,
    "a fence and a half": "a```sh\nb``",
    "single backticks": "`a` `b`c`",
    "a backtick at each end": "`x`",
    "Markdown": "# a\n> b\n- c **d** __e__ ~~f~~ ||g|| *h* _i_ \\*j\\*",
    "mrkdwn": "*a* _b_ ~c~ &amp; &lt;!here&gt; <!date^1^{date}|x>",
    "HTML": "<b>a</b><script>alert(1)</script><a href='x'>&nbsp;</a></pre></code>",
    "an adaptive card": "{{DATE(2024-01-01T00:00:00Z)}} ${$root} \\r\\n",
    "emoji names and times": ":boom: <:a:1> <t:0:R> </cmd:1>",
    "control characters": "\x00\x01\x07\x08\x0b\x0c\x1b[31mred\x1b[0m\x7f\x80\x9f",
    "an end of paste": "\x1b[201~touch pwned\n",
    "line breaks": "a\nb\rc\r\nd\x0be\x85f\u2028g\u2029h",
    "marks of direction": "\u202egnp.exe\u202c \u2066a\u2069 \u200f\u200e\u061c",
    "no width": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u180eh",
    "fillers": "\u3164\u115f\u1160\uffa0\u2800\u034f",
    "variation selectors": "a\ufe00b\ufe0fc\U000e0100",
    "tags": "a\U000e0041\U000e007f",
    "accents without end": "e" + "\u0301" * 3_000,
    "emoji": "👩‍👩‍👧‍👦👍🏽🏳️‍🌈🇩🇪" * 200,
    "lone surrogates": "a\ud800b\udfffc\udc00\ud800",
    "a private use": "\ue000\uf8ff\U0010ffff\ufffe",
    "wide letters": "世界" * 3_000,
    "right to left": "שלום عالم " * 100,
    "white space alone": " \t ",
    "odd spaces": "\u00a0\u2000\u3000\u202f",
    "shell": "'; touch pwned; '$(touch pwned)`touch pwned`\\'\\\\!!",
    "shell in lines": "a'\n; touch pwned #\n",
    "a mark of ours": "(body of 1 bytes left out: not runnable)",
    "long": "x" * 5_000,
    "long in words": "word " * 2_000,
    "quotes without end": "'" * 3_000,
    "ampersands": "&<>" * 2_000,
    "backticks without end": "`" * 7_000,
}

RECORDS: dict[str, Record] = {
    "usual": BASE,
    **{f"said: {name}": _said(text) for name, text in SAYINGS.items()},
    "body of 1 MB": record(sent=bytes(range(256)) * 4_096),
    "line of 1 MB": record(sent=b"ab" * 500_000),
    "backticks of 1 MB": record(sent=b"`" * 1_000_000),
    "body that just fits": record(sent=b"x" * 3_700),
    "body that just does not": record(sent=b"x" * 3_760),
    "response of 1 MB": record(received=json.dumps(["x" * 99] * 10_000).encode()),
    "response of one number": record(received=b"1" * 5_000),
    "response of deep JSON": record(received=b"[" * 30_000 + b"]" * 30_000),
    "response of empty JSON": record(received=b'{"a":{},"b":[],"c":[[]],"d":""}'),
    "response that is no JSON": record(received=b"{'a': ```'}"),
    "response cut within a letter": record(
        response_body='{"a": "ü'.encode()[:-1], response_body_state="cut", response_body_size=900
    ),
    "response cut within an escape": record(
        response_body=b'{"a": "\\u00', response_body_state="cut", response_body_size=900
    ),
    "response with escapes": record(received=b'{"a":"\\ud83d\\ude00 \\u202e \\ud800 \\u0000"}'),
    "response in UTF-16": record(received='{"a": "ü"}'.encode("utf-16")),
    "response in latin-1": record(received=b"caf\xe9 \xff"),
    "response with a mark at its start": record(received=b'\xef\xbb\xbf{"a": 1}'),
    "response of a picture": record(received=b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9),
    "response of white space": record(received=b" \r\n\t"),
    "empty response": record(received=b""),
    "response that broke": record(response_body_state="broken", error="requests.exceptions.ChunkedEncodingError"),
    "no response": record(
        status=None, reason=None, response_headers=(), response_body=None, response_body_state="none",
        response_body_size=None, error="requests.exceptions.ConnectionError", error_message="refused " * 300,
    ),
    "no name of an error": record(status=None, reason=None, error="", error_message=None),
    "odd name of an error": record(error="a.b.<locals>.@everyone_*é*", error_message=""),
    "body that was cut": record(request_body=b"abc", request_body_state="cut", request_body_size=8_214),
    "body that was not seen": record(request_body=None, request_body_state="missing", request_body_size=None),
    "body in chunks": record(
        sent=b"a\nb" * 3_000, chunked=True, request_headers=(("Transfer-Encoding", "chunked"), ("A", "b"))
    ),
    "no body": record(method="GET", request_body=None, request_body_state="none", request_body_size=None),
    "NUL alone": record(sent=b"\0"),
    "every byte": record(sent=bytes(range(256)), received=bytes(range(256))),
    "300 headers": record(request_headers=tuple((f"X-{number}", "v" * 50) for number in range(300))),
    "header of 20 KB": record(request_headers=(("X-Long", "v" * 20_000),)),
    "300 headers and a body": record(
        request_headers=tuple((f"X-{number}", "v" * 50) for number in range(300)), sent=b"z" * 9_000
    ),
    "header with a line break": record(request_headers=(("X-Split", "a\r\nb"),)),
    "header of latin-1": record(request_headers=(("X-Text", "caf\xe9`` ```"),)),
    "URL of 30 KB": record(url="https://api.example.com/?" + "a=1&" * 7_500),
    "path of 30 KB": record(url="https://api.example.com/" + "```/" * 7_500),
    "host of 5 KB": record(url=f"https://{'a.' * 2_500}example.com/"),
    "URL that is none": record(url="@everyone ```", host=""),
    "empty URL": record(url="", host=""),
    "no request": record(method="", url="", host=""),
    "socket": record(url="http+unix://%2Fvar%2Frun%2Fdocker.sock/info"),
    "method of 5 KB": record(method="A" * 5_000),
    "method of letters that HTTP does not know": record(method="@here\n```"),
    "no status that exists": record(status=999, reason=None),
    "negative status": record(status=-1),
    "success": record(status=200, reason="OK"),
    "never": record(started=math.nan, elapsed=math.inf, duration=math.nan),
    "after the end of time": record(started=1e30, elapsed=1e300),
    "before the beginning": record(started=-1e15, elapsed=-1.0),
    "a slow body": record(duration=90.5),
    "repeated": record(suppressed=36, suppressed_since=1_714_571_000.0),
    "repeated since another day": record(suppressed=10**30, suppressed_since=1_714_000_000.0),
    "repeated since never": record(suppressed=1, suppressed_since=math.inf),
    "500 labels": record(context=tuple((f"label_{number}", "v" * 500) for number in range(500))),
    "labels of the app": record(
        context=(("request_id", "8f3a"), ("host", "web-3"), ("service", "checkout"), ("environment", "live"))
    ),
    "huge sizes": record(request_body_size=10**40, response_body_size=10**40),
    "variables": record(
        request_headers=(("Authorization", "Bearer REDACTED-API-TOKEN"),), variables=(("API_TOKEN", "Authorization"),)
    ),
    "settings": record(verify=False, cert=("a b", "c'd"), proxies=(("all", "http://proxy:1"),), timeout=(3.05, None)),
}  # fmt: skip
"""Each by what is wrong with it."""

_ODD = "`*_~|<>@#[]()&'\"\\$!\n\r\t\x00\x1b\u202e\u200d\u3164\ud800é世👍 "
TEXTS = strategies.text(
    strategies.one_of(strategies.sampled_from(_ODD), strategies.characters(codec=None)), max_size=600
) | strategies.builds(lambda text, times: text * times, strategies.text(_ODD, max_size=9), strategies.integers(0, 900))
_BODIES = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | strategies.binary(max_size=6_000)
_BYTE_WISE = _BODIES.map(lambda body: body[:2_000].decode("latin-1"))


def records() -> strategies.SearchStrategy[Record]:
    """Return a strategy for records of any content."""
    return strategies.builds(
        record,
        method=strategies.sampled_from(["GET", "POST", "HEAD"]) | TEXTS,
        url=TEXTS.map(lambda text: f"https://api.example.com/{text}") | TEXTS,
        request_headers=strategies.lists(strategies.tuples(_BYTE_WISE, _BYTE_WISE), max_size=5).map(tuple),
        sent=_BODIES,
        received=_BODIES,
        status=strategies.none() | strategies.integers(100, 599),
        reason=strategies.none() | _BYTE_WISE,
        response_headers=strategies.lists(
            strategies.tuples(strategies.just("Content-Type"), _BYTE_WISE | strategies.just("application/json")),
            max_size=1,
        ).map(tuple),
        error=strategies.none() | TEXTS,
        error_message=strategies.none() | TEXTS,
        started=strategies.floats(),
        elapsed=strategies.floats(),
        suppressed=strategies.integers(0, 10**6),
        suppressed_since=strategies.none() | strategies.floats(),
        context=strategies.lists(strategies.tuples(TEXTS, TEXTS), max_size=4).map(tuple),
        notes=strategies.lists(TEXTS, max_size=2).map(tuple),
        caller=strategies.none() | TEXTS,
    )
