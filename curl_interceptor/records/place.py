"""A place in somebody's code, and how it is written down without telling whose computer it is."""

from __future__ import annotations

import os
import sys
import sysconfig
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Place", "is_apps", "is_installed", "shown_file"]

_STDLIB = tuple({sysconfig.get_paths()[name] + os.sep for name in ("stdlib", "platstdlib")})
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_LONGEST = 200


class Place(NamedTuple):
    """A line of code, as a frame names it."""

    file: str
    line: int
    function: str

    @property
    def shown(self) -> str:
        """The place in one line, such as "shop/views.py:42 in charge"."""
        return f"{shown_file(self.file)}:{self.line} in {self.function[:_LONGEST]}"


@lru_cache(maxsize=1_000)
def is_apps(file: str) -> bool:
    """Whether a file is the app's own: neither of the standard library nor of an installed package."""
    return not is_installed(file) and not file.startswith((*_STDLIB, "<frozen "))


def is_installed(file: str) -> bool:
    """Whether a file is one of an installed package."""
    return any(folder in file for folder in _PACKAGES)


@lru_cache(maxsize=1_000)
def shown_file(file: str) -> str:
    """Return a file's path from where it is imported or the process runs; of any other path the last two names.

    A path from the root would tell the names of users and machines.
    """
    if file.startswith("<"):  # such as <stdin>
        return file[:_LONGEST]
    for folder in _PACKAGES:
        if folder in file:
            return _with_slashes(file.rpartition(folder)[2])
    for root in sorted(_roots(), key=len, reverse=True):
        if file.startswith(root):
            return _with_slashes(file[len(root) :])
    parts = _with_slashes(os.path.normpath(file)).split("/")
    return "/".join(parts[-2:]) if os.path.isabs(file) else _with_slashes(file)


def _roots() -> set[str]:
    """Folders below which a path tells only of code."""
    roots = {path for path in (*sys.path, *_STDLIB) if isinstance(path, str) and os.path.isabs(path)}
    with suppress(OSError):  # it was deleted
        roots.add(os.getcwd())
    homes = os.path.dirname(os.path.expanduser("~"))
    return {path.rstrip(os.sep) + os.sep for path in roots if path.rstrip(os.sep) not in ("", homes.rstrip(os.sep))}


def _with_slashes(path: str) -> str:
    return path.replace(os.sep, "/")[-_LONGEST:]
