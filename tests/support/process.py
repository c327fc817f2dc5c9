"""Running a script as a process of its own, and seeing how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
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


def run(script: str, *, timeout: float = 30.0, interrupt_after: float | None = None, **values: object) -> Ended:
    """Run a script to its end; `values` stand under their names in it. One that hangs is killed and fails the test."""
    preamble = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", preamble + textwrap.dedent(script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's & has it ignored
    )
    try:
        if interrupt_after is not None:
            time.sleep(interrupt_after)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its children hold the pipes open too
        out, err = process.communicate(timeout=10)
        raise AssertionError(f"the process hung for {timeout} s\n{out}\n{err}") from None
    return Ended(time.monotonic() - started, process.returncode, out, err)
