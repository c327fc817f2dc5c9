"""
Writing on a console: the transport of `console:` addresses.

A real file, pipe or terminal is written to by its descriptor, in pieces that it has room for: so a terminal that is
held and a pipe that nobody reads cost an attempt its deadline and nobody else anything, no lock of a stream is held
while the process forks, and nothing is left in a buffer that would be complained about at the end of the process.
"""

from __future__ import annotations

import errno
import io
import os
import re
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import BadPayload, DeadEndpoint, DeliveryError, Transient
from ..inspectors.base import Answer, Payload
from ..inspectors.held import held
from ..policies import TransportPolicy
from .stream import wait
from .trouble import Elapsed, describe

__all__ = ["ConsoleTransport", "wants_colour"]

_ROOM = getattr(select, "PIPE_BUF", 512)  # bytes that a pipe takes at once where it says that it takes any
_LITTLE = 64  # bytes that most terminals take where they say that they take any
_COLOUR = re.compile("\033\\[[0-9;]*m")
# What a message is decorated with, for encodings that have none of it.
_PLAINER = str.maketrans({"·": "-", "…": "...", "\N{MULTIPLICATION SIGN}": "x", "│": "|"})
_LIGHTS = re.compile("[\N{LARGE RED CIRCLE}\N{LARGE ORANGE CIRCLE}\N{LARGE BLUE CIRCLE}] ")


class ConsoleTransport:
    """Writes payloads to the stream of an address such as `console:stderr:auto:…`.

    Parameters
    ----------
    address: Which stream, and whether in colours: `always`, `never`, or `auto` where it is a terminal.
    policy: Of no importance here.
    """

    abandoned = False
    idle_since: float | None = None

    def __init__(self, address: str, policy: TransportPolicy) -> None:
        _, self._name, self._colour = address.split(":")[:3]

    def post(self, payload: Payload, timeout: float) -> Answer:
        """Write the body and answer 200; a stream that is closed, or that nobody reads any more, is a dead end."""
        ends = time.monotonic() + timeout
        kind: type[DeliveryError] = Transient
        try:
            self._write(self._stream(), payload.body.decode("utf-8"), ends)
            return Answer(200, {})
        except BrokenPipeError:
            kind, trouble = DeadEndpoint, "nobody reads the stream any more"
        except _Closed:
            kind, trouble = DeadEndpoint, "the stream is closed"
        except Elapsed:
            trouble = f"the stream took nothing for {timeout:g} s"
        except UnicodeError:
            kind, trouble = BadPayload, "the stream has an encoding that nothing can be written in"
        except Exception as error:  # of a stream that is anybody's
            trouble = describe(error)
        raise kind(trouble)

    def close(self) -> None:
        """The stream is not ours."""

    def _stream(self) -> Any:
        found = getattr(sys, self._name) if self._name in ("stderr", "stdout") else held(self._name)
        if found is None or getattr(found, "closed", False):
            raise _Closed
        return found

    def _write(self, stream: Any, text: str, ends: float) -> None:
        if not (wants_colour(stream) if self._colour == "auto" else self._colour == "always"):
            text = _COLOUR.sub("", text)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        encoded = _encoded(text, encoding)
        descriptor = _descriptor(stream)
        if descriptor is not None:
            _write_all(descriptor, encoded, ends)
            return
        stream.write(encoded.decode(encoding))
        if callable(getattr(stream, "flush", None)):
            stream.flush()


class _Closed(Exception):
    """There is no stream to write to."""


def wants_colour(stream: Any) -> bool:
    """Whether a stream is a terminal, and nobody asked for plain text (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if os.name == "nt" and not os.environ.keys() & {"WT_SESSION", "TERM", "ANSICON", "ConEmuANSI"}:
        return False  # an old console shows the codes
    try:
        return bool(stream.isatty())
    except Exception:
        return False


def _encoded(text: str, encoding: str) -> bytes:
    """Return the text's bytes, with escapes for what the encoding has no letters for."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return _LIGHTS.sub("", text).translate(_PLAINER).encode(encoding, "backslashreplace")


def _descriptor(stream: Any) -> int | None:
    """Return the descriptor behind an ordinary stream; None for one that may put its text elsewhere."""
    if type(stream) is not io.TextIOWrapper or os.name == "nt":  # where a console wants text, not bytes
        return None
    raw = getattr(stream.buffer, "raw", stream.buffer)
    return raw.fileno() if type(raw) is io.FileIO else None


def _write_all(descriptor: int, data: bytes, ends: float) -> None:
    mode = os.fstat(descriptor).st_mode
    left = memoryview(data)
    with _no_signal(), _never_blocking(descriptor, mode) as (to, size):
        while left:
            if not stat.S_ISREG(mode):
                wait(to, ends, writing=True)
            with suppress(BlockingIOError):  # another one was faster
                left = left[os.write(to, left[:size]) :]


@contextmanager
def _never_blocking(descriptor: int, mode: int) -> Iterator[tuple[int, int]]:
    """Open a terminal or a pipe once more, such that a write takes what there is room for; and yield how much at once.

    A terminal calls itself writable with a single letter's room, and would keep a longer write until somebody reads.
    The app's own descriptor must not be told to behave otherwise: it is shared with other processes.
    """
    if not (stat.S_ISFIFO(mode) or os.isatty(descriptor)):
        yield descriptor, _ROOM if not stat.S_ISREG(mode) else 1 << 30
        return
    try:
        again = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # so says a pipe without a reader
            raise BrokenPipeError from None
        yield descriptor, _LITTLE if os.isatty(descriptor) else _ROOM  # no Linux
        return
    try:
        yield again, _ROOM
    finally:
        os.close(again)


@contextmanager
def _no_signal() -> Iterator[None]:
    """Keep SIGPIPE from the process, which it would end where the app has given it back its default."""
    if not hasattr(signal, "pthread_sigmask") or not hasattr(signal, "sigtimedwait"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            signal.sigtimedwait({signal.SIGPIPE}, 0)  # one that came meanwhile, to this thread
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
