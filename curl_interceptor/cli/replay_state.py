"""How far a replay has come: a small file beside the one that is replayed, from which the next one goes on.

It is replaced as a whole after each batch, so that it is whole whenever the process ends. A lock on it keeps a second
replay away; the new file is locked before it takes the place of the old one, so there is no gap. On
Windows nothing keeps it away.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any

from ..errors import ConfigurationError
from .replay_file import Identity, ReplayFile

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Progress", "ReplayState"]

_VERSION = 1


@dataclass
class Progress:
    """How far one webhook has got.

    Attributes
    ----------
    label: Name of the webhook; its URL is not kept.
    offset: Everything before this byte is done with.
    line: How many lines that is.
    delivered, failed, skipped: What became of those lines that hold something.
    beyond: Lines behind the offset that were delivered already: where each begins, and its id.
    """

    label: str = ""
    offset: int = 0
    line: int = 0
    delivered: int = 0
    failed: int = 0
    skipped: int = 0
    beyond: dict[int, str] = field(default_factory=dict)


class ReplayState:
    """The state of all replays of one file.

    Parameters
    ----------
    path: Where it is kept, with mode 0600.
    file: The file that is replayed.
    kept: False reads it only: nothing is locked or written.

    Raises
    ------
    ConfigurationError
        If it cannot be used, another replay is at it, or it tells of another file.
    """

    def __init__(self, path: str, file: ReplayFile, *, kept: bool = True) -> None:
        self.path = path
        self._identity = file.identity()
        self._progress: dict[str, Progress] = {}
        self._lock = self._take() if kept else None
        try:
            self._load(file)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ReplayState:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the next replay come."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def of(self, key: str, label: str) -> Progress:
        """Return how far a webhook has got; a new one is at the beginning."""
        progress = self._progress.setdefault(key, Progress())
        progress.label = label
        return progress

    def save(self) -> None:
        """Write everything down: all of it or nothing, whatever happens meanwhile."""
        text = json.dumps(
            {
                "what": "how far curl-interceptor replay has come",
                "version": _VERSION,
                "file": self._identity._asdict(),
                "webhooks": {key: asdict(progress) for key, progress in self._progress.items()},
            },
            indent=1,
        )
        beside = f"{self.path}.new"
        try:
            with suppress(FileNotFoundError):
                os.unlink(beside)
            new = _open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            try:
                _lock(new)
                _write(new, text.encode("ascii"))
                os.fsync(new)
                if fcntl is not None:
                    os.replace(beside, self.path)
            except BaseException:
                os.close(new)
                raise
            if fcntl is None:  # Windows moves no open file
                os.close(new)
                os.replace(beside, self.path)
                return
        except OSError as error:
            raise ConfigurationError(
                f"the state cannot be written to {self.path!r}: {error.strerror}; name another place with --state"
            ) from None
        self.close()
        self._lock = new

    def _take(self) -> int | None:
        """Open and lock the state file, which is made where there is none; None where there are no locks."""
        while True:
            try:
                found = _open(self.path, os.O_CREAT | os.O_RDWR)
            except OSError as error:
                raise ConfigurationError(
                    f"the state cannot be kept in {self.path!r}: {error.strerror}; name another place with --state"
                ) from None
            if fcntl is None:
                os.close(found)
                return None
            if not _lock(found):
                os.close(found)
                raise ConfigurationError(f"another replay of this file is at work; {self.path!r} belongs to it")
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(found), os.stat(self.path)):
                    return found
            os.close(found)  # another replay has just replaced it

    def _load(self, file: ReplayFile) -> None:
        try:
            with open(self.path, "rb") as state:
                text = state.read(16_000_000)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigurationError(f"the state {self.path!r} cannot be read: {error.strerror}") from None
        if not text.strip():
            return
        remedy = "remove it to begin anew, or name another with --state"
        try:
            known = json.loads(text)
            identity = Identity(**known["file"])
            version = known["version"]
            self._progress = {key: _progress(value) for key, value in known["webhooks"].items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ConfigurationError(f"{self.path!r} is no state of a replay; {remedy}") from None
        if version != _VERSION:
            raise ConfigurationError(f"{self.path!r} was written by another version; {remedy}")
        self._check(identity, file, remedy)

    def _check(self, known: Identity, file: ReplayFile, remedy: str) -> None:
        """Refuse to go on in a file that is another one by now."""
        now = file.identity(known.head_bytes)
        farthest = max((progress.offset for progress in self._progress.values()), default=0)
        if now == known and farthest <= file.size:
            return
        moved = f"{file.path}.1"
        hint = ""
        with suppress(OSError):
            found = os.stat(moved)
            if (found.st_dev, found.st_ino) == (known.device, known.inode):
                hint = f" It was moved: go on with {moved!r} and --state {self.path!r}, then begin anew here."
        raise ConfigurationError(
            f"{file.path!r} is not the file that was replayed before, as {self.path!r} has it: {remedy}.{hint}"
        )


def _progress(value: dict[str, Any]) -> Progress:
    progress = Progress(**{**value, "beyond": {int(start): str(name) for start, name in value["beyond"].items()}})
    numbers = (progress.offset, progress.line, progress.delivered, progress.failed, progress.skipped)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("no number")
    return progress


def _open(path: str, flags: int) -> int:
    """Not through a link that somebody laid there; no child inherits it."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)


def _lock(file: int) -> bool:
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks
    return True


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
