"""The conditions of a match as a user writes them, read into sets and patterns that can be asked."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable
from fnmatch import translate
from types import ModuleType
from typing import Any, NoReturn

from ..errors import ConfigurationError
from ..policies import shown
from .patterns import lazy

__all__ = [
    "Errors",
    "Patterns",
    "Statuses",
    "Words",
    "read_errors",
    "read_hosts",
    "read_methods",
    "read_patterns",
    "read_statuses",
]

Statuses = int | str | range | Collection[Any]
Errors = bool | str | type[BaseException] | Collection[Any]
Words = str | Collection[str]
Patterns = str | re.Pattern[str] | Collection[str | re.Pattern[str]]

_TOKEN = lazy(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = lazy(r"[^/@\s]+")
_SPAN = lazy(r"([1-9])xx|([1-9]\d\d)(?:-([1-9]\d\d))?", re.IGNORECASE | re.ASCII)


def read_statuses(value: Any) -> frozenset[int]:
    """Return the statuses that are meant by numbers, ranges, texts such as "5xx", or a list of these."""
    if isinstance(value, str):
        return frozenset().union(*(_span(word, value) for word in re.split(r"[,\s]+", value.strip())))
    if isinstance(value, int) and not isinstance(value, bool):
        if not 100 <= value <= 999:
            raise ConfigurationError(f"match: a status must be from 100 to 999, got {shown(value)}")
        return frozenset((value,))
    if isinstance(value, range) and len(value) > 900:  # before anybody walks along it
        raise ConfigurationError(f"match: a status must be from 100 to 999, got {shown(value)}")
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, dict)):
        return frozenset().union(*(read_statuses(item) for item in value))
    raise ConfigurationError(f"match: statuses must be numbers, ranges or texts such as '5xx', got {shown(value)}")


def _span(word: str, whole: str) -> range:
    span = _SPAN.fullmatch(word)
    if span is None:
        raise ConfigurationError(
            f"match: statuses must look like '5xx', '404', '400-499' or a list of these, got {shown(whole)}"
        )
    if span[1]:
        return range(int(span[1]) * 100, int(span[1]) * 100 + 100)
    first, last = int(span[2]), int(span[3] or span[2])
    if last < first:
        raise ConfigurationError(f"match: statuses {word!r} runs backwards; say '{last}-{first}'")
    return range(first, last + 1)


def read_errors(value: Any) -> bool | frozenset[str]:
    """Return whether every exception is meant, or the names of their classes."""
    if isinstance(value, bool):
        return value
    names = []
    for item in _items(value, (str, type)):
        if isinstance(item, type) and _is_error(item):
            names.append(_path(item))
        elif isinstance(item, str) and item.replace(".", "").replace("_", "").isalnum():
            names.append(_error_at(item) if "." in item else _known_error(item))
        else:
            raise ConfigurationError(f"match: errors must be True, False or exception classes, got {shown(value)}")
    return frozenset(names)


def _path(error: type) -> str:
    return f"{error.__module__}.{error.__qualname__}"


def _error_at(path: str) -> str:
    """Return the path under which an exception is known that may have been imported from elsewhere.

    A path that leads to nothing may be that of a class to come, unless its module is there and says that it has none.
    """
    place, _, name = path.rpartition(".")
    module = sys.modules.get(place)
    if type(module) is not ModuleType:  # not there, or one of those that find their names late
        return path
    names = vars(module).copy()
    if _is_error(names.get(name)):
        return _path(names[name])
    begun = getattr(names.get("__spec__"), "_initializing", False)
    if begun or "__getattr__" in names or path in map(_path, _descendants(BaseException)):
        return path
    return _refuse_error(name, {key for key, found in names.items() if _is_error(found)})


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _known_error(name: str) -> str:
    """Return the name of an exception without its module, if there is one of that name."""
    known = {error.__name__ for error in _descendants(BaseException)}
    return name if name in known else _refuse_error(name, known)


def _refuse_error(name: str, known: set[str]) -> NoReturn:
    from difflib import get_close_matches  # for whoever made a mistake, so that nobody else waits for it

    close = get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    raise ConfigurationError(
        "match: errors has a name that no exception has"
        + (f"; did you mean {close[0]!r}?" if close else "")
        + "; one whose module is imported later needs its whole path, such as 'myapp.errors.Refused'"
    )


def _descendants(kind: type[BaseException]) -> set[type[BaseException]]:
    found, ahead = {kind}, [kind]
    while ahead:
        new = set(type.__subclasses__(ahead.pop())) - found
        found |= new
        ahead += new
    return found


def read_methods(value: Any) -> frozenset[str]:
    """Return the methods, in capitals."""
    return frozenset(word.upper() for word in _words("methods", value, _TOKEN, "'POST'"))


def read_hosts(value: Any) -> frozenset[re.Pattern[str]]:
    """Return patterns that match a whole host in lower case, with its port if they name one."""
    words = _words("hosts", value, _HOST, "'api.example.com' or '*.example.com:8443'")
    return frozenset(re.compile(translate(word.lower())) for word in words)


def read_patterns(name: str, value: Any) -> frozenset[re.Pattern[str]]:
    """Return patterns to be searched in a URL: a text is a glob over all of it, a compiled pattern stays as it is."""
    made = []
    for item in _items(value, (str, re.Pattern)):
        if isinstance(item, str) and ("://" in item or item.startswith(("/", "*"))):
            made.append(_glob(item))
        elif isinstance(item, re.Pattern) and isinstance(item.pattern, str):
            made.append(item)
        else:
            raise ConfigurationError(
                f"match: {name} must be globs such as 'https://*/v1/*' or '/v1/*', or compiled patterns, "
                f"got {shown(value)}"
            )
    if not made:
        raise ConfigurationError(f"match: {name} is empty; name a glob such as '/v1/*', or leave {name} out")
    return frozenset(made)


def _glob(text: str) -> re.Pattern[str]:
    """A path alone stands for that path on every host, whatever its query."""
    if text.startswith("/"):
        return re.compile(rf"\A[^/]*//[^/?#]*(?:{translate(text)[:-2]})(?:[?#].*)?\Z", re.DOTALL)
    return re.compile(r"\A" + translate(text))


def _words(name: str, value: Any, shape: re.Pattern[str], example: str) -> list[str]:
    """A text may hold several words, parted by commas or white space."""
    items = _items(value, (str,))
    words = [word for item in items if isinstance(item, str) for word in re.split(r"[,\s]+", item.strip())]
    if not words or len(words) < len(items) or not all(shape.fullmatch(word) for word in words):
        raise ConfigurationError(f"match: {name} must be texts such as {example}, got {shown(value)}")
    return words


def _items(value: Any, single: tuple[type, ...]) -> tuple[Any, ...]:
    """One value is a list of one; what is no list at all is a list of something that fits nowhere."""
    if isinstance(value, single):
        return (value,)
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)) else (None,)
