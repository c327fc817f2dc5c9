"""The way back from a document to the facts that it tells, so that what a file keeps can be sent again.

It leads to an exchange or a raw notice, and not to a record or a notice: a file may have been edited, so what it tells
goes through the gate like anything else, and `redact` stays the only function that makes a record.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast, get_args

from ..records.exchange import BodyState, Exchange, Failure, RequestFacts, ResponseFacts, Restored
from ..records.notice import Level, NoticeKind, RawNotice, RestoredNotice
from ..records.record import Headers
from ..records.url import split

__all__ = ["KINDS", "Raw", "UnknownKind", "restore"]

_ID = re.compile(r"[!-~]{1,200}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,79}")  # it is written into commands as it is
_STATES = frozenset(get_args(BodyState))
_LONGEST = 40

Document = Mapping[str, Any]
Raw = Exchange | RawNotice
"""What has not passed the gate yet."""


class UnknownKind(ValueError):
    """A document of a kind that this version does not know; `kind` names it."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"unknown kind {kind!r}")
        self.kind = kind


def restore(document: object) -> Raw:
    """Return the facts that a document tells, to be redacted before anything else.

    Documents of older versions tell fewer of them; those are as if nothing was known. A message of the exceptions names
    a key and never repeats what stands there.

    Parameters
    ----------
    document: What JSON made of a line, of whatever origin.

    Raises
    ------
    UnknownKind
        If it says that it is of a kind that is not among the `KINDS`.
    ValueError
        If it is no document of ours.
    """
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    kind = document.get("kind", "record")
    known = KINDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise UnknownKind(_printable(kind))
    return known(document)


def _record(document: Document) -> Exchange:
    """Return the facts of a call."""
    more = _object(document, "restore") or {}
    url = _text(document, "url")
    error = _object(document, "error")
    return Exchange(
        request=_request(document, more, url),
        response=_response(document),
        failure=None if error is None else _failure(error),
        started=_number(more, "started", _time(document, "started")) or 0.0,
        elapsed=_number(more, "elapsed", _number(document, "elapsed")) or 0.0,
        duration=_number(more, "duration", _number(document, "duration")),
        context=_pairs(more, "context") or _named(document, "context"),
        retried=_texts(document, "retried"),
        peer=_maybe_text(document, "peer"),
        caller=_maybe_text(document, "caller"),
        restored=Restored(
            id=_name(document),
            host=_maybe_text(more, "host") or split(url).host,
            fingerprint=_maybe_text(document, "fingerprint") or "",
            suppressed=_whole(document, "suppressed") or 0,
            suppressed_since=_number(more, "suppressed_since", _time(document, "suppressed_since")),
            variables=_variables(document, more),
            notes=_texts(document, "notes"),
        ),
    )


def _notice(document: Document) -> RawNotice:
    """Return what was handed over by hand, as far as it is told."""
    more = _object(document, "restore") or {}
    error = _object(document, "error")
    level = _text(document, "level")
    if level not in get_args(Level):
        raise ValueError("its 'level' is none that exists")
    return RawNotice(
        kind=cast("NoticeKind", document["kind"]),
        text=_text(document, "text"),
        started=_number(more, "started", _time(document, "started")) or 0.0,
        level=cast("Level", level),
        extra=tuple((name, _member(text)) for name, text in _pairs(more, "extra") or _named(document, "extra")),
        context=_pairs(more, "context") or _named(document, "context"),
        restored=RestoredNotice(
            id=_name(document),
            error=None if error is None else _text(error, "type"),
            error_message=None if error is None else _text(error, "message"),
            traceback="\n".join(_texts(document, "traceback")),
            caller=_maybe_text(document, "caller"),
            fingerprint=_maybe_text(document, "fingerprint") or "",
            suppressed=_whole(document, "suppressed") or 0,
            suppressed_since=_number(more, "suppressed_since", _time(document, "suppressed_since")),
        ),
    )


KINDS: dict[str, Callable[[Document], Raw]] = {"record": _record, **dict.fromkeys(get_args(NoticeKind), _notice)}
"""How a document is restored, by its `kind`; one that names none is a record's."""


def _request(document: Document, more: Document, url: str) -> RequestFacts:
    told = _object(document, "request")
    body, state, size = _body(told)
    headers = () if told is None else _pairs(told, "headers")
    chunked = _typed(more, "chunked", bool, "true or false")
    if chunked is None:
        chunked = any(name.lower() == "transfer-encoding" and "chunked" in value.lower() for name, value in headers)
    return RequestFacts(
        method=_text(document, "method"),
        url=url,
        headers=headers,
        body=body,
        body_state=state,
        body_size=size,
        chunked=chunked,
        target=_maybe_text(more, "target"),
        timeout=_timeout(more),
        verify=True if more.get("verify") is None else _typed(more, "verify", (bool, str), "true, false or a path"),
        cert=_certificate(more),
        proxies=_pairs(more, "proxies"),
    )


def _response(document: Document) -> ResponseFacts | None:
    status = _typed(document, "status", int, "a number")
    if status is None:
        return None
    told = _object(document, "response")
    body, state, size = _body(told)
    headers = () if told is None else _pairs(told, "headers")
    return ResponseFacts(status, _maybe_text(document, "reason"), headers, () if body is None else (body,), state, size)


def _failure(error: Document) -> Failure:
    kind = _text(error, "type")
    return Failure(kind, _text(error, "message"), (kind,))


def _body(told: Document | None) -> tuple[bytes | None, Any, int | None]:
    """Return body, state and size of one direction."""
    if told is None:
        return None, "missing", None
    state = _text(told, "body_state")
    if state not in _STATES:
        raise ValueError("its 'body_state' is none that exists")
    text, coded = _maybe_text(told, "body"), _maybe_text(told, "body_base64")
    if coded is not None:
        return base64.b64decode(coded, validate=True), state, _whole(told, "body_size")
    return None if text is None else text.encode("utf-8"), state, _whole(told, "body_size")


def _timeout(more: Document) -> Any:
    value = more.get("timeout")
    if isinstance(value, list) and len(value) == 2:
        connect, read = ({"timeout": one} for one in value)
        return _number(connect, "timeout"), _number(read, "timeout")
    number = _number(more, "timeout")
    return value if number == value else number  # 5 stays 5, for it is written into commands


def _certificate(more: Document) -> str | tuple[str, str] | None:
    if not isinstance(more.get("cert"), list):
        return _maybe_text(more, "cert")
    paths = _texts(more, "cert")
    if len(paths) != 2:
        raise ValueError("its 'cert' is no pair of paths")
    return paths[0], paths[1]


def _variables(document: Document, more: Document) -> Headers:
    pairs = _pairs(more, "variables") or _named(document, "variables")
    if not all(_VARIABLE.fullmatch(name) for name, _ in pairs):
        raise ValueError("its 'variables' have a name that no shell variable of ours has")
    return pairs


def _name(document: Document) -> str:
    name = _text(document, "id")
    if not _ID.fullmatch(name):
        raise ValueError("its 'id' is none of ours")
    return name


def _typed(facts: Document, key: str, kind: Any, what: str) -> Any:
    """Return a value that is of a kind, or missing."""
    value = facts.get(key)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise ValueError(f"its {key!r} is not {what}")
    return value


def _object(facts: Document, key: str) -> Document | None:
    found: Document | None = _typed(facts, key, dict, "an object")
    return found


def _maybe_text(facts: Document, key: str) -> str | None:
    text: str | None = _typed(facts, key, str, "a text")
    return text


def _text(facts: Document, key: str) -> str:
    text = _maybe_text(facts, key)
    if text is None:
        raise ValueError(f"it has no {key!r}")
    return text


def _whole(facts: Document, key: str) -> int | None:
    number: int | None = _typed(facts, key, int, "a whole number")
    if number is not None and number < 0:
        raise ValueError(f"its {key!r} is below 0")
    return number


def _number(facts: Document, key: str, otherwise: float | None = None) -> float | None:
    value = _typed(facts, key, (int, float), "a number")
    if value is None or isinstance(value, bool):
        return otherwise
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"its {key!r} is no number that a float can hold")
    return number


def _time(facts: Document, key: str) -> float | None:
    text = _maybe_text(facts, key)
    try:
        return None if text is None else datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"its {key!r} is no time") from None


def _texts(facts: Document, key: str) -> tuple[str, ...]:
    texts = _typed(facts, key, list, "a list") or ()
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"its {key!r} are not all texts")
    return tuple(texts)


def _named(facts: Document, key: str) -> Headers:
    pairs = tuple((_object(facts, key) or {}).items())
    if not all(isinstance(value, str) for _, value in pairs):
        raise ValueError(f"its {key!r} are not all texts")
    return pairs


def _pairs(facts: Document, key: str) -> Headers:
    pairs = _typed(facts, key, list, "a list") or ()
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise ValueError(f"its {key!r} are not all pairs of texts")
    return tuple((name, value) for name, value in pairs)


def _member(text: str) -> Any:
    """Return the list or object whose text it is, since what that holds is redacted one by one; else the text."""
    if text[:1] in ("[", "{"):
        try:
            value = json.loads(text)
            return value if json.dumps(value, ensure_ascii=False) == text else text
        except (ValueError, RecursionError):
            pass
    return text


def _printable(kind: object) -> str:
    """Return the name of a kind as it may be shown; what is none says of which type it is."""
    if not isinstance(kind, str):
        return f"({type(kind).__name__})"
    shown = "".join(letter for letter in kind[:_LONGEST] if letter.isascii() and (letter.isalnum() or letter in "_-."))
    return shown or "(empty)"
