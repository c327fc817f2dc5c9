"""Records in a file: lines that parse, whoever else writes there, and no more of them than there is room for."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from support.receiver import hang, status
from support.waiting import until

import curl_interceptor
from curl_interceptor import BatchPolicy, BreakerPolicy, ConfigurationError, FileInspector, Pipeline, WebhookInspector
from curl_interceptor.delivery import file as module
from curl_interceptor.delivery.file import FileTransport
from curl_interceptor.errors import BadPayload, Transient
from curl_interceptor.inspectors import Payload
from curl_interceptor.inspectors.recognise import inspector_for
from curl_interceptor.policies import TransportPolicy

QUICK = {"cooldown": None, "batch": BatchPolicy(1, 0)}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "calls.ndjson"


def transport(path: Path, size: int = 1_000_000) -> FileTransport:
    return FileTransport(f"file:{size}:{path}", TransportPolicy())


def payload(body: bytes = b'{"n":1}\n') -> Payload:
    return Payload((), body, "application/x-ndjson")


def lines(path: Path) -> list[dict]:
    text = path.read_text("ascii")
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


# -- construction -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: FileInspector(folder / "no" / "calls.ndjson"), "does not exist; create it"),
        (lambda folder: FileInspector(folder), "no regular file"),
        (lambda folder: FileInspector(""), "path must be"),
        (lambda folder: FileInspector(str(folder / "a\0b")), "path must be"),
        (lambda folder: FileInspector(None), "path must be"),
        (lambda folder: FileInspector(b"/tmp/calls"), "path must be"),
        (lambda folder: FileInspector(folder / "x", max_bytes=10), "max_bytes must be"),
        (lambda folder: FileInspector(folder / "x", max_bytes=float("nan")), "max_bytes must be"),
        (lambda folder: inspector_for(f"file://other.host{folder}/x"), "three slashes"),
    ],
)
def test_what_cannot_work_is_said_at_construction(tmp_path, make, message):
    """
    A mistake in the path is an error that names the remedy, before the first record is lost.
    """
    with pytest.raises(ConfigurationError, match=message):
        make(tmp_path)


def test_a_link_is_refused_at_construction(tmp_path, path):
    """
    Where somebody laid a link nothing is written.
    """
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigurationError, match="no regular file"):
        FileInspector(path)


def test_a_relative_path_counts_from_where_the_process_was(tmp_path, monkeypatch):
    """
    A daemon that changes its directory later goes on writing where it was told to.
    """
    monkeypatch.chdir(tmp_path)
    inspector = FileInspector("calls.ndjson")
    monkeypatch.chdir("/")

    assert inspector.path == str(tmp_path / "calls.ndjson")


@pytest.mark.parametrize("form", ["file:{}", "file://{}", "FILE://localhost{}"])
def test_an_address_will_do(tmp_path, form):
    """
    A path after `file:` names a file wherever a URL names a webhook.
    """
    inspector = inspector_for(form.format(tmp_path / "calls.ndjson"))

    assert isinstance(inspector, FileInspector)
    assert inspector.path == str(tmp_path / "calls.ndjson")


# -- the transport ----------------------------------------------------------------------------------------------------


def test_a_new_file_is_for_its_owner_only(path):
    """
    Mode 0600, and later batches go to its end.
    """
    one = transport(path)
    one.post(payload(), 1)
    one.post(payload(b'{"n":2}\n{"n":3}\n'), 1)

    assert [line["n"] for line in lines(path)] == [1, 2, 3]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_file_becomes_its_sibling(path):
    """
    The file and its `.1` hold the newest lines, and never more than the bound each.
    """
    one = transport(path, 100)
    for number in range(50):
        one.post(payload(b'{"n":%3d}\n' % number), 1)

    numbers = [line["n"] for line in [*lines(path.with_suffix(".ndjson.1")), *lines(path)]]
    assert numbers == list(range(numbers[0], 50))
    assert len(numbers) > 10
    assert sorted(os.listdir(path.parent)) == ["calls.ndjson", "calls.ndjson.1"]
    assert all(entry.stat().st_size <= 100 for entry in os.scandir(path.parent))


def test_what_is_larger_than_the_file_may_be_is_refused(path):
    """
    It is halved, and a record that is too large by itself goes plain and then to the fallback.
    """
    with pytest.raises(BadPayload):
        transport(path, 100).post(payload(b"x" * 101), 1)

    assert not path.exists()


@pytest.mark.parametrize("what", ["link", "hard link", "pipe", "directory", "no directory"])
def test_nothing_strange_is_written_to(tmp_path, path, what):
    """
    What took the file's place after construction is left alone, and nothing waits for it.
    """
    other = tmp_path / "other"
    other.write_text("precious")
    {
        "link": lambda: path.symlink_to(other),
        "hard link": lambda: path.hardlink_to(other),
        "pipe": lambda: os.mkfifo(path),
        "directory": path.mkdir,
        "no directory": lambda: None,
    }[what]()
    where = tmp_path / "gone" / "calls" if what == "no directory" else path
    began = time.monotonic()
    with pytest.raises(Transient) as caught:
        transport(where).post(payload(), 20)

    assert time.monotonic() - began < 5
    assert str(tmp_path) not in str(caught.value)
    assert other.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_not_written_to(path):
    """
    Who owns the file can read it.
    """
    path.touch()
    os.chown(path, 12345, 12345)

    with pytest.raises(Transient, match="another user"):
        transport(path).post(payload(), 1)


def test_a_full_disk_leaves_no_half_line(path):
    """
    What was written of a batch is taken back, and the attempt is Transient; later there may be room.
    """
    one = transport(path)
    one.post(payload(), 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(Transient, match="ENOSPC"):
            one.post(payload(b'{"n":"%s"}\n' % (b"x" * 100)), 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert lines(path) == [{"n": 1}]
    one.post(payload(), 1)
    assert lines(path) == [{"n": 1}, {"n": 1}]


def test_a_child_of_a_fork_does_not_keep_the_lock(path, monkeypatch):
    """
    A copy of the open file, as a fork in the middle of a write leaves it in the child, blocks nobody.
    """
    copies, write = [], module._write

    def fork_in_between(file: int, body: bytes, size: int) -> None:
        copies.append(os.dup(file))
        write(file, body, size)

    monkeypatch.setattr(module, "_write", fork_in_between)
    transport(path).post(payload(), 0.2)
    transport(path).post(payload(), 0.2)
    for copy in copies:
        os.close(copy)

    assert len(lines(path)) == 2


def test_a_process_that_holds_the_lock_costs_one_timeout(path):
    """
    Somebody who locked the file and sleeps is not waited for longer than an attempt may take.
    """
    import fcntl

    with open(path, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Transient, match="another process"):
            transport(path).post(payload(), 0.05)


WRITER = """
    import sys
    from curl_interceptor.delivery.file import FileTransport
    from curl_interceptor.inspectors import Payload
    from curl_interceptor.policies import TransportPolicy

    path, name = sys.argv[1:]
    one = FileTransport(f"file:20000:{path}", TransportPolicy())
    for number in range(300):
        body = b"".join(b'{"who":"%s","n":%d}\\n' % (name.encode(), 2 * number + half) for half in (0, 1))
        one.post(Payload((), body, "application/x-ndjson"), 5)
"""


def test_several_processes_share_a_file_and_its_sibling(path):
    """
    Lines are whole and batches together; when the file is full one process moves it, and the newest lines stay.
    """
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    writers = [subprocess.Popen([*command, name]) for name in ("a", "b", "c")]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]

    found = [*lines(path.with_suffix(".ndjson.1")), *lines(path)]
    assert len(found) > 800
    for name in "abc":
        mine = [line["n"] for line in found if line["who"] == name]
        assert mine == list(range(mine[0], 600)) if mine else name
        assert not mine or mine[0] % 2 == 0


# -- as a destination -------------------------------------------------------------------------------------------------


def test_records_are_redacted_lines_of_the_webhooks_json(session, pipeline, api, path):
    """
    Each line has the document that the generic webhook would post, with a constant id, and no secret.
    """
    curl_interceptor.mount(session, FileInspector(path), pipeline=pipeline, **QUICK)
    for _ in range(3):
        session.get(api.url("/status/500?token=s3cr3t"), headers={"Authorization": "Bearer s3cr3t"})
    assert pipeline.flush()

    found = lines(path)
    assert len({line["id"] for line in found}) == 3
    assert all(line["curl"].startswith("curl ") and line["status"] == 500 for line in found)
    assert "s3cr3t" not in path.read_text()


def test_a_file_is_a_fallback(session, pipeline, receiver, fail, path):
    """
    What the webhook refuses lies in the file, and the books say that a fallback took it.
    """
    receiver.script("/hook", then=status(400))
    hook = WebhookInspector(receiver.url("/hook"), fallbacks=[f"file:{path}"])
    curl_interceptor.mount(session, hook, pipeline=pipeline, **QUICK)
    fail(3)
    until(lambda: path.exists() and len(lines(path)) == 3)

    webhook, file = pipeline.stats().inspectors
    assert (webhook.failed, webhook.fallbacks) == (3, {"taken": 3})
    assert webhook.degraded == "fallback"
    until(lambda: pipeline.stats().inspectors[1].delivered == 3)
    assert file.label == f"file:{path}"


def test_fallbacks_are_tried_in_turn_when_the_disk_is_full(session, receiver, fail, tmp_path, path):
    """
    A file that cannot be written to hands on to the callable behind it.
    """
    receiver.script("/hook", then=status(410))
    taken: list[object] = []
    pipeline = Pipeline()
    hook = WebhookInspector(receiver.url("/hook"), fallbacks=[FileInspector(path), taken.append])
    options = {**QUICK, "breaker": BreakerPolicy(1, 0.05), "fallback_after": 0.2}
    curl_interceptor.mount(session, hook, pipeline=pipeline, **options)
    path.mkdir()  # it cannot be opened any more
    fail(2)
    until(lambda: len(taken) == 2)
    pipeline.close(0.5)

    assert pipeline.stats().inspectors[1].failed == 2


def test_a_local_delivery_waits_for_no_webhook_that_hangs(session, receiver, fail, path):
    """
    All workers hang, and the file has its lines all the same.
    """
    receiver.script("/hang", then=hang())
    pipeline = Pipeline(workers=2, exit_timeout=0.2)
    hooks = [WebhookInspector(receiver.url(f"/hang?{number}")) for number in range(4)]
    curl_interceptor.mount(session, *hooks, FileInspector(path), pipeline=pipeline, **QUICK)
    fail(1)
    receiver.wait(2)
    began = time.monotonic()
    fail(3)
    until(lambda: len(lines(path)) == 4)

    assert time.monotonic() - began < 5
    assert sum(thread.name.startswith("curl-interceptor-worker") for thread in threading.enumerate()) >= 3
    pipeline.close(0.1)
