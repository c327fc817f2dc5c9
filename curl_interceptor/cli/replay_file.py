"""A file of documents, one a line, read from an offset on and in little memory."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple

from ..errors import ConfigurationError
from ..policies import MB

__all__ = ["Identity", "Line", "ReplayFile"]

LONGEST = 64 * MB
"""Bytes that a line may have; documents are far shorter, and a line is held in memory as a whole."""

_HEAD = 4_096


class Line(NamedTuple):
    """One line, and where it stands."""

    number: int
    """Counted from 1."""
    start: int
    end: int
    """Offset of the first byte behind it."""
    data: bytes | None
    """None if it is too long to be looked at."""
    finished: bool
    """Whether a newline ends it; the last line may still be written."""


class Identity(NamedTuple):
    """What tells one file from another that stands in its place later."""

    device: int
    inode: int
    head_bytes: int
    head: str
    """Digest of so many bytes at its beginning, which do not change in a file that only grows."""


class ReplayFile:
    """A file as it is now: what is appended later is not read.

    Parameters
    ----------
    path: Its name.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or is not of lines.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115  (closed by __exit__)
        except OSError as error:
            raise ConfigurationError(f"FILE: {path!r} cannot be read: {error.strerror}") from None
        found = os.fstat(self._file.fileno())
        if not stat.S_ISREG(found.st_mode):
            self._file.close()
            raise ConfigurationError(f"FILE: {path!r} is no regular file; resuming needs one")
        self.size = found.st_size
        head = self._file.read(_HEAD)
        if head[:2] == b"\x1f\x8b":
            self._file.close()
            raise ConfigurationError(f"FILE: {path!r} is compressed; unpack it first, as with gunzip -k")
        self._place = (found.st_dev, found.st_ino)

    def __enter__(self) -> ReplayFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def identity(self, head_bytes: int = _HEAD) -> Identity:
        """Return what tells this file from others, by at most so many bytes of its beginning."""
        self._file.seek(0)
        head = self._file.read(min(head_bytes, self.size))
        return Identity(*self._place, len(head), hashlib.sha256(head).hexdigest())

    def same_as(self, path: str) -> bool:
        """Whether a path leads to this file."""
        try:
            found = os.stat(path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._place

    def lines(self, offset: int, number: int) -> Iterator[Line]:
        """Yield what stands behind an offset, before which there are so many lines.

        It may be read by several at once: each goes on where it was.
        """
        while offset < self.size:
            number += 1
            line = self._line(offset, number)
            yield line
            offset = line.end

    def _line(self, offset: int, number: int) -> Line:
        self._file.seek(offset)
        data = self._file.readline(min(LONGEST, self.size - offset))
        end = offset + len(data)
        if data.endswith(b"\n") or end >= self.size:
            return Line(number, offset, end, data, data.endswith(b"\n"))
        if not data:
            return Line(number, offset, self.size, b"", False)  # somebody made the file shorter
        finished = False
        while not finished and end < self.size:
            piece = self._file.readline(min(MB, self.size - end))
            if not piece:
                end = self.size
            end += len(piece)
            finished = piece.endswith(b"\n")
        return Line(number, offset, min(end, self.size), None, finished)


def _without_waiting(path: str, flags: int) -> int:
    """Open without waiting for the writer of a pipe that stands there."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
