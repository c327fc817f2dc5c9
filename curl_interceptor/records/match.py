"""Which exchanges an inspector wants, and the constant-time question that the caller asks first."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any

from ..errors import ConfigurationError
from ..policies import check_number
from .exchange import Exchange, Failure
from .record import Record
from .url import split

__all__ = ["Match", "Screen"]

Pattern = str | re.Pattern[str]
Statuses = int | str | range | Collection[Any]
Errors = bool | str | type[BaseException] | Collection[Any]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[^/@\s]+")
_SPAN = re.compile(r"([1-9])xx|([1-9]\d\d)(?:-([1-9]\d\d))?", re.IGNORECASE)


def _statuses(value: Any) -> frozenset[int]:
    if isinstance(value, str):
        found: set[int] = set()
        for word in re.split(r"[,\s]+", value.strip()):
            span = _SPAN.fullmatch(word)
            if span is None:
                raise ConfigurationError(
                    f"match: statuses must look like '5xx', '404', '400-499' or a list of these, got {value!r}"
                )
            if span[1]:
                found.update(range(int(span[1]) * 100, int(span[1]) * 100 + 100))
            elif int(span[3] or span[2]) < int(span[2]):
                raise ConfigurationError(f"match: statuses {word!r} runs backwards; say '{span[3]}-{span[2]}'")
            else:
                found.update(range(int(span[2]), int(span[3] or span[2]) + 1))
        return frozenset(found)
    if isinstance(value, int) and not isinstance(value, bool):
        if not 100 <= value <= 999:
            raise ConfigurationError(f"match: a status must be from 100 to 999, got {value!r}")
        return frozenset((value,))
    if isinstance(value, Iterable) and not isinstance(value, (bytes, dict)):
        return frozenset().union(*(_statuses(item) for item in value))
    raise ConfigurationError(f"match: statuses must be numbers, ranges or texts such as '5xx', got {value!r}")


def _errors(value: Any) -> bool | tuple[str, ...]:
    if isinstance(value, bool):
        return value
    names = []
    for item in (value,) if isinstance(value, (str, type)) else value if isinstance(value, Iterable) else (None,):
        if isinstance(item, type) and issubclass(item, BaseException):
            names.append(f"{item.__module__}.{item.__qualname__}")
        elif isinstance(item, str) and item.replace(".", "").replace("_", "").isalnum():
            names.append(item)
        else:
            raise ConfigurationError(f"match: errors must be True, False or exception classes, got {value!r}")
    return tuple(names)


def _words(name: str, value: Any, shape: re.Pattern[str], example: str) -> tuple[str, ...]:
    """A text may hold several words, parted by commas or white space."""
    items = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (None,)
    words = [word for item in items if isinstance(item, str) for word in re.split(r"[,\s]+", item.strip())]
    if not words or len(words) < len(items) or not all(shape.fullmatch(word) for word in words):
        raise ConfigurationError(f"match: {name} must be texts such as {example}, got {value!r}")
    return tuple(words)


def _patterns(name: str, value: Any) -> tuple[re.Pattern[str], ...]:
    """A text is a glob over the whole URL, a compiled pattern is searched in it."""
    items = (
        (value,) if isinstance(value, (str, re.Pattern)) else tuple(value) if isinstance(value, Iterable) else (None,)
    )
    made = []
    for item in items:
        if isinstance(item, str) and ("://" in item or item.startswith(("/", "*"))):
            made.append(_glob(item))
        elif isinstance(item, re.Pattern) and isinstance(item.pattern, str):
            made.append(item)
        else:
            raise ConfigurationError(
                f"match: {name} must be globs such as 'https://*/v1/*' or '/v1/*', or compiled patterns, got {value!r}"
            )
    return tuple(made)


def _glob(text: str) -> re.Pattern[str]:
    """A path alone stands for that path on every host, whatever its query."""
    if text.startswith("/"):
        return re.compile(rf"\A[^/]*//[^/?#]*(?:{translate(text)[:-2]})(?:[?#].*)?\Z", re.DOTALL)
    return re.compile(r"\A" + translate(text))


def _check_predicate(predicate: Any) -> None:
    if not callable(predicate):
        raise ConfigurationError(f"match: predicate must be callable, got {predicate!r}")
    try:
        inspect.signature(predicate).bind(None)
    except TypeError:
        raise ConfigurationError("match: predicate must take one argument, the record") from None
    except ValueError:  # a built-in tells nothing of its arguments
        return


@dataclass(frozen=True)
class Screen:
    """What no inspector can want, by its outcome alone; asked in the caller's thread, so constant in time."""

    statuses: frozenset[int] = frozenset()
    errors: bool = False
    slower_than: float = float("inf")
    open: bool = False
    """Everything passes: some match needs to see more than the outcome."""

    def passes(self, status: int, elapsed: float) -> bool:
        """Whether an answered request may be wanted."""
        return status in self.statuses or elapsed > self.slower_than or self.open

    def passes_failure(self, elapsed: float) -> bool:
        """Whether a request that ended in an exception may be wanted."""
        return self.errors or elapsed > self.slower_than

    def __or__(self, other: Screen) -> Screen:
        return Screen(
            self.statuses | other.statuses,
            self.errors or other.errors,
            min(self.slower_than, other.slower_than),
            self.open or other.open,
        )


@dataclass(frozen=True)
class Match:
    """Which exchanges are wanted.

    The outcome conditions `statuses`, `errors` and `slower_than` are alternatives: one that holds is enough. With none
    of them given, failures are wanted (statuses 400 to 599, and exceptions), or, if there is a predicate, whatever it
    says. All other conditions narrow the choice.

    Parameters
    ----------
    statuses:
        Numbers, ranges, or texts such as `"5xx"`, `"404"`, `"400-499"`, or a list of these.
    errors:
        True for every exception of the call; or exception classes, or their names (`"Timeout"`): an exception is
        wanted if its class, or a base of it, is among them.
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
        A callable that gets the `Record` and says whether it is wanted. It is asked last, in the background; while it
        blocks, the delivery waits. If it raises, the record is not wanted and the error is counted.

    Raises
    ------
    ConfigurationError
        If a value cannot mean anything.
    """

    statuses: Statuses | None = None
    errors: Errors | None = None
    slower_than: float | None = None
    methods: str | Collection[str] | None = None
    hosts: str | Collection[str] | None = None
    include: Pattern | Collection[Pattern] | None = None
    exclude: Pattern | Collection[Pattern] | None = None
    sample: float | None = None
    predicate: Callable[[Record], bool] | None = None
    _statuses: frozenset[int] = field(init=False, repr=False, compare=False, default=frozenset())
    _errors: bool | tuple[str, ...] = field(init=False, repr=False, compare=False, default=False)
    _hosts: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False, default=())
    _include: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False, default=())
    _exclude: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False, default=())
    _methods: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        def keep(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        if self.predicate is not None:
            _check_predicate(self.predicate)
        if self.slower_than is not None:
            check_number("match: slower_than", self.slower_than, minimum=0, maximum=86_400, unit="seconds")
        if self.sample is not None:
            check_number("match: sample", self.sample, minimum=0, maximum=1)
        if self.has_outcome:
            keep("_statuses", _statuses(self.statuses) if self.statuses is not None else frozenset())
            keep("_errors", _errors(self.errors) if self.errors is not None else False)
            if not (self._statuses or self._errors or self.slower_than is not None):
                raise ConfigurationError(
                    "match: neither a status nor an error nor slow calls are wanted, so nothing is"
                )
        else:
            keep("_statuses", frozenset(range(400, 600)))
            keep("_errors", True)
        if self.methods is not None:
            methods = _words("methods", self.methods, _TOKEN, "'POST'")
            keep("_methods", frozenset(word.upper() for word in methods))
        if self.hosts is not None:
            hosts = _words("hosts", self.hosts, _HOST, "'api.example.com' or '*.example.com:8443'")
            keep("_hosts", tuple(re.compile(translate(host.lower())) for host in hosts))
        if self.include is not None:
            keep("_include", _patterns("include", self.include))
        if self.exclude is not None:
            keep("_exclude", _patterns("exclude", self.exclude))

    @property
    def has_outcome(self) -> bool:
        """Whether an outcome condition was given."""
        return any(value is not None for value in (self.statuses, self.errors, self.slower_than))

    def screen(self) -> Screen:
        """What the caller's thread can decide already."""
        if self.predicate is not None and not self.has_outcome:
            return Screen(errors=True, open=True)
        slower_than = float("inf") if self.slower_than is None else self.slower_than
        return Screen(self._statuses, bool(self._errors), slower_than)

    def wants(self, exchange: Exchange, *, sampled: bool = True) -> bool:
        """Whether the exchange is wanted, the predicate left aside; `sampled=False` leaves nothing to chance."""
        if not (self._wants_outcome(exchange) and self._wants_headline(exchange)):
            return False
        return self.sample is None or not sampled or random.random() < self.sample

    def _wants_outcome(self, exchange: Exchange) -> bool:
        if self.predicate is not None and not self.has_outcome:
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
