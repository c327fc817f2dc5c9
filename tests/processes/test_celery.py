"""Celery's prefork children, which end without `atexit` and may be replaced after each task."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import receiver as replies
from support.process import environment
from support.records import names
from support.server import needs

pytestmark = [needs("celery"), pytest.mark.thorough]

# Broker and results in a folder: no service is needed.
APP = """
import os
import celery, requests
import curl_interceptor
app = celery.Celery("app", broker="filesystem://")
app.conf.broker_transport_options = {{
    "data_folder_in": {folder!r}, "data_folder_out": {folder!r}, "control_folder": {control!r}
}}
app.conf.worker_hijack_root_logger = False
session = requests.Session()
curl_interceptor.mount(session, {hook!r}, cooldown=None)
@app.task
def call(number):
    session.get({url!r} + f"?{{number}}")
    with open({done!r}, "a") as file:
        file.write(f"{{os.getpid()}}\\n")
"""


class Worker:
    """A Celery worker at work in a folder."""

    def __init__(self, folder: Path, hook: str, url: str, *options: str) -> None:
        self.folder, self.done = folder, folder / "done"
        (folder / "broker").mkdir()
        app = APP.format(
            folder=str(folder / "broker"), control=str(folder / "control"), hook=hook, url=url, done=str(self.done)
        )
        (folder / "app.py").write_text(app, encoding="utf-8")
        self._log = folder / "worker.log"
        self.send(0)  # makes the queue
        command = [sys.executable, "-m", "celery", "-A", "app", "worker", "--without-gossip", "--without-mingle"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--without-heartbeat", *options],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environment(folder), "C_FORCE_ROOT": "1"},
                start_new_session=True,
            )

    def send(self, *numbers: int) -> None:
        """Order tasks."""
        script = f"import app\nfor number in {numbers!r}: app.call.delay(number)"
        subprocess.run([sys.executable, "-c", script], cwd=self.folder, env=environment(self.folder), check=True)

    def wait(self, count: int, timeout: float = 40.0) -> list[str]:
        """Return the pids of the children that did so many tasks, as soon as they are done."""
        deadline = time.monotonic() + timeout
        while True:
            pids = self.done.read_text(encoding="utf-8").split() if self.done.exists() else []
            if len(pids) >= count:
                return pids
            assert time.monotonic() < deadline, f"{len(pids)} of {count} tasks were done:\n{self.log}"
            time.sleep(0.05)

    def stop(self, timeout: float = 30.0) -> float:
        """End the worker as its operator would; return how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not end within {timeout} s:\n{self.log}") from None
        assert status == 0, self.log
        return time.monotonic() - began

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.mark.parametrize(
    "options",
    [
        ["--concurrency", "2"],
        ["--concurrency", "2", "--max-tasks-per-child", "1"],
        ["--concurrency", "2", "--max-tasks-per-child", "3"],
        ["--concurrency", "2", "--pool", "threads"],
        ["--pool", "solo"],
    ],
    ids=" ".join,
)
def test_each_call_of_a_task_arrives_once(api, receiver, tmp_path, options):
    """
    What a child has captured is delivered before it is replaced, and before the worker ends.
    """
    with Worker(tmp_path, receiver.url("/hook"), api.url("/status/500"), *options) as worker:
        worker.send(*range(1, 12))
        pids = worker.wait(12)
        worker.stop()

    assert sorted(names(receiver), key=int) == [str(number) for number in range(12)], worker.log
    if "--max-tasks-per-child" in options:
        assert len(set(pids)) >= 12 / int(options[-1])
    assert "Traceback" not in worker.log


def test_a_hung_webhook_holds_up_no_replacement(api, receiver, tmp_path):
    """
    A child takes half a second at most for its last deliveries, so that Celery need not kill it.
    """
    receiver.script("/hook", then=replies.hang())
    options = ["--concurrency", "2", "--max-tasks-per-child", "1"]
    with Worker(tmp_path, receiver.url("/hook"), api.url("/status/500"), *options) as worker:
        worker.send(*range(1, 6))
        worker.wait(6)
        took = worker.stop()

    assert took < 6
    assert "Traceback" not in worker.log
