"""Finding a dialect by its name: the folder's own listing, so that a new dialect is a new file and nothing else."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ..errors import ConfigurationError
from ..records.record import Record
from .dialect import Dialect

__all__ = ["names", "render"]

_NOT_DIALECTS = frozenset({"dialect", "registry", "quoting"})


def names() -> tuple[str, ...]:
    """Return the names of all dialects."""
    folder = str(Path(__file__).parent)
    return tuple(sorted(found.name for found in pkgutil.iter_modules([folder]) if found.name not in _NOT_DIALECTS))


@cache
def _dialect(name: str) -> Dialect:
    if name not in names():
        raise ConfigurationError(f"dialect must be one of {', '.join(names())}, got {name!r}")
    made: Dialect = import_module(f"{__package__}.{name}").DIALECT
    return made


_dialect("posix")  # up front: a first import in a thread, at the moment of a fork, hangs the child


def render(record: Record, *, dialect: str = "posix") -> str:
    """Return the record written down in a dialect.

    Raises
    ------
    ConfigurationError
        If there is no such dialect.
    """
    return _dialect(dialect).render(record)
