"""Appending to a file: the transport of `file:` addresses.

Several processes may share a file: each batch is one write at its end, made under a lock that all of them take. Nothing
is kept open between two attempts, so a forked child has nothing to let go, and whoever moves the file away sees the
next batch in a new one.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import suppress

from ..errors import BadPayload, Transient
from ..inspectors.base import Answer, Payload
from ..policies import TransportPolicy
from .trouble import Trouble, describe

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["FileTransport"]

# Not through a link that somebody laid there, and not waiting for the reader of a pipe that took the file's place.
_FLAGS = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_LOOK_AGAIN = 0.005  # seconds


class _Moved(Exception):
    """Another process has put a new file in the place of the one that was opened."""


class FileTransport:
    """Appends payloads to the file of an address such as `file:50000000:/var/log/app/calls.ndjson`.

    A file that would grow beyond the number of bytes becomes its `.1` sibling, in the place of an older one.

    Parameters
    ----------
    address: Where, and how large it may grow.
    policy: Of no importance here.
    """

    abandoned = False
    idle_since: float | None = None

    def __init__(self, address: str, policy: TransportPolicy) -> None:
        _, size, self._path = address.split(":", 2)
        self._max_bytes = int(size)

    def post(self, payload: Payload, timeout: float) -> Answer:
        """Append the body and answer 200; the file is as before if that is not possible."""
        if len(payload.body) > self._max_bytes:
            raise BadPayload("larger than the file may be", too_large=True)
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._append(payload.body, deadline)
                return Answer(200, {})
            except _Moved:
                if time.monotonic() >= deadline:
                    trouble = "other processes move the file again and again"
                    break
            except (OSError, Trouble) as error:
                trouble = describe(error)
                break
        raise Transient(trouble)

    def close(self) -> None:
        """Nothing is open."""

    def _append(self, body: bytes, deadline: float) -> None:
        file = os.open(self._path, _FLAGS, 0o600)
        try:
            _refuse_strange(os.fstat(file))
            _lock(file, deadline)
            found = os.fstat(file)
            if not self._is_here(found):
                raise _Moved
            if not found.st_size or found.st_size + len(body) <= self._max_bytes:
                _write(file, body, found.st_size)
                return
            if fcntl is not None:
                os.replace(self._path, f"{self._path}.1")
                raise _Moved
        finally:
            _unlock(file)
            os.close(file)
        os.replace(self._path, f"{self._path}.1")  # Windows moves no open file
        raise _Moved

    def _is_here(self, found: os.stat_result) -> bool:
        """Whether the file that was opened is still the one at the path."""
        try:
            return os.path.samestat(found, os.lstat(self._path))
        except FileNotFoundError:
            return False


def _refuse_strange(found: os.stat_result) -> None:
    """Refuse what somebody else may have put there so that they can read it, or to have another file spoiled."""
    if not stat.S_ISREG(found.st_mode):
        raise Trouble("it is no regular file")
    if hasattr(os, "geteuid") and found.st_uid not in (os.geteuid(), 0):
        raise Trouble("the file belongs to another user")
    if found.st_nlink > 1:
        raise Trouble("the file has other names, too")


def _lock(file: int, deadline: float) -> None:
    """Wait for the other processes, which hold the lock for a write."""
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                return  # a file system without locks
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() >= deadline:
            raise Trouble("another process holds the file")
        time.sleep(_LOOK_AGAIN)


def _unlock(file: int) -> None:
    """Give the lock back in so many words: a child that was forked meanwhile would keep it otherwise."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


def _write(file: int, body: bytes, size: int) -> None:
    """Append all of it, or nothing: a disk that gets full takes half a line."""
    if os.write(file, body) < len(body):
        os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, "")
