"""`curl-interceptor curl`: a request that is described here, or those of a HAR file, as commands in any dialect."""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..dialects import STYLES, names, refuse, render
from ..errors import ConfigurationError
from ..records.exchange import BodyState, Exchange, RequestFacts
from ..records.redaction import UNREDACTED, Redaction, redact

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "run"]

Headers = tuple[tuple[str, bytes], ...]


def add_parser(subparsers: Subparsers) -> None:
    """Add `curl` to the commands."""
    parser = subparsers.add_parser(
        "curl",
        help="write a request down as a command",
        description="Writes a request, or each one of a HAR file, down as a command that sends it. Nothing is sent.",
    )
    parser.add_argument("method", nargs="?", metavar="METHOD", help="such as GET")
    parser.add_argument("url", nargs="?", metavar="URL", help="such as https://api.example.com/v1/orders")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="a header to send")
    body = parser.add_mutually_exclusive_group()
    body.add_argument("--data", metavar="TEXT", help="the body")
    body.add_argument("--data-file", metavar="FILE", help="a file with the body; - is the standard input")
    parser.add_argument("--har", metavar="FILE", help="take the requests of this HTTP Archive; - is the standard input")
    parser.add_argument("--insecure", action="store_true", help="do not check certificates")
    parser.add_argument("--proxy", metavar="URL", help="send it by way of this proxy")
    parser.add_argument("--dialect", choices=names(), default="posix", help="default: posix")
    parser.add_argument("--style", choices=STYLES, default="exact", help="default: exact")
    parser.add_argument("--unredacted", action="store_true", help="hide no secret")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the commands; 1 if there is none for a request, and a sentence in its place."""
    rules = UNREDACTED if options.unredacted else Redaction()
    refusal = refuse("", dialect=options.dialect, style=options.style).rstrip('"}')
    texts = []
    for number, request in enumerate(_requests(options)):
        record = redact(Exchange(request, None, None, 0.0, 0.0), rules, id=str(number))
        texts.append(render(record, dialect=options.dialect, style=options.style))
    several_lines = any("\n" in text for text in texts)
    print(("\n\n" if several_lines else "\n").join(texts))
    return int(any(text.startswith(refusal) for text in texts))


def _requests(options: argparse.Namespace) -> Iterator[RequestFacts]:
    if options.har is None:
        yield _described(options)
        return
    if options.method is not None or options.header or options.data is not None or options.data_file is not None:
        raise ConfigurationError("--har takes the requests from its file; leave METHOD, URL, -H and the body out")
    for request in _archived(options.har):
        yield request._replace(verify=not options.insecure, proxies=_proxies(options))


def _proxies(options: argparse.Namespace) -> tuple[tuple[str, str], ...]:
    return (("all", options.proxy),) if options.proxy else ()


# Described by hand.


def _described(options: argparse.Namespace) -> RequestFacts:
    if options.method is None or options.url is None:
        raise ConfigurationError(
            "curl takes METHOD and URL, such as `curl GET https://api.example.com/`, or --har FILE"
        )
    body = None
    if options.data is not None:
        body = _encoded(options.data)
    elif options.data_file is not None:
        body = _read(options.data_file)
    return RequestFacts(
        method=options.method,
        url=options.url,
        headers=tuple(map(_header, options.header)),
        body=body,
        body_state="none" if body is None else "complete",
        body_size=None if body is None else len(body),
        chunked=False,
        verify=not options.insecure,
        proxies=_proxies(options),
    )


def _header(text: str) -> tuple[str, bytes]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ConfigurationError("-H takes 'NAME: VALUE', and one has no colon behind a name")
    return name, _encoded(value.lstrip(" \t"))


def _encoded(text: str) -> bytes:
    """Return the bytes that a text had on the command line."""
    return text.encode("utf-8", "surrogateescape")


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {name!r}: {error.strerror}") from error


# Taken from an archive.


def _archived(name: str) -> Iterator[RequestFacts]:
    try:
        document = json.loads(_read(name))
        # One entry alone is what the dialect `har` writes.
        entries = document["log"]["entries"] if "log" in document else [document]
        requests = [_entry(entry["request"]) for entry in entries]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{name!r} is no HTTP Archive: {type(error).__name__}: {error}") from error
    if not requests:
        raise ConfigurationError(f"{name!r} is an HTTP Archive without requests")
    yield from requests


def _entry(request: dict[str, Any]) -> RequestFacts:
    headers = tuple(
        # The pseudo-headers of HTTP/2 stand in the method and the URL already.
        (str(header["name"]), _wire(str(header["value"])))
        for header in request["headers"]
        if not str(header["name"]).startswith(":")
    )
    body, state = _posted(request, headers)
    return RequestFacts(
        method=str(request["method"]),
        url=str(request["url"]),
        headers=headers,
        body=body,
        body_state=state,
        body_size=None if body is None else len(body),
        chunked=_value(headers, "transfer-encoding").lower() == b"chunked",
    )


def _wire(value: str) -> bytes:
    """Return the bytes of a header's value: one for each character, or UTF-8 where there are others."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _posted(request: dict[str, Any], headers: Headers) -> tuple[bytes | None, BodyState]:
    data = request.get("postData") or {}
    text = data.get("text")
    if text is not None:
        raw = data.get("_encoding", data.get("encoding")) == "base64"
        return (b64decode(text) if raw else str(text).encode("utf-8", "surrogatepass")), "complete"
    params = data.get("params") or []
    if params and str(data.get("mimeType", "")).startswith("application/x-www-form-urlencoded"):
        return urlencode([(param["name"], param.get("value", "")) for param in params]).encode(), "complete"
    size = request.get("bodySize", -1)
    expected = params or size > 0 or _value(headers, "content-length").strip(b"0 ")
    return None, "missing" if expected else "none"


def _value(headers: Headers, name: str) -> bytes:
    return next((value for found, value in headers if found.lower() == name), b"")
