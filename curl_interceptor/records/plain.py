"""Whatever somebody hands over, as plain values of bounded size: nothing of theirs is kept, and nothing raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["cut", "plain"]

_MOST = 50  # values of one container
_ALL = 500  # values of all containers together
_DEEPEST = 5


def plain(value: Any, *, longest: int, most: int) -> Any:
    """Return a value that JSON has: containers stay what they are, everything else is a text or a number.

    At most 50 values of a container are kept, 500 of all together, and 5 levels. Of an object `str` is asked, in this
    thread.

    Parameters
    ----------
    value: Anything.
    longest: Most characters of one text.
    most: Most characters of all texts.
    """
    return _Plain(longest, most).of(value, 0)


def cut(text: str, most: int) -> str:
    """Return the head of a text, which ends where a word does if there is an end near by: half a token looks like none.

    What is left out is told by its size.
    """
    if len(text) <= most:
        return text
    head = text[:most]
    end = max(head.rfind(" ", -200), head.rfind("\n", -200))
    head = head[:end] if end > 0 else head
    return f"{head} … ({len(text) - len(head):,} more characters)"


class _Plain:
    """The making of one value, which has a budget."""

    def __init__(self, longest: int, most: int) -> None:
        self._longest = longest
        self._room = most
        self._left = _ALL

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        try:
            return self._made(value, depth)
        except Exception:
            return f"(a {type(value).__name__})"

    def _made(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if type(value) is int and value.bit_length() < 64:
            return value
        if isinstance(value, str):
            return self._cut(str(value))
        if isinstance(value, (bytes, bytearray)):
            return self._cut(bytes(value[: self._longest + 1]).decode("utf-8", "backslashreplace"))
        container = isinstance(value, (Mapping, list, tuple, set, frozenset))
        if container and (depth >= _DEEPEST or self._left <= 0):
            return f"(a {type(value).__name__} of {len(value)})"
        if isinstance(value, Mapping):
            pairs = {self._text(name): self.of(one, depth + 1) for name, one in self._some(value.items())}
            return {**pairs, "…": f"{len(value) - len(pairs)} more"} if len(value) > len(pairs) else pairs
        if container:
            some = [self.of(one, depth + 1) for one in self._some(value)]
            return [*some, f"… {len(value) - len(some)} more"] if len(value) > len(some) else some
        return self._text(value)

    def _some(self, values: Any) -> Any:
        for number, value in enumerate(values):
            if number >= _MOST or self._left <= 0:
                return
            yield value

    def _text(self, value: Any) -> str:
        try:
            return self._cut(str(value))
        except Exception:
            return f"(a {type(value).__name__})"

    def _cut(self, text: str) -> str:
        text = cut(text, min(self._longest, max(0, self._room)))
        self._room -= len(text)
        return text
