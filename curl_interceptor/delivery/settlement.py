"""What an outcome means: for its batch, which is delivered, tried again, halved or given up, and for its lane."""

from __future__ import annotations

from math import inf

from ..errors import BadPayload, CircuitOpen, DeadEndpoint, Throttled
from ..inspectors.answers import seconds
from ..policies import RetryPolicy
from .breaker import Breaker
from .item import Part
from .outcome import Outcome
from .stock import Stock

__all__ = ["TOO_LONG", "Settlement"]

TOO_LONG = 3_600.0
"""Seconds of Retry-After from which entries go to the fallback instead of waiting."""

_STRIKES = 3
_ONCE = RetryPolicy(retries=0)


class Settlement:
    """The consequences of outcomes, and what a lane has to remember of them.

    Times called `now` are on the monotonic clock.

    Parameters
    ----------
    stock: Where the entries are.
    breaker: What opens when the webhook is the trouble.
    """

    def __init__(self, stock: Stock, breaker: Breaker) -> None:
        self._stock = stock
        self._breaker = breaker
        self.closed = False
        """The service called the endpoint gone: nothing is ever sent again."""
        self.dead = ""
        """What the endpoint said of itself when it took nothing; empty since it took something."""
        self.not_before = -inf
        """The service wants nothing before this time."""
        self.last_delivered = -inf
        self._throttled = 0
        self._drain_failures = 0

    def reset(self) -> None:
        """Forget what stood against the webhook; only a time that the service named is kept."""
        self.closed = False
        self._drain_failures = 0

    def settle(self, outcome: Outcome, now: float, *, trial: bool, draining: bool) -> None:
        """Take the end of the attempt under way: deliver, wait, retry, halve or give up."""
        stock = self._stock
        part, stock.in_flight = stock.in_flight, None
        if part is not None:
            if not isinstance(outcome.error, CircuitOpen):
                stock.books.attempted(outcome.seconds, now, failed=outcome.error is not None)
            self._settle(part, outcome.error, now, trial=trial)
        trial_failed = trial and self._breaker.is_open
        if draining and (self._drain_failures >= 2 or trial_failed):
            stock.drop(stock.withdraw(), "shutdown")

    def _settle(self, part: Part, error: Exception | None, now: float, *, trial: bool) -> None:
        stock = self._stock
        self._breaker.after(error, now)
        if error is None:
            self._drain_failures = self._throttled = 0
            self.last_delivered, self.dead = now, ""
            stock.deliver(part.items, now)
            if part.plain:
                stock.books.steps.take("plain", now)
            return
        text = stock.books.err(error)
        retry_after = seconds(getattr(error, "retry_after", None))
        if retry_after is not None:
            self.not_before = max(self.not_before, now + retry_after)
        if isinstance(error, Throttled):
            self._throttle(part, retry_after, now)
        elif isinstance(error, BadPayload):
            if error.too_large and part.payload is not None:
                for item in part.items:
                    item.too_large = min(item.too_large, len(part.payload.body))
            self.refuse(part, text, now)
        elif isinstance(error, DeadEndpoint):
            self._bury(part, text, gone=error.gone, trial=trial)
        else:
            self._postpone(part, text, now, trial=trial)
        if self.not_before - now > TOO_LONG:
            stock.fail(stock.withdraw(), "told to wait for hours")
        self._drain_failures += not isinstance(error, (BadPayload, Throttled))

    def refuse(self, part: Part, reason: str, now: float) -> None:
        """The service will never take this payload: halve it until the poison is alone, send that plain, give up."""
        if len(part.items) > 1:
            self._halve(part, now)
        elif part.plain:
            self._stock.fail(part.items, reason)
        else:
            part.items[0].plain, part.items[0].refused = True, part.form
            self._stock.waiting.keep(Part(part.items, _ONCE), now)

    def _throttle(self, part: Part, retry_after: float | None, now: float) -> None:
        if not retry_after:  # a service that says 0 would be asked without a pause
            policy = self._stock.policies.retry
            wait = min(policy.max_wait, policy.wait * policy.factor ** min(self._throttled, 64))
            self.not_before = max(self.not_before, now + wait)
        self._throttled += 1
        self._stock.waiting.keep(part, now)

    def _halve(self, part: Part, now: float) -> None:
        middle = len(part.items) // 2
        for items in (part.items[:middle], part.items[middle:]):
            half = Part(items, _ONCE)
            half.first_attempt = part.first_attempt
            self._stock.waiting.keep(half, now)

    def _bury(self, part: Part, why: str, *, gone: bool, trial: bool) -> None:
        stock = self._stock
        self.dead = why
        if gone:
            self.closed = True
            stock.drop(part.items, "endpoint_gone")
            stock.drop(stock.withdraw(), "endpoint_gone")
        elif trial:
            stock.return_(part.items, first=False)  # the next trial gets another one
        else:
            stock.fail(part.items, why)

    def _postpone(self, part: Part, why: str, now: float, *, trial: bool) -> None:
        """It may pass by itself: try again, unless the attempts are used up, or only trials may pass now."""
        stock = self._stock
        if trial or self._breaker.is_open:
            if len(part.items) == 1 and trial and part.items[0].strike(now, self.last_delivered) >= _STRIKES:
                stock.fail(part.items, why)
            elif trial:
                stock.return_(part.items, first=False)  # the same poison again would keep the breaker open for ever
            else:
                stock.return_(part.items, first=True)
            return
        delay = part.plan.delay()
        if delay is not None:
            stock.waiting.keep(part, now + delay)
        elif self.last_delivered < part.first_attempt:
            self._breaker.trip(now)
            stock.return_(part.items, first=True)
        elif len(part.items) > 1:
            self._halve(part, now)
        elif part.items[0].strike(now, self.last_delivered) >= _STRIKES:
            stock.fail(part.items, why)
        else:  # a webhook that fails every other time had bad luck with it; only one that takes others tells of poison
            retry = stock.policies.retry
            stock.waiting.keep(Part(part.items, retry), now + retry.wait)
