"""What may be given where an inspector is wanted: one, a webhook URL, a factory, or the dotted path of any of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

from ..errors import ConfigurationError
from ..policies import shown
from ..records.patterns import lazy
from .base import Inspector
from .lazy import LazyInspector
from .logger import LoggingInspector
from .options import is_off
from .recognise import inspector_for
from .shaped import has_shape, shaped

__all__ = ["inspectors_from", "is_dotted_path", "load"]

_REMEDY = "a dotted path names a module and what is in it; a webhook URL begins with https://"
# Names as people write them, in snake_case or CamelCase.
_NAME = lazy(r"_{0,2}(?:[a-z]+[0-9]{0,3}(?:_[a-z]+[0-9]{0,3})*|[a-z]*(?:[A-Z][a-z]+|[A-Z]{2,5}){1,5}|[A-Z_]+)_{0,2}")


def inspectors_from(given: Any) -> list[Inspector | None]:
    """Return the inspectors of an adapter, and None in the place of each that is off: None or an empty text.

    Raises
    ------
    ConfigurationError
        If one of them can be no inspector, or its dotted path cannot be imported.
    """
    if given == () or given == []:
        return [LoggingInspector()]
    single = given is None or isinstance(given, str) or has_shape(given) or callable(given)
    items: Iterable[Any] = (given,) if single else given
    if not isinstance(items, Iterable):
        raise ConfigurationError(f"inspectors must be a list of inspectors or webhook URLs, got {shown(given)}")
    found: list[Inspector | None] = []
    for item in _flat(items):
        if isinstance(item, str) and is_dotted_path(item):
            item = load("inspectors", item)
        found.append(None if is_off(item) else _inspector(item))
    return found


def _flat(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the items, and those of a list among them, such as `Inspector.each` returns."""
    for item in items:
        if isinstance(item, (list, tuple)):
            yield from item
        else:
            yield item


def _inspector(item: Any) -> Inspector:
    if isinstance(item, str):
        return inspector_for(item)
    if has_shape(item):
        return shaped(item)
    if callable(item):
        return LazyInspector(item)
    lacks = " without payloads(entries, *, plain)" if hasattr(item, "address") else ""
    raise ConfigurationError(
        f"inspectors must be inspectors, webhook URLs, dotted paths or factories, got {shown(item)}{lacks}"
    )


def is_dotted_path(text: str) -> bool:
    """Whether a text names something in a module, such as "myapp.alerts.inspector"; no URL does."""
    parts = text.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def load(name: str, path: str) -> Any:
    """Import what a dotted path names; `name` is the argument in which it was given.

    Raises
    ------
    ConfigurationError
        If it cannot be imported; its cause is what Python said.
    """
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:length])
        try:
            found = import_module(module)
        except ModuleNotFoundError as error:
            if length > 1 and error.name and (module == error.name or module.startswith(f"{error.name}.")):
                continue  # the rest names something inside of something
            if error.name == parts[0] and not _reads_as_path(parts):
                raise ConfigurationError(
                    f"{name}: a text with dots in it was given, which cannot be imported; {_REMEDY}"
                ) from None  # what Python said repeats a part of it
            raise ConfigurationError(f"{name}: {path!r} cannot be imported ({error}); {_REMEDY}") from error
        except Exception as error:
            kind = type(error).__name__
            raise ConfigurationError(f"{name}: {path!r} cannot be imported: its module raised {kind}") from error
        try:
            for part in parts[length:]:
                found = getattr(found, part)
        except AttributeError as error:
            raise ConfigurationError(f"{name}: {path!r} cannot be imported ({error}); {_REMEDY}") from error
        return found
    raise AssertionError("a path has at least two parts")


def _reads_as_path(parts: Sequence[str]) -> bool:
    """Whether somebody would name modules so; a token with dots in it reads otherwise."""
    return sum(map(len, parts)) <= 200 and all(len(part) <= 50 and _NAME.fullmatch(part) for part in parts)
