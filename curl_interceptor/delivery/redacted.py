"""An exchange on its way into lanes, and the records that are made of it."""

from __future__ import annotations

from secrets import token_hex
from typing import NamedTuple

from ..records.exchange import Exchange, Failure, RequestFacts, ResponseFacts
from ..records.record import Record
from ..records.redaction import Redaction, redact
from ..records.url import split
from .guard import is_for_us

__all__ = ["Headline", "Redacted"]

_LONGEST_URL = 500  # characters of a headline's
_NOT_KEPT = "headers and bodies were not kept: too many kinds of failures at once"


class Redacted:
    """An exchange and its records, one for each distinct redaction, all with one id.

    Parameters
    ----------
    exchange: What happened.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.answers: dict[tuple[int, int], bool | None] = {}
        """What predicates said of the record of a redaction; None of one that raised."""
        self._records: list[tuple[Redaction, Record]] = []
        self._id = ""

    def by(self, rules: Redaction) -> Record:
        """Return the record, made on first use."""
        for known, record in self._records:
            if known is rules or (type(known) is type(rules) and known == rules):
                return record
        record = self._redact(rules)
        self._records.append((rules, record))
        return record

    def _redact(self, rules: Redaction) -> Record:
        try:
            return redact(self.exchange, rules, id=self._named())
        except Exception:
            raise
        except BaseException as error:  # the user's callable exits: that costs its record, and no thread of ours
            if is_for_us(error):
                raise
            raise RuntimeError(type(error).__name__) from None

    def forget_records(self) -> None:
        """Keep the exchange only: what a cooldown holds back is redacted when it goes out after all."""
        self._records.clear()

    def bare(self) -> Redacted:
        """Return the same without the bodies, for where there is no room for them."""
        request, response = self.exchange.request, self.exchange.response
        if request.body is not None:
            request = request._replace(body=None, body_state="missing")
        if response is not None and response.body:
            response = response._replace(body=(), body_state="missing")
        bare = Redacted(self.exchange._replace(request=request, response=response))
        bare._id = self._named()
        return bare

    def headline(self) -> Headline:
        """Return what is enough to tell of it, for where there is no room for more."""
        request, response, failure, started, elapsed, *_ = self.exchange
        status, error = response and response.status, failure and failure.type
        return Headline(self._named(), request.method, _shortened(request.url), status, error, started, elapsed)

    def _named(self) -> str:
        self._id = self._id or token_hex(16)
        return self._id

    @property
    def size(self) -> int:
        """Approximate memory of the exchange in bytes."""
        request, response = self.exchange.request, self.exchange.response
        size = 2_000 + len(request.url) + len(request.body or "")
        for header in (*request.headers, *(response.headers if response else ())):
            size += 100 + sum(map(len, header))
        return size + sum(map(len, response.body if response else ()))


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
    if len(url) <= _LONGEST_URL:
        return url
    parts = split(url)._replace(query="")
    return next((short for short in (parts.join(), parts._replace(path="/").join()) if len(short) <= _LONGEST_URL), "")
