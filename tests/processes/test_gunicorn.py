"""gunicorn in all its ways: each failing call arrives once, and it stops and reloads as it would without us."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest
from support import receiver as replies
from support.records import names
from support.server import APP, Served, needs

pytestmark = [needs("gunicorn"), pytest.mark.thorough]


# A worker that is told to end while it starts may miss it, with and without us.
SETTINGS = """
def post_worker_init(worker):
    print("worker is ready", flush=True)
"""


def gunicorn(folder: Path, *options: str) -> Served:
    (folder / "gunicorn.conf.py").write_text(SETTINGS, encoding="utf-8")
    command = [sys.executable, "-m", "gunicorn", "app:application", "--bind", "127.0.0.1:{port}", *options]
    return Served(command, folder)


@pytest.mark.parametrize(
    "options",
    [
        ["--workers", "3"],
        ["--workers", "3", "--preload"],
        ["--workers", "2", "--worker-class", "gthread", "--threads", "4"],
        ["--workers", "2", "--worker-class", "gthread", "--threads", "4", "--preload"],
        pytest.param(["--workers", "2", "--worker-class", "gevent"], marks=needs("gevent")),
        pytest.param(["--workers", "2", "--worker-class", "gevent", "--preload"], marks=needs("gevent")),
        ["--workers", "2", "--max-requests", "3"],
    ],
    ids=" ".join,
)
def test_each_call_arrives_once(api, receiver, tmp_path, options):
    """
    Records of all workers, and one of the import of the app, arrive; a stop delivers what waited for its batch.
    """
    # A connection that is open at the fork would be shared by all workers, and their answers mixed.
    first = 'session.get({url!r} + f"?import-{{os.getpid()}}"); session.close()'.format(url=api.url("/status/500"))
    app = APP.format(hook=receiver.url("/hook"), url=api.url("/status/500"), options="", at_import=first)
    (tmp_path / "app.py").write_text(app, encoding="utf-8")
    with gunicorn(tmp_path, *options) as served:
        served.wait_for("worker is ready", int(options[1]))
        pids = {served.get(f"/{number}") for number in range(20)}
        served.stop()

    found = names(receiver)
    imports = [name for name in found if name.startswith("import")]
    assert sorted(set(found) - set(imports), key=int) == [str(number) for number in range(20)], served.log
    assert len(found) == len(set(found))
    assert len(imports) >= (1 if "--preload" in options else len(pids))
    assert served.status == 0
    assert "curl_interceptor" not in served.log
    assert "Traceback" not in served.log


@pytest.mark.parametrize("kind", ["sync", "gthread", pytest.param("gevent", marks=needs("gevent"))])
def test_a_stop_is_in_time_with_a_hung_webhook(api, receiver, tmp_path, kind):
    """
    The workers end within `exit_timeout` and half a second of their own end.
    """
    receiver.script("/hook", then=replies.hang())
    app = APP.format(hook=receiver.url("/hook"), url=api.url("/status/500"), options="", at_import="")
    (tmp_path / "app.py").write_text(app, encoding="utf-8")
    with gunicorn(tmp_path, "--workers", "2", "--worker-class", kind) as served:
        served.wait_for("worker is ready", 2)
        for number in range(4):
            served.get(f"/{number}")
        served.stop()

    assert served.status == 0
    assert served.stopping < 5.0
    assert "Traceback" not in served.log


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--preload"],
        ["--worker-class", "gthread", "--threads", "4"],
        pytest.param(["--worker-class", "gevent"], marks=needs("gevent")),
    ],
    ids=lambda options: " ".join(options) or "sync",
)
def test_a_reload_loses_nothing(api, receiver, tmp_path, options):
    """
    HUP replaces the workers; what the old ones had is delivered, and the new ones deliver too.
    """
    app = APP.format(hook=receiver.url("/hook"), url=api.url("/status/500"), options="", at_import="")
    (tmp_path / "app.py").write_text(app, encoding="utf-8")
    with gunicorn(tmp_path, "--workers", "2", *options) as served:
        served.wait_for("worker is ready", 2)
        before = {served.get(f"/{number}") for number in range(10)}
        served.send(signal.SIGHUP)
        deadline = time.monotonic() + 20
        number = 10
        while True:
            fresh = served.get(f"/{number}") not in before
            number += 1
            if fresh or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert fresh
        served.wait_for("worker is ready", 4)
        served.stop()

    assert sorted(names(receiver), key=int) == [str(sent) for sent in range(number)]
