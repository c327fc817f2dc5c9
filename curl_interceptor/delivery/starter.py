"""Having a thread started without waiting until it has begun, as `threading.Thread.start` would."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from threading import get_ident

__all__ = ["Starter"]


class _Start:
    """One start. Whoever takes the token out decides what becomes of it."""

    __slots__ = ("asking", "token")

    def __init__(self) -> None:
        self.asking: int | None = get_ident()
        """The thread that is in the middle of asking for it."""
        self.token: list[None] = [None]

    def take(self) -> bool:
        try:
            self.token.pop()
        except IndexError:
            return False
        return True


class Starter:
    """Starts a thread from within another one, so that whoever asks for it waits for neither.

    `Thread.start` returns when the new thread has begun, and that takes as long as other threads keep the interpreter
    busy. The thread in between waits for it. It is one without a `Thread`: it is gone in a moment.

    A signal handler may come here in the middle of a start, and an exception of its may leave it.

    Parameters
    ----------
    start:
        Makes and starts the thread, and says whether it could. It is never called twice at the same time, and should
        raise nothing.
    """

    def __init__(self, start: Callable[[], bool]) -> None:
        self._start = start
        self._failed = False
        self._under_way: dict[str, _Start] = {}

    def ask(self) -> bool:
        """Have the thread started, unless a start is under way; False if none could be started the last time.

        It is also False for a signal handler that has come in the middle of a start, which cannot go on before it ends.
        """
        mine = _Start()
        try:
            found = self._under_way.setdefault("", mine)
            if found is not mine:
                return found.asking != get_ident()
            # Looked up each time: gevent may have replaced it since the import.
            _thread.start_new_thread(self._run, (mine,))
        except BaseException as error:
            if self._under_way.get("") is mine and mine.take():
                self._under_way.clear()
            if not isinstance(error, RuntimeError):  # somebody interrupted it
                raise
            return False
        finally:
            mine.asking = None
        return not self._failed

    def _run(self, start: _Start) -> None:
        if not start.take():
            return  # called off meanwhile
        try:
            self._failed = not self._start()
        finally:
            self._under_way.clear()
