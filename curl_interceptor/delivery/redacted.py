"""An exchange on its way into lanes, and the records that are made of it."""

from __future__ import annotations

from secrets import token_hex

from ..records.exchange import Exchange
from ..records.record import Record
from ..records.redaction import Redaction, redact
from .guard import is_for_us

__all__ = ["Redacted"]


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
        self._id = "" if exchange.restored is None else exchange.restored.id

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
