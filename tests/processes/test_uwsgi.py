"""uWSGI, which forks without Python's hooks and may run no threads: each failing call arrives once all the same."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.process import run
from support.records import names
from support.server import APP, Served, program

UWSGI = program("uwsgi")
needs_uwsgi = pytest.mark.skipif(UWSGI is None, reason="uwsgi not installed: tox -e processes has it")


def uwsgi(folder: Path, *options: str) -> Served:
    command = [str(UWSGI), "--http-socket", "127.0.0.1:{port}", "--wsgi-file", "app.py", "--die-on-term"]
    return Served([*command, "--virtualenv", sys.prefix, *options], folder)


def always_runs_threads() -> bool:
    told = subprocess.run([str(UWSGI), "--help"], capture_output=True, text=True, check=True).stdout
    return any("enable-threads" in line and "default" in line for line in told.splitlines())


@pytest.mark.thorough
@needs_uwsgi
@pytest.mark.parametrize("at_import", [False, True], ids=["", "a failure at import"])
@pytest.mark.parametrize(
    "options",
    [
        ["--enable-threads"],
        ["--master", "--enable-threads", "--processes", "2"],
        ["--master", "--enable-threads", "--processes", "2", "--lazy-apps"],
        ["--master", "--processes", "2", "--threads", "4"],
        ["--master", "--enable-threads", "--processes", "2", "--py-call-uwsgi-fork-hooks"],
        ["--master", "--enable-threads", "--max-requests", "5"],
    ],
    ids=" ".join,
)
def test_each_call_arrives_once(api, receiver, tmp_path, options, at_import):
    """
    The records of all workers arrive, also where the app failed before the fork.
    """
    first = f'session.get({api.url("/status/500")!r} + "?import"); session.close()' if at_import else ""
    app = APP.format(hook=receiver.url("/hook"), url=api.url("/status/500"), options="", at_import=first)
    (tmp_path / "app.py").write_text(app, encoding="utf-8")
    with uwsgi(tmp_path, *options) as served:
        # A worker that is told to end while it imports the app goes on without one, with and without us.
        served.wait_for("ready in ", 2 if "--lazy-apps" in options else 1)
        for number in range(20):
            served.get(f"/{number}")
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and len(set(names(receiver)) - {"import"}) < 20:
            time.sleep(0.05)

    found = [name for name in names(receiver) if name != "import"]
    assert sorted(found, key=int) == [str(number) for number in range(20)], served.log
    assert "Traceback" not in served.log


@pytest.mark.thorough
@needs_uwsgi
def test_without_threads_the_flag_is_named(api, receiver, tmp_path):
    """
    Where no thread runs between requests, one warning says so; what waits is delivered in later requests.
    """
    if always_runs_threads():
        pytest.skip("this uwsgi always runs threads")
    app = APP.format(
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
        options="batch=curl_interceptor.BatchPolicy(1, 0)",
        at_import="",
    )
    (tmp_path / "app.py").write_text(app, encoding="utf-8")
    with uwsgi(tmp_path, "--master") as served:
        for number in range(30):
            served.get(f"/{number}")
            time.sleep(0.05)

    found = names(receiver)
    assert len(found) == len(set(found)) > 10
    assert served.log.count("--enable-threads") == 2  # uWSGI's own line, and ours
    assert "Traceback" not in served.log


STANDING_IN = """
    import os, sys, types
    uwsgi = sys.modules["uwsgi"] = types.ModuleType("uwsgi")
    uwsgi.masterpid, uwsgi.has_threads = (lambda: master and os.getpid()), threads
    import threading, time
    import requests, curl_interceptor
    session = requests.Session()
    adapter = curl_interceptor.mount(session, hook, cooldown=None)
"""


def test_no_thread_is_started_in_the_master(api, receiver):
    """
    Its workers are forked without a hook, at any moment; what it captured waits for its end.
    """
    ended = run(
        STANDING_IN + "    session.get(url + '?master')\n    print(threading.active_count())\n",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
        master=True,
        threads=1,
    )

    assert (ended.status, ended.out, ended.err) == (0, "1\n", "")
    assert names(receiver) == ["master"]


@pytest.mark.parametrize("strict", [False, True], ids=["", "warnings are errors"])
def test_one_warning_names_the_flag_where_threads_do_not_run(api, receiver, strict):
    """
    It is said once a process, and harms nobody where the app makes errors of warnings.
    """
    ended = run(
        STANDING_IN
        + """
    import warnings
    if strict:
        warnings.simplefilter("error")
    for _ in range(3):
        session.get(url)
    assert adapter.flush(5)
    assert adapter.stats().errors == {"uwsgi_threads": 1}, adapter.stats()
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
        master=False,
        threads=0,
        strict=strict,
    )

    assert ended.status == 0, ended.err
    assert ended.err.count("--enable-threads") == (0 if strict else 1)
    assert len(names(receiver)) == 3


def test_a_child_forked_without_hooks_delivers_its_own(api, receiver):
    """
    The process id tells, whichever of its threads looks first; the parent's backlog and its dead thread are left alone.
    """
    ended = run(
        """
    import ctypes, os, threading, time
    import requests, curl_interceptor
    sessions = [requests.Session() for _ in range(8)]
    for one in sessions:
        adapter = curl_interceptor.mount(one, hook, cooldown=None)
    sessions[0].get(url + "?parent")
    sessions[0].close()
    time.sleep(0.3)                                    # it waits for its batch; busy threads no such fork survives
    child = ctypes.PyDLL(None).fork()                  # the C library's: Python's hooks do not run
    if child == 0:
        ready = threading.Barrier(8)
        def work(number):
            ready.wait()
            sessions[number].get(url + f"?child-{number}")
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join(5)
        ok = adapter.flush(5) and adapter.stats().balanced and adapter.stats().accepted == 8
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert sorted(names(receiver)) == [*(f"child-{number}" for number in range(8)), "parent"]
