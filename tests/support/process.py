"""Running a script as a process of its own, and seeing how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import curl_interceptor

ROOT = Path(curl_interceptor.__file__).parent.parent
TESTS = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    seconds: float
    status: int
    out: str
    err: str


def environment(*folders: Path) -> dict[str, str]:
    """Our environment without a developer's proxies, for a process that can import us and what lies in `folders`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and name not in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    }
    kept["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, TESTS, *folders)))
    return kept


def run(script: str, *, timeout: float = 30.0, **values: object) -> Ended:
    """Run a script to its end; `values` stand under their names in it. One that hangs is killed and fails the test."""
    return start(script, **values).end(timeout)


def start(script: str, **values: object) -> Running:
    """Start a script and let it run; `values` stand under their names in it."""
    preamble = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    return Running(
        subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", preamble + textwrap.dedent(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's & has it ignored
        )
    )


class Running:
    """A script at work; several of them may wait for their ends at once."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._started = time.monotonic()
        self._lines: list[str] = []

    def wait_for_line(self) -> str:
        """Return the next line that it prints; what says nothing and does not end is killed."""
        assert self._process.stdout
        guard = threading.Timer(30.0, self._kill)
        guard.start()
        self._lines.append(self._process.stdout.readline())
        guard.cancel()
        return self._lines[-1]

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def end(self, timeout: float = 30.0) -> Ended:
        """Wait for its end; one that hangs is killed and fails the test."""
        try:
            out, err = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._kill()
            out, err = self._process.communicate(timeout=10)
            raise AssertionError(f"the process hung for {timeout} s\n{out}\n{err}") from None
        took = time.monotonic() - self._started
        return Ended(took, self._process.returncode, "".join([*self._lines, out]), err)

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # its children hold the pipes open too
