"""Patterns that are compiled when they are first asked: there are many, and most processes meet the texts of few."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

__all__ = ["lazy"]


class _Pattern:
    """Stands in for a compiled pattern until one of its methods is asked for, and remembers the method then.

    Two threads that ask first at the same time compile it twice, and get the same.
    """

    def __init__(self, text: str | bytes, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, value)
        return value


def lazy(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a pattern that works like that of `re.compile`."""
    return cast("re.Pattern[AnyStr]", _Pattern(text, flags))
