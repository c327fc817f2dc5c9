"""One webhook's replay: giving it a batch after the other, putting down what became of each, and telling of it.

What a webhook refuses is believed only once it has taken something afterwards: until then the webhook itself may be the
trouble, and what it refused is tried again by the next replay.
"""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from ..delivery.redelivery import Outcome, Redelivery
from ..inspectors.base import Inspector
from ..records.redaction import Redaction
from .interruption import Interruption
from .replay_batches import Batch, Batches
from .replay_file import ReplayFile
from .replay_report import Reporter
from .replay_state import Progress, ReplayState

__all__ = ["Replay"]

_LOOK = 0.25  # seconds between two looks at a batch under way
_RESCUE = 1.0  # seconds for the post under way after Ctrl-C
_IN_A_ROW = 10  # refused records with none delivered in between, until the webhook is the trouble


class Replay:
    """What is left of a file, for one webhook.

    Parameters
    ----------
    file, state: What is replayed, and where it is kept how far it has come.
    progress: How far this webhook has got.
    report: Who tells of it.
    inspector: The webhook.
    rules: What is hidden.
    batch: Most records in a batch; None means as in production.
    """

    def __init__(
        self,
        file: ReplayFile,
        state: ReplayState,
        progress: Progress,
        report: Reporter,
        inspector: Inspector,
        rules: Redaction,
        *,
        batch: int | None,
    ) -> None:
        self._file, self._state, self._progress, self._report = file, state, progress, report
        self._inspector, self._rules, self._most = inspector, rules, batch
        self._redelivery = self._begin()
        self._doubtful: list[tuple[int, str]] = []
        """Lines that were refused, and why, since the webhook last took something."""
        self._stuck = False
        self._interruption = Interruption()
        self._open = Counter[str]()
        """What became of lines behind the offset."""

    def __enter__(self) -> Replay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._redelivery.close()

    def _begin(self) -> Redelivery:
        return Redelivery(self._inspector, self._rules, batch=self._most)

    def run(self, patience: float) -> bool:
        """Deliver what is left; whether all of it was, but for what cannot be read.

        Parameters
        ----------
        patience: Seconds without any delivery after which it is given up, those not counted that the service asks for.
        """
        with self._interruption:
            return self._run(patience)

    def _run(self, patience: float) -> bool:
        report, progress = self._report, self._progress
        report.begin(self._inspector.label, progress)
        why, batch = "", None
        try:
            for batch in Batches(self._file, progress).of(self._redelivery.batch):
                self._interruption.check()
                why = self._send(batch, patience)
                self._state.save()
                if why:
                    break
                report.progress(progress, self._open, self._file.size)
            else:
                why = self._finish(batch)
        except KeyboardInterrupt:
            self._rescue(batch)
            report.end(progress, self._left(), "interrupted")
            raise
        self._state.save()
        report.end(progress, self._left() if why else 0, why)
        return not why and not progress.failed

    def _send(self, batch: Batch, patience: float) -> str:
        """Deal with a batch; return why there is no use in going on, or nothing."""
        self._report.skips(batch)
        settled, outcome = True, Outcome(frozenset(), {}, frozenset(), frozenset())
        if batch.entries:
            self._redelivery.give(batch.entries)
            settled = self._settle(patience)
            outcome = self._redelivery.outcome()
        self._note(batch, outcome.delivered)
        refused, error = outcome.refused, self._redelivery.last_error
        if (refused or not settled) and self._redelivery.dead:
            return f"it takes nothing ({self._redelivery.dead})"
        if not settled:
            if not outcome.delivered or outcome.pending != outcome.alone:
                return f"it has taken nothing for {patience:g} s ({error})"
            refused = {**refused, **dict.fromkeys(outcome.alone, f"{error}, again and again")}
            self._redelivery.close()
            self._redelivery = self._begin()
        self._doubt(batch, refused, stuck=not settled)
        if outcome.delivered and settled:
            self._believe()
        elif len(self._doubtful) >= _IN_A_ROW and not outcome.delivered:
            return f"it refuses everything ({self._doubtful[-1][1]})"
        if not self._doubtful:
            self._commit(batch)
        return ""

    def _settle(self, patience: float) -> bool:
        """Wait for the end of a batch; False if it will not come."""
        while not self._redelivery.wait(_LOOK):
            self._interruption.check()
            if self._redelivery.dead or self._redelivery.idle > patience:
                return False
            waits = self._redelivery.last_error if self._redelivery.idle > 2 * _LOOK else ""
            self._report.progress(self._progress, self._open, self._file.size, waits)
        return True

    def _note(self, batch: Batch, delivered: frozenset[str]) -> None:
        """Put down what was delivered, in case that the offset stays where it is."""
        self._open["delivered"] += len(delivered) + len(batch.before)
        self._open["skipped"] += len(batch.skipped) + len(batch.kinds)
        self._progress.beyond |= {batch.lines[name].start: name for name in delivered}

    def _doubt(self, batch: Batch, refused: dict[str, str], *, stuck: bool) -> None:
        """Put down what was refused, until it shows whether the webhook takes others."""
        self._doubtful += sorted((batch.lines[name].number, why) for name, why in refused.items())
        self._open["failed"] += len(refused)
        self._stuck = self._stuck or stuck

    def _believe(self) -> None:
        """The webhook is well: what it refused before was to be refused."""
        self._report.failures(self._doubtful)
        self._doubtful.clear()
        self._stuck = False

    def _commit(self, batch: Batch) -> None:
        """All that stands before the end of this batch is done with."""
        progress = self._progress
        progress.offset, progress.line = batch.offset, batch.line
        progress.delivered += self._open["delivered"]
        progress.failed += self._open["failed"]
        progress.skipped += self._open["skipped"]
        progress.beyond = {}
        self._open.clear()

    def _finish(self, batch: Batch | None) -> str:
        """Nothing follows that could show whether the webhook is well; return what speaks against it, or nothing."""
        if self._stuck:
            return f"it does not take the last ones ({self._doubtful[-1][1]})"
        self._believe()
        if batch is not None:
            self._commit(batch)
            self._report.unfinished(batch)
        return ""

    def _rescue(self, batch: Batch | None) -> None:
        """Somebody ends it: put down what was delivered of the batch by now, the post under way included."""
        if batch is not None and self._redelivery.given is batch.entries and self._progress.offset < batch.offset:
            self._redelivery.wait(_RESCUE)
            self._note(batch, self._redelivery.outcome().delivered)
        self._state.save()

    def _left(self) -> int:
        """How many lines were not dealt with."""
        progress = self._progress
        lines = self._file.lines(progress.offset, progress.line)
        return sum(
            1 for line in lines if line.start not in progress.beyond and (line.data is None or line.data.strip())
        )
