"""One message for many equal ones: what waits with one fingerprint is folded into one while a lane is crowded."""

from __future__ import annotations

from .batch import Batch
from .item import Item

__all__ = ["Digests"]


class Digests:
    """Finds the entries that another one can stand for.

    The last one of each fingerprint stays and carries the count of the others, and since when they came. What is
    critical stays as it is, and what the service refused in some form.

    Parameters
    ----------
    line: The entries that wait and are not under way; only these are folded.
    """

    def __init__(self, line: Batch[Item]) -> None:
        self._line = line
        self._last: dict[str, Item] = {}

    def fold(self, item: Item) -> Item | None:
        """Let an entry stand for its equal that waits already; return that one, which is told by a count now."""
        if not item.foldable:
            return None
        fingerprint = item.entry.fingerprint
        earlier = self._last.get(fingerprint)
        self._last[fingerprint] = item
        if len(self._last) > 2 * len(self._line) + 100:  # most of these have gone
            self._last = {key: last for key, last in self._last.items() if last in self._line}
        if earlier is None or earlier not in self._line or not earlier.foldable or earlier.fallbacks != item.fallbacks:
            return None
        item.stand_for(earlier)
        return earlier

    def fold_all(self) -> list[Item]:
        """Fold everything that waits; return those that are told by a count now."""
        self.forget()
        return [folded for item in list(self._line) if (folded := self.fold(item)) is not None]

    def forget(self) -> None:
        """Look for no equals any more until `fold_all`."""
        self._last = {}
