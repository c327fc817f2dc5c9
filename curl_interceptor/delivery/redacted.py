"""What is on its way into lanes, and the entries that are made of it: records of an exchange, notices of a raw one."""

from __future__ import annotations

from secrets import token_hex
from typing import Generic, NamedTuple, TypeVar

from ..inspectors.base import Entry
from ..records.exchange import Exchange, Failure, RequestFacts, ResponseFacts
from ..records.notice import Notice, RawNotice
from ..records.raised import Raised
from ..records.record import Record
from ..records.redaction import Redaction, redact, redact_notice
from ..records.url import split
from .guard import is_for_us

__all__ = ["Headline", "Redactable", "Redacted", "RedactedNotice"]

E = TypeVar("E", bound=Entry)

_LONGEST = 500  # characters of a headline's URL or text
_NOT_SAID = "all else: too many kinds of notices at once"
_NOT_KEPT = "headers and bodies were not kept: too many kinds of failures at once"


class Redactable(Generic[E]):
    """Something raw and its entries, one for each distinct redaction, all with one id."""

    started: float
    """When it happened, in seconds since the epoch."""

    def __init__(self) -> None:
        self._entries: list[tuple[Redaction, E]] = []
        self._id = ""

    def by(self, rules: Redaction) -> E:
        """Return the entry, made on first use."""
        for known, entry in self._entries:
            if known is rules or (type(known) is type(rules) and known == rules):
                return entry
        entry = self._redact(rules)
        self._entries.append((rules, entry))
        return entry

    def _redact(self, rules: Redaction) -> E:
        try:
            return self._made(rules)
        except Exception:
            raise
        except BaseException as error:  # the user's callable exits: that costs its record, and no thread of ours
            if is_for_us(error):
                raise
            raise RuntimeError(type(error).__name__) from None

    def _made(self, rules: Redaction) -> E:
        raise NotImplementedError

    def forget_records(self) -> None:
        """Keep what is raw only: what a cooldown holds back is redacted when it goes out after all."""
        self._entries.clear()

    def bare(self) -> Redactable[E]:
        """Return the same without what is large, for where there is no room for it."""
        raise NotImplementedError

    def headline(self) -> Redactable[E] | Headline:
        """Return what is enough to tell of it, in about a kilobyte, for where there is no room for more."""
        raise NotImplementedError

    def named_like(self, other: Redactable[E]) -> Redactable[E]:
        """Take the id of another, and return this one."""
        self._id = other._named()
        return self

    def _named(self) -> str:
        self._id = self._id or token_hex(16)
        return self._id

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        raise NotImplementedError


class Redacted(Redactable[Record]):
    """An exchange and its records.

    Parameters
    ----------
    exchange: What happened.
    """

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange
        self.started = exchange.started
        if exchange.restored is not None:
            self._id = exchange.restored.id
        self.answers: dict[tuple[int, int], bool | None] = {}
        """What predicates said of the record of a redaction; None of one that raised."""

    def _made(self, rules: Redaction) -> Record:
        return redact(self.exchange, rules, id=self._named())

    def bare(self) -> Redactable[Record]:
        """Return the same without the bodies."""
        request, response = self.exchange.request, self.exchange.response
        if request.body is not None:
            request = request._replace(body=None, body_state="missing")
        if response is not None and response.body:
            response = response._replace(body=(), body_state="missing")
        return Redacted(self.exchange._replace(request=request, response=response)).named_like(self)

    def headline(self) -> Headline:
        """Return method, URL, outcome and times."""
        request, response, failure, started, elapsed, *_ = self.exchange
        status, error = response and response.status, failure and failure.type
        return Headline(self._named(), request.method, _shortened(request.url), status, error, started, elapsed)

    @property
    def size(self) -> int:
        """Approximate memory of the exchange in bytes."""
        request, response = self.exchange.request, self.exchange.response
        size = 2_000 + len(request.url) + len(request.body or "")
        for header in (*request.headers, *(response.headers if response else ())):
            size += 100 + sum(map(len, header))
        return size + sum(map(len, response.body if response else ()))


class RedactedNotice(Redactable[Notice]):
    """What was handed over by hand, and its notices.

    Parameters
    ----------
    raw: What was handed over.
    """

    def __init__(self, raw: RawNotice) -> None:
        super().__init__()
        self.raw = raw
        self.started = raw.started
        if raw.restored is not None:
            self._id = raw.restored.id

    def _made(self, rules: Redaction) -> Notice:
        return redact_notice(self.raw, rules, id=self._named())

    def bare(self) -> Redactable[Notice]:
        """Return the same without the extra values, and without the causes of an exception."""
        return RedactedNotice(self.raw._replace(extra=(), errors=self.raw.errors[:1])).named_like(self)

    def headline(self) -> Redactable[Notice]:
        """Return what kind of notice it is, where it comes from, and its text unless that is long."""
        raw = self.raw
        text = raw.text if len(raw.text) <= _LONGEST else f"(a text of {len(raw.text):,} characters was not kept)"
        errors = tuple(Raised(Failure(one.failure.type, "", ()), ()) for one in raw.errors[:1])
        key = (raw.key or raw.text)[:_LONGEST]  # it stays equal to what it was
        short = RawNotice(
            raw.kind, text, raw.started, raw.level, errors, (("left out", _NOT_SAID),), raw.origin, (), key
        )
        return RedactedNotice(short).named_like(self)

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        return self.raw.size


class Headline(NamedTuple):
    """What is kept of an exchange in well under a kilobyte; not redacted either."""

    id: str
    method: str
    url: str
    status: int | None
    error: str | None
    started: float
    elapsed: float

    def __repr__(self) -> str:
        return "Headline(not redacted, so not shown)"

    def expand(self) -> Redacted:
        """Return it as an exchange, which says what it lacks."""
        request = RequestFacts(self.method, self.url, (), body_state="missing")
        response = None if self.status is None else ResponseFacts(self.status, None, (), body_state="missing")
        failure = None if self.error is None else Failure(self.error, "", (self.error,))
        exchange = Exchange(request, response, failure, self.started, self.elapsed, notes=(_NOT_KEPT,))
        expanded = Redacted(exchange)
        expanded._id = self.id
        return expanded


def _shortened(url: str) -> str:
    """Leave the query of a long URL out, or all but the host: half of a token in it would not look like one."""
    if len(url) <= _LONGEST:
        return url
    parts = split(url)._replace(query="")
    return next((short for short in (parts.join(), parts._replace(path="/").join()) if len(short) <= _LONGEST), "")
