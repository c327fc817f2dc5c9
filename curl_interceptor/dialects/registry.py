"""Finding a dialect by its name: the folder's own listing, so that a new dialect is a new file and nothing else."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ..errors import ConfigurationError
from ..policies import shown
from ..records.record import Record
from .dialect import STYLES, Dialect, Style

__all__ = ["names", "refuse", "render"]

_NOT_DIALECTS = frozenset({"command", "dialect", "quoting", "registry", "request", "shell"})


def names() -> tuple[str, ...]:
    """Return the names of all dialects."""
    folder = str(Path(__file__).parent)
    return tuple(sorted(found.name for found in pkgutil.iter_modules([folder]) if found.name not in _NOT_DIALECTS))


@cache
def _dialect(name: str) -> Dialect:
    if name not in names():
        raise ConfigurationError(f"dialect must be one of {', '.join(names())}, got {shown(name)}")
    made: Dialect = import_module(f"{__package__}.{name}").DIALECT
    return made


_dialect("posix")  # up front: a first import in a thread, at the moment of a fork, hangs the child


def render(record: Record, *, dialect: str = "posix", style: Style = "exact") -> str:
    """Return the record written down in a dialect.

    What cannot be sent again, or cannot be written down in this dialect, gives a remark that says why.

    Parameters
    ----------
    record: What is written down.
    dialect: `"posix"` (the default), `"bash"`, `"powershell"`, `"cmd"`, `"httpie"`, `"python"`, `"raw"` or `"har"`.
    style: `"exact"` (the default), `"readable"` or `"compact"`; `"raw"` and `"har"` are the same in each.

    Raises
    ------
    ConfigurationError
        If there is no such dialect or style.
    """
    if not isinstance(record, Record):
        raise ConfigurationError(f"render() takes a record, got a {type(record).__name__}")
    chosen = _checked(dialect, style)
    try:
        return chosen.render(record, style)
    except Exception as error:
        # Whoever makes a record by hand may put anything into it; the type of the error tells nothing of its content.
        return chosen.remark(f"not runnable: the record holds what no request has ({type(error).__name__})")


def refuse(sentence: str, *, dialect: str, style: Style) -> str:
    """Return a sentence in the place of what a dialect cannot write down.

    Raises
    ------
    ConfigurationError
        If there is no such dialect or style.
    """
    return _checked(dialect, style).remark(f"not runnable: {sentence}")


def _checked(dialect: str, style: Style) -> Dialect:
    if not isinstance(dialect, str):
        raise ConfigurationError(f"dialect must be one of {', '.join(names())}, got {shown(dialect)}")
    if style not in STYLES:
        raise ConfigurationError(f"style must be one of {', '.join(STYLES)}, got {shown(style)}")
    return _dialect(dialect)
