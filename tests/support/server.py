"""WSGI servers of others as processes of their own, serving an app that fails whenever it is asked to.

    with Served([sys.executable, "-m", "gunicorn", "app:application"], app, folder) as served:
        served.get("/one")

The app of every server is the same text, `APP`: each request to it is one failing call to an API, whose URL ends with
the path of the request.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pytest

from .process import environment

APP = """
import os, sys
import requests
import curl_interceptor
session = requests.Session()
adapter = curl_interceptor.mount(session, {hook!r}, cooldown=None, {options})
{at_import}
def application(environ, start_response):
    session.get({url!r} + "?" + environ["PATH_INFO"][1:])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip a test, and say why, where one of these is not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed: tox -e processes has it")


def program(name: str) -> str | None:
    """Return the path of a program that belongs to this interpreter's environment, or of one on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def free_port() -> int:
    """Return a port of the loopback interface where nobody listens just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Served:
    """A server at work in a folder, stopped at the end of the `with` block; `log` is all that it printed.

    Parameters
    ----------
    command: What is run; `{port}` in it is replaced.
    folder: Where it runs.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.port = free_port()
        self._command = [part.replace("{port}", str(self.port)) for part in command]
        self._folder = folder
        self._log = folder / "server.log"
        self.status: int | None = None
        self.stopping = 0.0
        """Seconds that the stop took."""

    def __enter__(self) -> Served:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environment(self._folder), "HOME": str(self._folder)},
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise AssertionError(f"the server did not start:\n{self.log}") from None
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.status is None and kind is None:
                self.stop()
        finally:
            self.kill()

    @property
    def log(self) -> str:
        """What the server printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, line: str, count: int = 1, timeout: float = 20.0) -> None:
        """Return as soon as the server has printed this so often."""
        deadline = time.monotonic() + timeout
        while self.log.count(line) < count:
            assert time.monotonic() < deadline, (
                f"{line!r} was not printed {count} times within {timeout} s:\n{self.log}"
            )
            time.sleep(0.02)

    def get(self, path: str, timeout: float = 20.0) -> str:
        """Ask the app for a path; return what it answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
            return str(answer.read().decode())

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server's first process."""
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 30.0) -> None:
        """End the server as its operator would, and note how that went."""
        began = time.monotonic()
        self.send(number)
        try:
            self.status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {timeout} s:\n{self.log}") from None
        self.stopping = time.monotonic() - began

    def kill(self) -> None:
        """End whatever is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
