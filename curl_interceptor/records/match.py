"""
Which exchanges an inspector wants: conditions, and what `&`, `|` and `~` make of them.

An expression is decided in two steps. What the headline of an exchange tells comes first and is free; predicates are
asked only if it leaves the matter open, since they need the record, which has to be redacted for them. In between, a
third answer stands for "not known": a predicate that was not asked yet, or one that raised.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from math import inf
from typing import NamedTuple, Protocol

from ..errors import ConfigurationError
from ..policies import check_callable, check_number, check_policy
from .conditions import (
    Errors,
    Patterns,
    Statuses,
    Words,
    read_errors,
    read_hosts,
    read_methods,
    read_patterns,
    read_statuses,
)
from .exchange import Exchange, Failure
from .record import Record
from .screen import EVERYTHING, STATUSES, Screen
from .url import split

__all__ = ["Match", "Matcher", "Predicate", "Wanting", "as_match"]


class Wanting(Protocol):
    """Anybody's match."""

    def wants(self, record: Record, /) -> object:
        """Whether a record is wanted."""


Predicate = Callable[[Record], object]
Ask = Callable[[Predicate], "bool | None"]

_DEEPEST = 100  # expressions in expressions; deeper ones would meet the bound of Python's own stack one day


class _Look(NamedTuple):
    """One exchange, and what is known of it while an expression is decided.

    `ask` answers for a predicate, None if it does not know; without it, no predicate is asked.
    """

    exchange: Exchange
    ask: Ask | None
    drawn: dict[int, bool]
    """What chance said to each match: it is asked once, however often the match stands in the expression."""

    def happens(self, match: Match, share: float, luck: bool | None) -> bool:
        """Whether chance chooses this exchange; `luck` leaves nothing to it."""
        if luck is not None:
            return luck
        return self.drawn.setdefault(id(match), random.random() < share)

    @property
    def silent(self) -> _Look:
        """The same without predicates."""
        return self if self.ask is None else self._replace(ask=None)


class Matcher:
    """What a `Match` is, and what `&`, `|` and `~` make of matches: it says which exchanges are wanted.

    `a & b` wants what both want, `a | b` what at least one of them wants, and `~a` exactly what `a` does not.
    """

    def screen(self) -> Screen:
        """What the caller's thread can decide already."""
        raise NotImplementedError

    def wants(self, exchange: Exchange, ask: Ask | None = None, *, sampled: bool = True) -> bool:
        """Whether the exchange is wanted.

        Parameters
        ----------
        exchange: The exchange.
        ask:
            Answers for a predicate, None if it does not know; called only if nothing else decides. Without it the
            answer says whether the exchange may be wanted.
        sampled: False leaves nothing to chance: what chance might take away is wanted.
        """
        luck = None if sampled else True
        look = _Look(exchange, None, {})
        found = self._decide(look, luck)
        if found is None:
            return ask is None or self._decide(look._replace(ask=ask), luck) is True
        return found

    def _decide(self, look: _Look, luck: bool | None) -> bool | None:
        """Whether it is wanted; None if that is not known. `luck` is what chance says, None to draw lots."""
        raise NotImplementedError

    def _negated(self) -> Matcher:
        raise NotImplementedError

    @property
    def _depth(self) -> int:
        return 1

    def __and__(self, other: object) -> Matcher:
        return _joined(_All, self, other)

    def __rand__(self, other: object) -> Matcher:
        return _joined(_All, other, self)

    def __or__(self, other: object) -> Matcher:
        return _joined(_Any, self, other)

    def __ror__(self, other: object) -> Matcher:
        return _joined(_Any, other, self)

    def __invert__(self) -> Matcher:
        return self._negated()

    def __bool__(self) -> bool:
        raise TypeError("a match is neither true nor false: say a & b, a | b, ~a instead of a and b, a or b, not a")


@dataclass(frozen=True, repr=False)
class Match(Matcher):
    """Which exchanges are wanted.

    The outcome conditions `statuses`, `errors` and `slower_than` are alternatives: one that holds is enough. With none
    of them given, failures are wanted (statuses 400 to 599, and exceptions), or, if there is a predicate, whatever it
    says. All other conditions narrow the choice.

    Matches are joined with `&`, `|` and `~`. Each of them means in an expression what it means by itself: so
    `~Match(hosts="x")` wants everything but failures of x, successes included, and failures but not those of x are
    `Match() & ~Match(hosts="x")`. Two matches are equal if their conditions mean the same.

    Parameters
    ----------
    statuses:
        Numbers, ranges, or texts such as `"5xx"`, `"404"`, `"400-499"`, or a list of these.
    errors:
        True for every exception of the call; or exception classes, or their names (`"Timeout"`): an exception is
        wanted if its class, or a base of it, is among them. A class that is not imported yet is named with its whole
        path (`"myapp.errors.Refused"`).
    slower_than:
        Seconds until the response's headers came, or until the call failed, 0 to 86,400.
    methods:
        Such as `"POST"` or `["PUT", "POST"]`; case does not count.
    hosts:
        Host names; `"*.example.com"` is a glob. Case does not count, and the port only if one is given.
    include, exclude:
        URLs that are wanted or not: a text is a glob over the whole URL (`"https://*/v1/*"`) or, if it begins with a
        slash, over its path (`"/v1/*"`); a compiled `re.Pattern` is searched in the URL.
    sample:
        Share of the exchanges that is wanted, 0 to 1, chosen by chance.
    predicate:
        A callable that gets the `Record` and says whether it is wanted. It is asked last, in the background, and at
        most once for a record; while it blocks, the delivery waits. If it raises, its answer is not known, the error
        is counted, and what hangs on the answer is not wanted.

    Raises
    ------
    ConfigurationError
        If a value cannot mean anything.
    """

    statuses: Statuses | None = field(default=None, compare=False)
    errors: Errors | None = field(default=None, compare=False)
    slower_than: float | None = None
    methods: Words | None = field(default=None, compare=False)
    hosts: Words | None = field(default=None, compare=False)
    include: Patterns | None = field(default=None, compare=False)
    exclude: Patterns | None = field(default=None, compare=False)
    sample: float | None = None
    predicate: Predicate | None = field(default=None, hash=False)
    _statuses: frozenset[int] = field(init=False, default=frozenset())
    _errors: bool | frozenset[str] = field(init=False, default=False)
    _every_outcome: bool = field(init=False, default=False)
    _methods: frozenset[str] = field(init=False, default=frozenset())
    _hosts: frozenset[re.Pattern[str]] = field(init=False, default=frozenset())
    _include: frozenset[re.Pattern[str]] = field(init=False, default=frozenset())
    _exclude: frozenset[re.Pattern[str]] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        def keep(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        if self.predicate is not None:
            check_callable("match: predicate", self.predicate, "the record")
        if self.slower_than is not None:
            check_number("match: slower_than", self.slower_than, minimum=0, maximum=86_400, unit="seconds")
        if self.sample is not None:
            check_number("match: sample", self.sample, minimum=0, maximum=1)
        if self.has_outcome:
            keep("_statuses", read_statuses(self.statuses) if self.statuses is not None else frozenset())
            keep("_errors", read_errors(self.errors) if self.errors is not None else False)
            if not (self._statuses or self._errors or self.slower_than is not None):
                raise ConfigurationError(
                    "match: neither a status nor an error nor slow calls are wanted, so nothing is"
                )
        elif self.predicate is not None:
            keep("_every_outcome", True)
        else:
            keep("_statuses", frozenset(range(400, 600)))
            keep("_errors", True)
        if self.methods is not None:
            keep("_methods", read_methods(self.methods))
        if self.hosts is not None:
            keep("_hosts", read_hosts(self.hosts))
        if self.include is not None:
            keep("_include", read_patterns("include", self.include))
        if self.exclude is not None:
            keep("_exclude", read_patterns("exclude", self.exclude))

    def __repr__(self) -> str:
        given = ((each.name, getattr(self, each.name)) for each in fields(self) if each.init)
        return f"Match({', '.join(f'{name}={value!r}' for name, value in given if value is not None)})"

    @property
    def has_outcome(self) -> bool:
        """Whether an outcome condition was given. Without one, failures are meant, or whatever the predicate says."""
        return any(value is not None for value in (self.statuses, self.errors, self.slower_than))

    def screen(self) -> Screen:
        """What the caller's thread can decide already."""
        if self._every_outcome:
            return EVERYTHING
        return Screen(self._statuses, bool(self._errors), inf if self.slower_than is None else self.slower_than)

    def _screen_of_others(self) -> Screen:
        """What the caller's thread can decide about what this match does not want."""
        narrowed = self._methods or self._hosts or self._include or self._exclude
        if narrowed or self.sample is not None or self.predicate is not None:
            return EVERYTHING
        return Screen(STATUSES - self._statuses, errors=self._errors is not True, others=True)

    def _negated(self) -> Matcher:
        return _Not(self)

    def _decide(self, look: _Look, luck: bool | None) -> bool | None:
        exchange = look.exchange
        if not (self._wants_outcome(exchange) and self._wants_headline(exchange)):
            return False
        if self.sample is not None and self.sample < 1 and not look.happens(self, self.sample, luck):
            return False
        if self.predicate is None:
            return True
        return None if look.ask is None else look.ask(self.predicate)

    def _wants_outcome(self, exchange: Exchange) -> bool:
        if self._every_outcome:
            return True
        if self.slower_than is not None and exchange.elapsed > self.slower_than:
            return True
        if exchange.failure is not None and self._wants_failure(exchange.failure):
            return True
        return exchange.response is not None and exchange.response.status in self._statuses

    def _wants_failure(self, failure: Failure) -> bool:
        if isinstance(self._errors, bool):
            return self._errors
        short = {kind.rpartition(".")[2] for kind in failure.kinds}
        return any(kind in failure.kinds or kind in short for kind in self._errors)

    def _wants_headline(self, exchange: Exchange) -> bool:
        request = exchange.request
        if self._methods and request.method.upper() not in self._methods:
            return False
        if self._hosts:
            parts = split(request.url)
            if not any(pattern.match(parts.host) or pattern.match(parts.authority) for pattern in self._hosts):
                return False
        url = request.url
        if self._include and not any(pattern.search(url) for pattern in self._include):
            return False
        return not any(pattern.search(url) for pattern in self._exclude)


@dataclass(frozen=True, repr=False)
class _Not(Matcher):
    """`~match`. Only single matches are negated: `~(a | b)` is kept as `~a & ~b`, which the screen can judge."""

    match: Match

    def __repr__(self) -> str:
        return f"~{self.match!r}"

    def screen(self) -> Screen:
        """What the caller's thread can decide already."""
        return self.match._screen_of_others()

    def _negated(self) -> Matcher:
        return self.match

    def _decide(self, look: _Look, luck: bool | None) -> bool | None:
        # What chance takes away here is wanted of the match itself, so where nothing is left to chance it says no.
        found = self.match._decide(look, None if luck is None else not luck)
        return None if found is None else not found


@dataclass(frozen=True, repr=False)
class _Joined(Matcher):
    """Several matches of which one may decide for all."""

    parts: tuple[Matcher, ...]

    sign = ""
    decisive = False
    """The answer of one part that is the answer of the whole."""

    def __post_init__(self) -> None:
        if self._depth > _DEEPEST:
            raise ConfigurationError(f"match: over {_DEEPEST} expressions stand in each other; say it in fewer steps")

    @property
    def _depth(self) -> int:
        return 1 + max(part._depth for part in self.parts)

    def __repr__(self) -> str:
        # & binds closer than |
        return f" {self.sign} ".join(f"({part!r})" if type(part) is _Any else repr(part) for part in self.parts)

    def _decide(self, look: _Look, luck: bool | None) -> bool | None:
        unknown: list[Matcher] = []
        for part in self.parts:
            found = part._decide(look.silent, luck)
            if found is self.decisive:
                return found
            if found is None:
                unknown.append(part)
        if not unknown:
            return not self.decisive
        if look.ask is None:
            return None
        answers = []
        for part in unknown:
            found = part._decide(look, luck)
            if found is self.decisive:
                return found
            answers.append(found)
        return None if None in answers else not self.decisive


class _All(_Joined):
    """`a & b`."""

    sign = "&"
    decisive = False

    def screen(self) -> Screen:
        """What the caller's thread can decide already."""
        screen = EVERYTHING
        for part in self.parts:
            screen &= part.screen()
        return screen

    def _negated(self) -> Matcher:
        return _Any(tuple(~part for part in self.parts))


class _Any(_Joined):
    """`a | b`."""

    sign = "|"
    decisive = True

    def screen(self) -> Screen:
        """What the caller's thread can decide already."""
        screen = Screen()
        for part in self.parts:
            screen |= part.screen()
        return screen

    def _negated(self) -> Matcher:
        return _All(tuple(~part for part in self.parts))


def _joined(kind: type[_Joined], *given: object) -> Matcher:
    parts: list[Matcher] = []
    for one in given:
        if not _can_match(one):
            return NotImplemented  # type: ignore[no-any-return]
        part = as_match("match", one)
        parts += part.parts if isinstance(part, kind) else (part,)
    return kind(tuple(parts))


def _can_match(value: object) -> bool:
    return isinstance(value, Matcher) or (not isinstance(value, type) and callable(getattr(value, "wants", None)))


def as_match(name: str, value: object) -> Matcher:
    """Return a match, or refuse what is none.

    Any object with a method `wants(record)` will do: it is asked about every exchange, as a predicate is.

    Raises
    ------
    ConfigurationError
        If it is no match; the message names the argument.
    """
    if isinstance(value, Matcher):
        return value
    if not _can_match(value):
        check_policy(name, value, Match, hint="say match=Match(statuses='5xx')")
    wants: Predicate = value.wants  # type: ignore[attr-defined]
    return Match(predicate=wants)
