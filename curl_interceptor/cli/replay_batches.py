"""From the lines of a file to batches of what can be sent, and to the reasons why a line is none of that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from ..delivery.redelivery import size_of
from ..inspectors.restore import Raw, UnknownKind, restore
from ..policies import MB
from .replay_file import LONGEST, Line, ReplayFile
from .replay_state import Progress

__all__ = ["Batch", "Batches"]

_MOST_BYTES = 4 * MB
_MOST_LINES = 1_000


@dataclass
class Batch:
    """Lines that are dealt with together.

    Attributes
    ----------
    entries: What is to be sent, by its id.
    lines: The line of each.
    skipped: Numbers of lines that cannot be sent, and why.
    kinds: How many there are of each kind that is not known.
    before: Lines in between that were delivered by an earlier replay: their offsets.
    offset, line: Where the next batch begins, and how many lines there are before it.
    unfinished: Number of a last line that may still be written; it is left for the next replay.
    """

    offset: int
    line: int
    entries: dict[str, Raw] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    unfinished: int | None = None
    size: int = 0

    @property
    def count(self) -> int:
        """How many lines of it hold something."""
        return len(self.entries) + len(self.skipped) + len(self.kinds) + len(self.before)


class Batches:
    """The rest of a file, behind what was dealt with already.

    Parameters
    ----------
    file: The file.
    progress: How far a webhook has got.
    """

    def __init__(self, file: ReplayFile, progress: Progress) -> None:
        self._file = file
        self._offset, self._line = progress.offset, progress.line
        self._beyond = dict(progress.beyond)

    def of(self, most: int) -> Iterator[Batch]:
        """Yield batches of at most so many entries, of ids that differ, and of not too many bytes."""
        batch, begins = Batch(self._offset, self._line), self._offset
        for line in self._file.lines(self._offset, self._line):
            raw = self._look(line, batch)
            if batch.unfinished is not None:
                break
            if raw is not None:
                name, size = raw.restored.id if raw.restored else "", size_of(raw)
                if batch.entries and (name in batch.entries or batch.size + size > _MOST_BYTES):
                    yield batch
                    batch, begins = Batch(batch.offset, batch.line), batch.offset
                batch.entries[name], batch.lines[name] = raw, line
                batch.size += size
            batch.offset, batch.line = line.end, line.number
            if len(batch.entries) >= most or batch.count >= _MOST_LINES:
                yield batch
                batch, begins = Batch(batch.offset, batch.line), batch.offset
        if batch.offset > begins or batch.unfinished is not None:
            yield batch

    def _look(self, line: Line, batch: Batch) -> Raw | None:
        """Return what a line holds; None if that is nothing to be sent, which is put down."""
        if line.start in self._beyond:
            batch.before.append(line.start)
            return None
        if line.data is None:
            batch.skipped.append((line.number, f"it is longer than {LONGEST // MB} MB"))
            return None
        text = line.data.strip(b" \t\r\n\xef\xbb\xbf" if line.start == 0 else b" \t\r\n")
        if not text:
            return None
        try:
            document = json.loads(text.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError):
            if line.finished:
                batch.skipped.append((line.number, "it is no JSON"))
            else:
                batch.unfinished = line.number
            return None
        try:
            return restore(document)
        except UnknownKind as unknown:
            batch.kinds.append(unknown.kind)
        except ValueError as error:
            batch.skipped.append((line.number, f"it is no document of ours: {_reason(error)}"))
        return None


def _reason(error: ValueError) -> str:
    """Return what is wrong; the texts of others may repeat what stands in the line."""
    return str(error) if type(error) is ValueError else "it cannot be decoded"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
