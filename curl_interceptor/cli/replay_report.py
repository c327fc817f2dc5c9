"""What a replay tells: a bar on a terminal, now and then a line elsewhere, and at the end the sum."""

from __future__ import annotations

from collections import Counter
from time import monotonic

from .replay_batches import Batch, Batches
from .replay_state import Progress
from .terminal import Terminal

__all__ = ["Reporter"]

_NAMED = 20  # lines that are told of one by one
_TELL_EVERY = 30.0  # seconds, where no terminal shows a bar
_BAR = 24


class Reporter:
    """Tells of replays: a bar on a terminal, now and then a line elsewhere.

    Parameters
    ----------
    terminal: Where to.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._label = ""
        self._before = 0
        self._named = Counter[str]()
        self._kinds = Counter[str]()
        self._told = monotonic()

    def begin(self, label: str, progress: Progress) -> None:
        """A replay begins."""
        self._label, self._before = label, progress.delivered + len(progress.beyond)
        self._named.clear()
        self._kinds.clear()
        self._told = monotonic()

    def progress(self, progress: Progress, more: Counter[str], size: int, waits: str = "") -> None:
        """Show how far it has come."""
        share = progress.offset / size if size else 1.0
        delivered = progress.delivered + more["delivered"]
        text = f"{self._label}: {delivered} delivered{f', waiting ({waits})' if waits else ''}"
        done = int(share * _BAR)
        self._terminal.show(f"[{'#' * done}{'-' * (_BAR - done)}] {share:4.0%} {text}")
        if not self._terminal.interactive and monotonic() - self._told >= _TELL_EVERY:
            self._told = monotonic()
            self._terminal.say(f"{share:4.0%} {text}")

    def skips(self, batch: Batch) -> None:
        """Tell of lines that cannot be sent."""
        self._kinds.update(batch.kinds)
        for number, why in batch.skipped:
            self._name("skipped", f"line {number} is skipped: {why}")

    def failures(self, lines: list[tuple[int, str]]) -> None:
        """Tell of lines that will not be delivered."""
        for number, why in lines:
            self._name("failed", f"line {number} is not delivered: {why}")

    def unfinished(self, batch: Batch) -> None:
        """Tell of a last line that has no end."""
        if batch.unfinished is not None:
            self._terminal.say(f"line {batch.unfinished} has no end yet: it is left for the next replay")

    def end(self, progress: Progress, left: int, why: str) -> None:
        """Tell what came of it."""
        before = f" ({self._before} of them before)" if self._before else ""
        delivered, good = progress.delivered + len(progress.beyond), not (why or progress.failed)
        self._terminal.say(
            f"{self._label}: {delivered} delivered{before}, {progress.skipped} skipped{self._unknown()},"
            f" {progress.failed} failed, {left} left",
            "green" if good else "red",
        )
        if why:
            self._terminal.say(f"{self._label}: {why}. The same command goes on from here.", "red")

    def would(self, batches: Batches, label: str) -> None:
        """Tell what a replay would do."""
        self._named.clear()
        self._kinds.clear()
        count = skipped = 0
        for batch in batches.of(1_000):
            count += len(batch.entries)
            skipped += len(batch.skipped) + len(batch.kinds)
            self.skips(batch)
            self.unfinished(batch)
        self._terminal.say(f"{count} would be delivered to {label}, {skipped} skipped{self._unknown()}")

    def _unknown(self) -> str:
        """Name the kinds that this version does not know."""
        return "".join(f" ({count} of the unknown kind {kind})" for kind, count in sorted(self._kinds.items()))

    def _name(self, what: str, text: str) -> None:
        self._named[what] += 1
        if self._named[what] <= _NAMED:
            self._terminal.say(text)
        elif self._named[what] == _NAMED + 1:
            self._terminal.say(f"and more lines that are {what}; the sum is below")
