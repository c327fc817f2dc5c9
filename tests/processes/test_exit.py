"""How a process ends while webhooks have trouble: in time, with its own status, and with nothing on stderr."""

from __future__ import annotations

import signal
import time

import pytest
from support import receiver as replies
from support.process import run, start
from support.records import documents, names

# The first hook that is registered runs last of all: what it prints is the length of the exit.
COMMON = """
    import atexit, time
    began = [0.0]
    atexit.register(lambda: print("ended", time.monotonic() - began[0]))
    import os, sys, threading, signal
    import requests, curl_interceptor
    from curl_interceptor import BatchPolicy
    session = requests.Session()
    began[0] = time.monotonic()
"""


def exit_seconds(out: str) -> float:
    """What the exit took: from the last line of the script to the last of all exit hooks."""
    return float(out.split("ended ")[1].split()[0])


def test_a_lone_record_is_delivered_at_exit(api, receiver):
    """
    A script that fails one request and ends has told of it.
    """
    ended = run(
        COMMON + "    curl_interceptor.mount(session, hook)\n    session.get(url)\n",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert [record["status"] for record in documents(receiver)] == [500]
    assert exit_seconds(ended.out) < 1.0


HUNG = {
    "hang": ("pass", 0),
    "hang_before_reading": ("sys.exit(7)", 7),
    "drip_head": ("os.kill(os.getpid(), signal.SIGTERM)", 3),
    "drip_body": ("pass", 0),
}


def test_exit_is_in_time_with_a_hung_webhook(api, receiver):
    """
    The process ends within `exit_timeout` and half a second, its status untouched, and nothing on stderr.
    """
    running = {}
    for answer, (ending, status) in HUNG.items():
        receiver.script(f"/{answer}", then=getattr(replies, answer)())
        running[answer, status] = start(
            COMMON
            + f"""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    adapter = curl_interceptor.mount(session, hook, batch=BatchPolicy(1, 0), cooldown=None)
    for _ in range(20):
        session.get(url)
    time.sleep(0.2)
    began[0] = time.monotonic()
    {ending}
""",
            hook=receiver.url(f"/{answer}"),
            url=api.url("/status/500"),
        )
    ends = {(answer, status): one.end() for (answer, status), one in running.items()}

    for (answer, status), ended in ends.items():
        assert (ended.status, ended.err) == (status, ""), answer
        assert exit_seconds(ended.out) < 2.5, answer


ENDINGS = {
    "normal end": ("pass", 0, ""),
    "sys.exit": ("sys.exit(7)", 7, ""),
    "exception": ("raise SystemError('of the app')", 1, "SystemError: of the app"),
    "interrupt": ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "KeyboardInterrupt"),
    "handled SIGTERM": ("signal.raise_signal(signal.SIGTERM)", 3, ""),
}
TROUBLES = ["hang", "drip_head", "drip_body", "connect", "look-up", "slow", "endless", "refused", "unavailable"]


@pytest.mark.thorough
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_every_ending_with_every_trouble(api, receiver, trouble, ending):
    """
    In time, with the status that it had without us, nothing of ours on stderr; a healthy webhook gets all it can.
    """
    scripted = {"slow": replies.slow(0.3), "unavailable": replies.status(503), "endless": replies.endless(0.01)}
    if trouble in ("hang", "drip_head", "drip_body"):
        scripted[trouble] = getattr(replies, trouble)()
    receiver.script("/trouble", then=scripted.get(trouble))
    with replies.Unreachable() as unreachable:
        places = {
            "connect": unreachable.url,
            "look-up": "http://hooks.example/hook",
            "refused": replies.refused_url(),
        }
        code, status, last = ENDINGS[ending]
        ended = run(
            COMMON
            + f"""
    import socket
    looked_up = socket.getaddrinfo
    def look_up(host, *args, **kwargs):
        if host == "hooks.example":
            time.sleep(60)
        return looked_up(host, *args, **kwargs)
    socket.getaddrinfo = look_up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    own = BatchPolicy(1, 0)
    hooks = [curl_interceptor.WebhookInspector(trouble, batch=own), curl_interceptor.WebhookInspector(healthy)]
    adapter = curl_interceptor.mount(session, *hooks, cooldown=None)
    for number in range(20):
        session.get(url + f"?{{number}}")
    time.sleep(0.2)
    atexit.register(lambda: began.__setitem__(0, time.monotonic()))   # runs first of all
    {code}
""",
            trouble=places.get(trouble, receiver.url("/trouble")),
            healthy=receiver.url("/healthy"),
            url=api.url("/status/500"),
        )

    assert ended.status == status, ended.err
    assert "curl_interceptor" not in ended.err
    assert (ended.err.strip().splitlines() or [""])[-1] == last
    assert sorted(names(receiver, "/healthy"), key=int) == [str(number) for number in range(20)]
    assert exit_seconds(ended.out) < (1.0 if trouble in ("refused", "unavailable") else 2.5)
    if trouble == "slow":
        assert len(names(receiver, "/trouble")) >= 4


def test_an_uncaught_exception_stays_the_only_thing_on_stderr(api, receiver):
    """
    The traceback and the status of a crashing script are its own.
    """
    receiver.script("/hook", then=replies.hang())
    ended = run(
        COMMON
        + """
    curl_interceptor.mount(session, hook, exit_timeout=0.5)
    session.get(url)
    raise SystemError("the app's own")
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert ended.status == 1
    assert ended.err.strip().splitlines()[-1] == "SystemError: the app's own"
    assert "curl_interceptor" not in ended.err
    assert exit_seconds(ended.out) < 1.0


@pytest.mark.parametrize("trouble", ["refused", "unavailable"])
def test_exit_is_at_once_where_waiting_is_useless(api, receiver, trouble):
    """
    A webhook that refuses or answers 503 costs two attempts, not the whole deadline.
    """
    receiver.script("/hook", then=replies.status(503))
    hook = replies.refused_url() if trouble == "refused" else receiver.url("/hook")
    ended = run(
        COMMON
        + """
    curl_interceptor.mount(session, hook, batch=BatchPolicy(1, 0), cooldown=None)
    for _ in range(50):
        session.get(url)
    began[0] = time.monotonic()
""",
        hook=hook,
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert exit_seconds(ended.out) < 1.0


def test_a_healthy_webhook_gets_everything_beside_a_hung_one(api, receiver):
    """
    At exit, what one webhook cannot take does not cost another one its records.
    """
    receiver.script("/hung", then=replies.hang())
    ended = run(
        COMMON
        + """
    curl_interceptor.mount(session, hung, healthy, cooldown=None, exit_timeout=1.0)
    for _ in range(100):
        session.get(url)
    began[0] = time.monotonic()
""",
        hung=receiver.url("/hung"),
        healthy=receiver.url("/healthy"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert len(documents(receiver, "/healthy")) == 100
    assert exit_seconds(ended.out) < 1.5


def test_what_the_cooldown_holds_back_is_told_at_exit(api, receiver):
    """
    A process that ends in the middle of a window says how often it happened.
    """
    ended = run(
        COMMON
        + """
    adapter = curl_interceptor.mount(session, hook)
    for _ in range(37):
        session.get(url)
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert sum(1 + record["suppressed"] for record in documents(receiver)) == 37
    assert len(documents(receiver)) == 2


def test_requests_of_exit_hooks_harm_nobody(api, receiver):
    """
    Requests made in `atexit` hooks that run before and after ours, the first of the process included, are harmless.
    """
    ended = run(
        """
    import atexit, os
    import requests
    session = requests.Session()
    atexit.register(lambda: session.get(url + "?after"))
    import curl_interceptor
    curl_interceptor.mount(session, hook, cooldown=None)
    atexit.register(lambda: session.get(url + "?before"))
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert [record["url"].partition("?")[2] for record in documents(receiver)] == ["before"]


def test_daemon_threads_that_go_on_requesting_harm_nobody(api, receiver):
    """
    A daemon thread that sends requests until the interpreter is gone neither hangs nor dirties the end.
    """
    ended = run(
        COMMON
        + """
    curl_interceptor.mount(session, hook, cooldown=None, exit_timeout=0.5)
    def loop():
        own = requests.Session()
        curl_interceptor.mount(own, hook, cooldown=None)
        while True:
            own.get(url)
    for _ in range(3):
        threading.Thread(target=loop, daemon=True).start()
    time.sleep(0.3)
    began[0] = time.monotonic()
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert exit_seconds(ended.out) < 1.0


@pytest.mark.parametrize("answer", ["hang", pytest.param("drip_body", marks=pytest.mark.thorough)])
def test_requests_during_the_end_prolong_no_end(api, receiver, answer):
    """
    Hooks and daemon threads that go on requesting while the exit waits for a hung webhook get no further second.
    """
    receiver.script("/hook", then=getattr(replies, answer)())
    ended = run(
        COMMON
        + """
    curl_interceptor.mount(session, hook, cooldown=None)
    def loop():
        own = requests.Session()
        curl_interceptor.mount(own, hook, cooldown=None)
        while True:
            own.get(url)
    for _ in range(2):
        threading.Thread(target=loop, daemon=True).start()
    time.sleep(0.2)
    atexit.register(lambda: [session.get(url) for _ in range(3)])
    began[0] = time.monotonic()
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert exit_seconds(ended.out) < 2.5


def test_a_logging_inspector_logs_at_exit_from_the_exiting_thread(api):
    """
    The default inspector's record of a script's last request is not lost, and no other thread writes it.
    """
    ended = run(
        COMMON
        + """
    import logging
    logging.basicConfig(stream=sys.stdout, format="%(threadName)s %(levelname)s %(message)s")
    curl_interceptor.mount(session)
    session.get(url + "?token=hidden")
""",
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert "MainThread WARNING 500 after" in ended.out
    assert "curl -q" in ended.out
    assert "token=REDACTED" in ended.out
    assert "hidden" not in ended.out


def test_interrupt_in_the_middle_of_the_exit_is_quiet(api, receiver):
    """
    Ctrl-C while the exit hook waits for a hung webhook ends the process at once.
    """
    receiver.script("/hook", then=replies.hang())
    running = start(
        COMMON
        + """
    curl_interceptor.mount(session, hook, exit_timeout=20)
    session.get(url)
    atexit.register(lambda: print("ending", flush=True))   # runs first of all
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )
    assert running.wait_for_line() == "ending\n"
    time.sleep(0.5)
    running.interrupt()
    ended = running.end()

    assert ended.err == ""
    assert exit_seconds(ended.out) < 8


def test_import_starts_no_thread_and_a_session_without_failures_neither(api):
    """
    No thread before the first record.
    """
    ended = run(
        COMMON
        + """
    adapter = curl_interceptor.mount(session, "http://127.0.0.1:9/hook", cooldown=None)
    session.get(url)
    print(threading.active_count(), adapter.stats().threads)
""",
        url=api.url("/status/200"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("1 0")


def test_a_hung_webhook_leaves_time_for_others_also_where_no_thread_can_be_started(api, receiver):
    """
    On some versions no thread can be started while the process ends: the exiting thread shares the time out.
    """
    receiver.script("/hung", then=replies.hang())
    ended = run(
        COMMON
        + """
    curl_interceptor.mount(session, hung, healthy, cooldown=None, exit_timeout=0.5)
    session.get(url)
    time.sleep(pause)
    began[0] = time.monotonic()
""",
        hung=receiver.url("/hung"),
        healthy=receiver.url("/healthy"),
        url=api.url("/status/500"),
        pause=0.3,
    )

    assert (ended.status, ended.err) == (0, "")
    assert len(documents(receiver, "/healthy")) == 1
    assert exit_seconds(ended.out) < 1.0


def test_fallbacks_take_at_exit_what_a_hung_webhook_did_not(api, receiver):
    """
    Shortly before the deadline a callable gets what will not be delivered.
    """
    receiver.script("/hook", then=replies.hang())
    ended = run(
        COMMON
        + """
    def take(entry):
        print("taken", entry.status, flush=True)
    curl_interceptor.mount(session, hook, cooldown=None, exit_timeout=0.5, fallbacks=take)
    for _ in range(3):
        session.get(url)
    time.sleep(0.2)
    began[0] = time.monotonic()
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.count("taken 500") == 3
    assert exit_seconds(ended.out) < 1.0


def test_the_exiting_thread_tells_of_what_was_lost(api):
    """
    Where somebody listens, one line says how many records of which webhook were not delivered, and why.
    """
    ended = run(
        COMMON
        + """
    import logging
    logging.basicConfig(stream=sys.stdout, format="%(threadName)s %(levelname)s %(message)s")
    curl_interceptor.mount(session, hook, cooldown=None)
    for _ in range(3):
        session.get(url)
""",
        hook=replies.refused_url("/s3cr3t"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert "MainThread WARNING 3 records for webhook:127.0.0.1" in ended.out
    assert "ConnectionRefusedError" in ended.out
    assert "s3cr3t" not in ended.out


def test_an_unconfigured_logger_is_silent_at_exit(api):
    """
    `logging` would print to stderr where no handler listens; while the process ends nothing of ours is printed.
    """
    ended = run(COMMON + "    curl_interceptor.mount(session)\n    session.get(url)\n", url=api.url("/status/500"))
    assert (ended.status, ended.err) == (0, "")


def test_a_paused_pipeline_holds_up_no_exit(api, receiver):
    """
    Nothing is posted, nobody waits, and a callable gets what is dropped.
    """
    ended = run(
        COMMON
        + """
    adapter = curl_interceptor.mount(session, hook, fallbacks=[lambda record: print("kept", record.status)])
    adapter.pipeline.pause()
    session.get(url)
    """,
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert "kept 500" in ended.out
    assert documents(receiver) == []
    assert exit_seconds(ended.out) < 1.0


def test_a_factory_may_be_called_at_exit(api, receiver):
    """
    A script that ends at once has told of its failure all the same; one whose factory fails ends in peace.
    """
    for factory in ("lambda: hook", "lambda: 1 / 0"):
        ended = run(
            COMMON + f"    curl_interceptor.mount(session, {factory})\n    session.get(url)\n",
            hook=receiver.url("/hook"),
            url=api.url("/status/500"),
        )
        assert (ended.status, ended.err) == (0, "")
        assert exit_seconds(ended.out) < 1.0
    assert [record["status"] for record in documents(receiver)] == [500]


def test_a_message_of_the_last_line_arrives(receiver):
    """
    What is sent by hand at the very end of a script is delivered, and an exit that fails is not changed by it.
    """
    ended = run(
        """
    import curl_interceptor, sys
    adapter = curl_interceptor.CurlInterceptor(inspectors=hook)
    try:
        1 / 0
    except ZeroDivisionError:
        adapter.send_bug_report()
        adapter.send_message("that was all")
        sys.exit(3)
""",
        hook=receiver.url("/hook"),
    )

    assert (ended.status, ended.err) == (3, "")
    assert [(sent["kind"], sent["text"]) for sent in documents(receiver)] == [
        ("bug_report", ""),
        ("message", "that was all"),
    ]
