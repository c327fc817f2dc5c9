"""What every inspector has to hold, asked of one: for the tests of whoever writes one of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from .errors import DeliveryError
from .inspectors.base import Answer, Entry, Inspector, Payload
from .inspectors.shaped import shaped
from .records.exchange import Exchange, Failure, RequestFacts, ResponseFacts
from .records.notice import Notice, RawNotice
from .records.place import Place
from .records.raised import Raised
from .records.record import Record
from .records.redaction import Redaction, redact, redact_notice

__all__ = ["check_inspector"]

_SECRET = "s3cr3t-Value-4711"
# What calls and answers hold that wants to break a message.
_SAYINGS = (
    "usual",
    "",
    'it\'s "quoted" \\ and $(run) `twice`\n```\nout of the fence',
    "@everyone <!here> <@U1> <users/all> https://example.com/once [click](https://example.com) <b>&amp;</b>",
    "\x00\x07\x1b[31mred\x1b[0m\x7f\x85\u2028",
    "\u202egnp.exe\u202c\u200b\u2060\ufeff\u3164",
    "\ud800 lone \udfff",
    "👩‍👩‍👧‍👦🏳️‍🌈" * 200,
    "e" + "\u0301" * 1_500,
    "世界" * 1_500,
    "'" * 3_000,
    "x" * 20_000,
)
_STATUSES = (0, 100, 200, 204, 302, 400, 401, 404, 408, 410, 413, 429, 500, 503, 599, 999)
_ANSWERS = (b"", b"ok", b"{}", b"[]", b"null", b'{"ok": false}', b"<html>Log in</html>", b"\xff\x00", b"[" * 5_000)


def check_inspector(inspector: Any) -> None:
    """Fail if an inspector does not hold what the delivery relies on, whatever it is asked to tell.

    It is shown records and notices that want to break a message, alone and in batches, rich and plain, and answers of
    all kinds. Nothing is sent. Looked at are its payloads: each entry in exactly one of them, the same bytes when asked
    twice, no secret that redaction hides; its name, which tells nothing of the webhook's URL; and its verdicts, which
    raise nothing but `DeliveryError`. What the service itself would take is not known here: add a test of your own for
    its limits and its markup.

    Parameters
    ----------
    inspector: An inspector, or an object of the same shape.

    Raises
    ------
    AssertionError
        If it does not; the message says what, and for which of them.
    ConfigurationError
        If it is no inspector.
    """
    one = shaped(inspector)
    entries: list[Entry] = [*_records(), *_notices()]
    for plain in (False, True):
        form = "plain" if plain else "rich"
        for entry in entries:
            kind = "notice" if isinstance(entry, Notice) else "record"
            _check_payloads(one, [entry], plain, f"{form}, {kind} {entry.id!r}")
        _check_payloads(one, entries, plain, f"{form}, all records and notices in a batch")
        _check(not any(payload.entries for payload in one.payloads([], plain=plain)), "of no entries it tells some")
    _check_name(one, entries[0])
    _check_verdicts(one)


def _check(holds: bool, complaint: str) -> None:
    if not holds:
        raise AssertionError(complaint)


def _check_payloads(inspector: Inspector, entries: Sequence[Entry], plain: bool, case: str) -> None:
    payloads = inspector.payloads(entries, plain=plain)
    _check(isinstance(payloads, list), f"{case}: payloads() returns no list")
    for payload in payloads:
        _check(isinstance(payload, Payload), f"{case}: payloads() returns something else than Payload values")
        _check(isinstance(payload.body, bytes), f"{case}: the body of a payload is no bytes")
        lines = (payload.content_type, *(text for pair in payload.headers for text in pair))
        _check(not any(set(line) & {"\r", "\n"} for line in lines), f"{case}: a header of a payload has a line break")
        told = payload.body.decode("utf-8", "replace")
        _check(_SECRET not in told, f"{case}: a payload tells what redaction had hidden")
        if "json" in payload.content_type and "ndjson" not in payload.content_type:
            _check(
                _is_strict(payload.body), f"{case}: a body that is called JSON is none, or holds a NaN or half a letter"
            )
    found = [id(entry) for payload in payloads for entry in payload.entries]
    _check(found == [id(entry) for entry in entries], f"{case}: each entry has to be in one payload, in their order")
    _check(payloads == inspector.payloads(entries, plain=plain), f"{case}: asked twice, payloads() says something else")


def _is_strict(body: bytes) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        found = json.loads(body, parse_constant=refuse)
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except ValueError:
        return False
    return True


def _check_name(inspector: Inspector, entry: Entry) -> None:
    _, _, rest = inspector.address.partition("://")
    _, _, path = rest.partition("/")
    if len(path) < 8:
        return
    (payload, *_) = inspector.payloads([entry])
    _check(path not in inspector.label, "its label tells the webhook's URL, which is a secret")
    _check(path not in repr(inspector), "its repr tells the webhook's URL, which is a secret")
    _check(path.encode() not in payload.body, "its payload tells the webhook's URL, which is a secret")


def _check_verdicts(inspector: Inspector) -> None:
    for status in _STATUSES:
        for body in _ANSWERS:
            for headers in ({}, {"retry-after": "soon"}, {"retry-after": "1e999"}):
                try:
                    inspector.verdict(Answer(status, headers, body))
                except DeliveryError as error:
                    _check("://" not in str(error), f"verdict() of {status} tells a URL")
                except Exception as error:
                    kind = type(error).__name__
                    raise AssertionError(f"verdict() of {status} {body[:30]!r} raises {kind}") from error
                else:
                    _check(status < 300, f"verdict() calls status {status} delivered")


def _records() -> Iterator[Record]:
    for number, text in enumerate(_SAYINGS):
        yield redact(_exchange(text), Redaction(), id=str(number))
    first = redact(_exchange("usual"), Redaction(), id="never")
    yield replace(first, started=float("nan"), elapsed=float("inf"), duration=float("nan"))
    yield replace(first, id="nothing", status=None, reason=None, error=None, response_body=None, request_body=None)
    yield replace(first, id="empty", method="", url="", host="", request_headers=(), response_headers=())


def _notices() -> Iterator[Notice]:
    """Yield notices that say the same things, and reports of an exception."""
    for number, text in enumerate(_SAYINGS):
        failure = Failure("shop.errors.Failure", text, ())
        errors = (Raised(failure, (Place(text, 1, text),)),) if number % 2 else ()
        extra = (("password", _SECRET), (text[:50], text))
        context = (("service", text), (text[:50], text))
        raw = RawNotice("bug_report" if errors else "message", text, 1_714_572_127.5, errors=errors, extra=extra)
        yield redact_notice(raw._replace(context=context), Redaction(), id=str(number))


def _exchange(text: str) -> Exchange:
    """Return a call in which a text stands wherever others may put one, beside secrets at the usual places."""
    body = text.encode("utf-8", "surrogatepass")
    sent = b'{"password": "' + _SECRET.encode("ascii") + b'", "note": ' + json.dumps(text).encode("ascii") + b"}"
    json_header = ("Content-Type", "application/json")
    request = RequestFacts(
        "POST",
        f"https://user:{_SECRET}@api.example.com/{text}?token={_SECRET}",
        (json_header, ("Authorization", f"Bearer {_SECRET}".encode("ascii")), ("X-Said", body)),
        sent,
        "complete",
        len(sent),
        False,
    )
    response = ResponseFacts(503, text, (json_header, ("Set-Cookie", f"sid={_SECRET}")), (body,), "complete", len(body))
    failure = Failure("shop.errors.Failure", text, ())
    return Exchange(request, response, failure, 1_714_572_127.5, 1.25, None, (("service", text), (text[:50], text)))
