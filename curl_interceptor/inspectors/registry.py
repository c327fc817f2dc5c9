"""Finding the inspectors: the folder's own listing, so that a new service is a new file and nothing else."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from .base import Inspector

__all__ = ["inspector_class", "names"]

_NOT_INSPECTORS = frozenset(
    """
    answers base document formats given held lazy message multipart options plugins quota readable
    recognise registry restore shaped signature
    """.split()  # noqa: SIM905
)


def names() -> tuple[str, ...]:
    """Return the names of the files that hold an inspector."""
    folder = str(Path(__file__).parent)
    return tuple(sorted(found.name for found in pkgutil.iter_modules([folder]) if found.name not in _NOT_INSPECTORS))


@cache
def inspector_class(name: str) -> type[Inspector]:
    """Return the class that a file holds under the name `INSPECTOR`."""
    made: type[Inspector] = import_module(f"{__package__}.{name}").INSPECTOR
    return made
