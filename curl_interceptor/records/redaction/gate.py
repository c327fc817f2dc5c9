"""From exchange to record: the one function that decides what may leave this process."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import Any, NamedTuple

from ..exchange import BodyState, Exchange, RequestFacts, ResponseFacts, Restored
from ..fingerprint import fingerprint, path_shape
from ..patterns import lazy
from ..record import Headers, Record
from ..url import Parts, split
from ..variables import name_for, placeholder
from ..wire import decode, flatten, sent_headers
from . import kinds, own, urls
from .bodies import redact_body
from .headers import secret_header
from .markers import numbered
from .rules import MARKER, UNREDACTED, Redaction, StrictRedaction
from .scan import Scan

__all__ = ["Scrub", "redact", "redact_text"]

_URLS = frozenset(["location", "referer", "content-location", "origin"])


def redact(exchange: Exchange, rules: Redaction, *, id: str) -> Record:
    """Return what may leave this process.

    What a document tells of a record comes this way too: somebody may have written into it. A record of these or of
    weaker rules comes out as it went in.

    Parameters
    ----------
    exchange: The raw facts.
    rules: What is to be hidden.
    id: Constant name of the record.
    """
    request, response, failure = exchange.request, exchange.response, exchange.failure
    scrub = Scrub(rules)
    parts = split(request.url)
    url = scrub.url(parts)
    headers, chunked = sent_headers(request)
    sent, variables = scrub.request(_question(request, headers))
    got = scrub.message(_answer(response), "response") if response else _NOTHING
    record = Record(
        id=id,
        method=request.method,
        url=url,
        host=parts.host,
        request_headers=sent.headers,
        request_body=sent.body,
        request_body_state=sent.state,
        request_body_size=sent.size,
        chunked=chunked,
        target=None if request.target is None else scrub.target(request.target, request.url),
        status=response.status if response else None,
        reason=scrub.reason(response) if response else None,
        response_headers=got.headers,
        response_body=got.body,
        response_body_state=got.state,
        response_body_size=got.size,
        error=failure.type if failure else None,
        error_message=scrub.text(_without_path(failure.message, parts)) if failure else None,
        started=exchange.started,
        elapsed=exchange.elapsed,
        duration=exchange.duration,
        verify=request.verify if isinstance(request.verify, (bool, str)) else True,
        cert=_certificate(request.cert),
        proxies=_proxies(request.proxies, rules),
        timeout=request.timeout,
        fingerprint=fingerprint(exchange if split(url).path == parts.path else _with_url(exchange, url)),
        context=tuple((scrub.text(name), scrub.label(name, value)) for name, value in exchange.context),
        variables=variables,
        notes=(*exchange.notes, *scrub.notes),
        retried=exchange.retried,
        peer=exchange.peer,
        caller=None if exchange.caller is None else scrub.text(exchange.caller),
    )
    return record if exchange.restored is None else scrub.restored(record, exchange.restored)


def redact_text(text: str, rules: Redaction) -> str:
    """Return what may be shown of a text of any kind, such as a log file or a body."""
    return Scrub(rules).content(text)


class _Message(NamedTuple):
    """Headers and body of one direction."""

    headers: Headers
    body: bytes | None
    state: BodyState
    size: int | None


_NOTHING = _Message((), None, "none", None)


class Scrub:
    """The rules at work on one record, the user's callable included."""

    def __init__(self, rules: Redaction) -> None:
        self._rules = rules
        self._scan: Scan = kinds.scan_for(rules)
        self._off = rules is UNREDACTED
        self._strict = isinstance(rules, StrictRedaction)
        self.notes: list[str] = []

    def url(self, parts: Parts) -> str:
        """The URL of the request, without userinfo and fragment."""
        if self._off:
            return parts.join()
        if self._strict:
            return _skeleton(parts)
        shown = urls.target(parts, self._scan)
        base = f"{parts.scheme}://{parts.authority}"
        if not parts.scheme or not shown.startswith(base):
            return self._also(shown)
        return base + self._also(shown[len(base) :], instead=f"/{MARKER}")

    def target(self, target: str, url: str) -> str:
        """The request target on the wire, which is a path or a URL."""
        if self._off or not target.startswith("/"):
            return target if self._off else self.url(split(target))
        parts = split(url)
        base = f"{parts.scheme}://{parts.authority}"
        shown = self.url(split(base + target))
        return shown[len(base) :] if shown.startswith(base) else f"/{MARKER}"

    def text(self, text: str) -> str:
        """Any text."""
        if self._off or not text:
            return text
        return MARKER if self._strict else self._also(kinds.text(text, self._scan))

    def label(self, name: str, value: str) -> str:
        """The value of a label of the app's own."""
        if self._off or self._strict or not self._rules.hides(name):
            return self.text(value)
        return self._also(self._scan.hidden(name, value))

    def key(self, text: str) -> str:
        """A text by which others are told apart; where none is shown, it is a number."""
        return numbered(text) if self._strict else self.text(text)

    def member(self, name: str, value: Any) -> str:
        """A plain value that stands under a name, as a text: a container as JSON."""
        if self._strict:
            return MARKER
        if not self._off:
            # As a document of its own, so that the names inside of it count as well.
            shown = self._also(kinds.content(json.dumps({name: value}, ensure_ascii=False), self._scan, ""))
            try:
                (value,) = json.loads(shown).values()
            except (ValueError, AttributeError):  # the user's callable made something else of it
                return MARKER
        if isinstance(value, (list, dict)):  # a text from now on, which has to pass as one when it comes back
            return self.member(name, json.dumps(value, ensure_ascii=False))
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def content(self, text: str) -> str:
        """A text that may be a document."""
        return text if self._off else MARKER if self._strict else self._also(kinds.content(text, self._scan, ""))

    def reason(self, response: ResponseFacts) -> str | None:
        """The phrase beside the status; an ordinary one is taken as it is."""
        phrase = response.reason
        return phrase if not phrase or phrase == _PHRASES.get(response.status) else self.text(phrase)

    def request(self, message: _Message) -> tuple[_Message, Headers]:
        """The request, and the variables that stand in its headers."""
        if self._rules.mode != "env" or self._off:
            return self.message(message, "request"), ()
        shown = self.message(message._replace(headers=()), "request", message.headers)
        headers, variables = _Variables(self._scan).put(message.headers, self.header)
        return shown._replace(headers=_with_length(headers, message, shown)), variables

    def restored(self, record: Record, told: Restored) -> Record:
        """The record as its document has it, where a text may stand that no call can have."""
        return replace(
            record,
            method=self.text(record.method),
            host=self.text(told.host),
            error=None if record.error is None else self.text(record.error),
            fingerprint=self.text(told.fingerprint),
            suppressed=told.suppressed,
            suppressed_since=told.suppressed_since,
            variables=told.variables,
            notes=tuple(dict.fromkeys([*map(self.text, told.notes), *record.notes])),
            retried=tuple(map(self.text, record.retried)),
            peer=None if record.peer is None else self.text(record.peer),
        )

    def message(self, message: _Message, side: str, headers: Headers = ()) -> _Message:
        """One direction: headers, body, and the sizes that follow from it."""
        if self._off:
            return message
        shown = self._body(message, side, headers or message.headers)
        plain = self._rules.plain
        kept = []
        for pair in message.headers:
            if pair in plain:
                kept.append(pair)
                continue
            name, value = pair
            seen = self.header(name, value)
            # An address becomes a secret once it is ours.
            if seen == value and self._rules.also is None and "//" not in value:
                self._rules.remember_plain(name, value)
            if seen is not None:
                kept.append((name, seen))
        return _Message(_with_length(tuple(kept), message, shown), *shown[1:])

    def header(self, name: str, value: str) -> str | None:
        """The value of a header; None if the header is left out."""
        if self._strict:
            return MARKER if value and self._rules.hides(name) else value
        if self._rules.hides(name):
            shown = secret_header(name, value, self._scan)
            return None if shown is None else self._also(shown)
        lower = name.lower()
        if lower in _URLS:
            return self._also(urls.reference(value, self._scan))
        # How the message is framed is no text of anybody's, and a command with another length could not be sent.
        return value if lower == "content-length" and value.isdigit() else self._also(kinds.text(value, self._scan))

    def _body(self, message: _Message, side: str, headers: Headers) -> _Message:
        body = message.body
        if not body:
            return message
        if self._strict:
            return self._without(message, side, "left out")
        kind = coding = ""
        for name, value in headers:
            if name[:8].lower() == "content-":
                lower = name.lower()
                kind = value if lower == "content-type" else kind
                coding = value if lower == "content-encoding" else coding
        shown = redact_body(body, self._scan, content_type=kind, coding=coding, whole=message.state == "complete")
        data, note = shown
        if data is not None and self._rules.also is not None:
            data, note = self._also_body(data, note)
        if note:
            self.notes.append(f"{side} body {note}")
        if data is None:
            return message._replace(body=None, state="missing")
        size = message.size
        if len(data) != len(body) and size is not None:
            size = max(len(data), size + len(data) - len(body))
        return _Message(message.headers, data, message.state, size)

    def _without(self, message: _Message, side: str, why: str) -> _Message:
        self.notes.append(f"{side} body {why}")
        return message._replace(body=None, state="missing")

    def _also(self, text: str, instead: str = MARKER) -> str:
        """Let the user's callable have its say; where it fails, nothing of the text is shown."""
        if self._rules.also is None or not text:
            return text
        try:
            shown = self._rules.also(text)
        except Exception:
            return instead
        return shown if isinstance(shown, str) else instead

    def _also_body(self, data: bytes, note: str) -> tuple[bytes | None, str]:
        rules = self._rules
        if note:
            return None, "left out: it is compressed, which the callable of the redaction cannot look into"
        try:
            text = data.decode("utf-8", "surrogateescape")
            shown = rules.also(text) if rules.also is not None else text
            return shown.encode("utf-8", "surrogateescape"), note
        except Exception:  # whatever it is: what it was meant to hide must not go out
            return None, "left out: the callable of the redaction failed"


class _Variables:
    """Puts shell variables in the place of markers in headers."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._secrets: dict[str, str] = {}
        self.found: list[tuple[str, str]] = []

    def put(self, headers: Headers, header: Any) -> tuple[Headers, Headers]:
        """Return the headers with placeholders, and pairs of a variable and the header that it stands in."""
        shown = []
        for name, value in headers:
            redacted = header(name, value)
            if redacted != value and self._scan.rules.hides(name):
                redacted = self._named(name, value, redacted)
            shown.append((name, redacted))
        return tuple(shown), tuple(self.found)

    def _named(self, name: str, value: str, redacted: str) -> str:
        if name.lower().rpartition("-")[2] == "cookie":
            pairs = zip(value.split(";"), redacted.split(";"), strict=True)
            return ";".join(new if new == old else self._cookie(name, old, new) for old, new in pairs)
        scheme, _, _ = redacted.rpartition(" ")
        secret = value[len(scheme) :].strip()
        part = "BASIC" if scheme.lower() == "basic" else ""
        return f"{scheme} {self._variable(name, part, secret)}" if scheme else self._variable(name, part, secret)

    def _cookie(self, header: str, old: str, new: str) -> str:
        name, mark, _ = new.partition("=")
        if not mark:
            return self._variable(header, "", old.strip())
        return f"{name}={self._variable(header, name.strip(), old.partition('=')[2])}"

    def _variable(self, header: str, part: str, secret: str) -> str:
        """One variable for each secret; another secret of the same name gets a number."""
        base = name = name_for(header, part)
        number = 1
        while self._secrets.get(name, secret) != secret:
            number += 1
            name = f"{base}_{number}"
        self._secrets[name] = secret
        if (name, header) not in self.found:
            self.found.append((name, header))
        return placeholder(name)


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_NUMBER = lazy(r"[0-9]{1,15}")


def _with_length(headers: Headers, before: _Message, after: _Message) -> Headers:
    """Say the length of the body that is there now: the former one would tell how long a secret is."""
    if before.body == after.body or after.size is None or before.size is None:
        return headers
    former, size = str(before.size), str(after.size)

    def said(name: str, value: str) -> str:
        return size if name.lower() == "content-length" and value.strip() == former else value

    return tuple([(name, said(name, value) if former in value else value) for name, value in headers])


def _question(request: RequestFacts, headers: Headers) -> _Message:
    body, state, size = request.body, request.body_state, request.body_size
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
        size = len(body) if state == "complete" else size
    if size is None:
        size = _content_length(headers)
    return _Message(headers, body, state, size)


def _content_length(headers: Headers) -> int | None:
    for name, value in headers:
        if name.lower() == "content-length" and _NUMBER.fullmatch(value):
            return int(value)
    return None


def _answer(response: ResponseFacts) -> _Message:
    state = response.body_state
    body = None if state in ("none", "missing") else b"".join(response.body)
    return _Message(tuple(flatten(response.headers)), body, state, response.body_size)


def _without_path(message: str, parts: Parts) -> str:
    """Requests names the path alone in its messages, which nothing would tell from any other."""
    shown = own.is_ours(parts) and len(parts.path) > 1
    return message.replace(parts.path + parts.query, f"/{MARKER}") if shown else message


def _skeleton(parts: Parts) -> str:
    """What strict rules show of a URL: words of the path, and names of parameters."""
    shape = path_shape(parts.path).replace("{id}", MARKER)
    names = [part.partition("=")[0] for part in parts.query[1:].split("&")] if parts.query else []
    query = "&".join(f"{name}={MARKER}" for name in names)
    return parts._replace(path=shape, query=f"?{query}" if query else "").join()


def _with_url(exchange: Exchange, url: str) -> Exchange:
    return exchange._replace(request=exchange.request._replace(url=url))


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
