"""From exchange to record: the one function that decides what may leave this process."""

from __future__ import annotations

from typing import Any

from ..exchange import BodyState, Exchange, RawHeaders, RequestFacts
from ..fingerprint import fingerprint
from ..record import Headers, Record
from ..url import split
from ..wire import decode, flatten, is_chunked, sent_headers
from . import texts
from .rules import UNREDACTED, Redaction

__all__ = ["redact"]


def redact(exchange: Exchange, rules: Redaction, *, id: str) -> Record:
    """Return what may leave this process.

    Parameters
    ----------
    exchange: The raw facts.
    rules: What is to be hidden.
    id: Constant name of the record.
    """
    request, response, failure = exchange.request, exchange.response, exchange.failure
    parts = split(request.url)
    body, body_size = _request_body(request)
    return Record(
        id=id,
        method=request.method,
        url=texts.url(request.url, rules),
        host=parts.host,
        request_headers=_headers(sent_headers(request), rules),
        request_body=body,
        request_body_state=request.body_state,
        request_body_size=body_size,
        chunked=is_chunked(request),
        target=None if request.target is None else texts.query(request.target, rules),
        status=response.status if response else None,
        reason=texts.text(response.reason, rules) if response and response.reason else None,
        response_headers=_headers(tuple(flatten(response.headers)), rules) if response else (),
        response_body=_response_body(response.body, response.body_state) if response else None,
        response_body_state=response.body_state if response else "none",
        response_body_size=response.body_size if response else None,
        error=failure.type if failure else None,
        error_message=texts.text(failure.message, rules) if failure else None,
        started=exchange.started,
        elapsed=exchange.elapsed,
        duration=exchange.duration,
        verify=request.verify if isinstance(request.verify, (bool, str)) else True,
        cert=_certificate(request.cert),
        proxies=_proxies(request.proxies, rules),
        timeout=request.timeout,
        fingerprint=fingerprint(exchange),
        context=tuple((name, texts.text(value, rules)) for name, value in exchange.context),
    )


def _headers(headers: Headers, rules: Redaction) -> Headers:
    return tuple((name, texts.header(name, value, rules)) for name, value in headers)


def _request_body(request: RequestFacts) -> tuple[bytes | None, int | None]:
    body, state, size = request.body, request.body_state, request.body_size
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
        size = len(body) if state == "complete" else size
    if size is None:
        size = _content_length(request.headers)
    return body, size


def _content_length(headers: RawHeaders) -> int | None:
    for name, value in flatten(headers):
        if name.lower() == "content-length" and value.isdigit():
            return int(value)
    return None


def _response_body(chunks: tuple[bytes, ...], state: BodyState) -> bytes | None:
    return None if state in ("none", "missing") else b"".join(chunks)


def _certificate(cert: Any) -> str | tuple[str, str] | None:
    if isinstance(cert, (tuple, list)) and len(cert) == 2:
        return str(cert[0]), str(cert[1])
    return None if cert is None else str(cert)


def _proxy(proxy: Any, *, keep: bool) -> str:
    """An empty one stays: it says that no proxy was used."""
    text = decode(proxy) if proxy else ""
    if keep or not text:
        return text
    return split(text if "://" in text else f"http://{text}").join()


def _proxies(proxies: tuple[tuple[str, str], ...], rules: Redaction) -> tuple[tuple[str, str], ...]:
    keep = rules is UNREDACTED
    return tuple((decode(name), _proxy(proxy, keep=keep)) for name, proxy in proxies)
