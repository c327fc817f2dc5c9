"""`curl-interceptor replay` as somebody meets it whose webhook was down last night: real files, sockets, processes."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from support import receiver as replies
from support.hostile_notices import notice
from support.hostile_records import BASE
from support.process import environment
from support.receiver import Receiver, refused_url
from support.records import documents, in_body

import curl_interceptor
from curl_interceptor import FileInspector, Record
from curl_interceptor.cli import main
from curl_interceptor.inspectors.document import document

SECRET = "h00k-s3cr3t-t0k3n"
BATCH = 10


def record(number: int, **changes: Any) -> Record:
    return replace(BASE, id=f"{number:032x}", url=f"https://api.example.com/v1/{number}", **changes)


def line(number: int, **changes: Any) -> bytes:
    return json.dumps(document(record(number, **changes))).encode() + b"\n"


# What runs the tests may ignore Ctrl-C, as what a shell has put into the background does; children inherit that.
COMMAND = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
COMMAND += "from curl_interceptor.cli import main; sys.exit(main())"


def start(*arguments: object, stdin: Any = subprocess.DEVNULL, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "replay", *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(), **variables},
        text=True,
    )


@pytest.fixture
def replay(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run it in this process, which is quicker; it must end with the status. What it said is returned."""

    def replay(*arguments: object, status: int = 0, said: str = "", **variables: str) -> str:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        capsys.readouterr()
        try:
            code: object = main(["replay", *map(str, arguments)])
        except SystemExit as exit:
            code = exit.code
        text = "".join(capsys.readouterr())
        assert SECRET not in text
        assert code == status, text
        return text

    return replay


def ids(receiver: Receiver, path: str | None = None) -> list[int]:
    return [int(found["id"], 16) for found in documents(receiver, path)]


@pytest.fixture
def hook(receiver: Receiver) -> str:
    return receiver.url(f"/hook/{SECRET}")


@pytest.fixture
def kept(tmp_path: Path) -> Callable[..., Path]:
    def kept(count: int = 25, *, first: int = 0) -> Path:
        file = tmp_path / "undelivered.ndjson"
        with file.open("ab") as out:
            out.writelines(line(number) for number in range(first, first + count))
        return file

    return kept


def state(file: Path) -> dict[str, Any]:
    (progress,) = json.loads(Path(f"{file}.replay").read_text())["webhooks"].values()
    return dict(progress)


def test_what_an_app_could_not_deliver_arrives_later(tmp_path, api, receiver, hook, pipeline, replay):
    """
    The file that a fallback wrote, replayed, gives the receiver what the app would have posted: the same document.
    """
    file = tmp_path / "undelivered.ndjson"
    receiver.script(f"/hook/{SECRET}", [replies.status(404)])
    with requests.Session() as session:
        adapter = curl_interceptor.mount(session, hook, fallbacks=FileInspector(file), cooldown=None, pipeline=pipeline)
        session.post(api.url("/status/500"), json={"amount": 1}, headers={"Authorization": "Bearer abc-secret-123"})
        session.get(api.url("/status/404"))
        assert adapter.flush(10)
    posted = [one for body in receiver.bodies() for one in in_body(body)]
    assert len(posted) == 2

    said = replay(file, "--to", hook)

    assert documents(receiver)[2:] == posted
    assert "2 delivered, 0 skipped, 0 failed, 0 left" in said


def test_each_line_arrives_once_and_the_next_replay_has_nothing_to_do(receiver, hook, kept, replay):
    file = kept(25)

    replay(file, "--to", hook)
    said = replay(file, "--to", hook)

    assert ids(receiver) == list(range(25))
    assert "25 delivered (25 of them before), 0 skipped, 0 failed, 0 left" in said
    assert stat.S_IMODE(os.stat(f"{file}.replay").st_mode) == 0o600
    assert SECRET not in Path(f"{file}.replay").read_text()


def test_what_came_since_is_delivered_by_the_next_replay(receiver, hook, kept, replay):
    file = kept(5)
    replay(file, "--to", hook)
    kept(5, first=5)
    replay(file, "--to", hook)

    assert ids(receiver) == list(range(10))


THOROUGH = pytest.mark.thorough


@pytest.mark.parametrize(
    "ending",
    [signal.SIGKILL, pytest.param(signal.SIGINT, marks=THOROUGH), pytest.param(signal.SIGTERM, marks=THOROUGH)],
)
def test_an_end_in_the_middle_costs_nothing_and_repeats_one_batch_at_most(receiver, hook, kept, ending, replay):
    """
    Killed again and again: in the end everything has arrived, and each kill repeats no more than a batch, under the
    same ids.
    """
    file, kills = kept(300), 0
    receiver.script(f"/hook/{SECRET}", then=replies.slow(0.02, replies.status(200)))
    for _ in range(3):
        before = len(receiver.requests)
        process = start(file, "--to", hook)
        receiver.wait(before + 5, 20)
        process.send_signal(ending)
        out, err = process.communicate(timeout=20)
        kills += 1
        assert process.returncode == (130 if ending == signal.SIGINT else -ending), out + err
        assert "Traceback" not in err
    replay(file, "--to", hook)

    arrived = Counter(ids(receiver))
    repeats = sum(count - 1 for count in arrived.values())
    assert set(arrived) == set(range(300))
    assert repeats <= (0 if ending == signal.SIGINT else kills * BATCH)


def test_ctrl_c_waits_for_the_post_under_way(receiver, hook, kept, replay):
    """
    The sum is told, the state is kept, and the status is that of an interrupted command.
    """
    file = kept(30)
    receiver.script(f"/hook/{SECRET}", then=replies.slow(0.4, replies.status(200)))
    process = start(file, "--to", hook)
    receiver.wait(2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)

    done = len(set(ids(receiver)))
    assert process.returncode == 130
    assert f"{done} delivered, 0 skipped, 0 failed, {30 - done} left" in out
    receiver.script(f"/hook/{SECRET}")
    replay(file, "--to", hook)
    assert sorted(ids(receiver)) == list(range(30))


def test_hostile_lines_are_named_and_skipped(receiver, hook, tmp_path, replay):
    """
    Whatever stands between them, the good lines arrive; each bad one is told by its number and never repeated.
    """
    bad = {
        1: b"\xef\xbb\xbf{" + SECRET.encode(),
        3: b"\xff\xfe\x00 binary",
        4: b'{"id": "1"}',
        5: b"[" * 100_000,
        6: b"null",
        7: b'{"kind": "' + b"x" * 1_000_000 + b'"}',
        8: b'{"a": NaN}',
        9: b'{"id": ' + b"9" * 5_000 + b"}",
        10: b'{"kind": "poem", "text": "' + SECRET.encode() + b'"}',
        11: json.dumps({**document(record(0)), "variables": {"A;id": "Cookie"}}).encode(),
    }
    file = tmp_path / "hostile.ndjson"
    file.write_bytes(
        b"".join(bad[number] + b"\n" if number in bad else line(number) for number in range(1, 13)) + b"\n\r\n  \n"
    )

    said = replay(file, "--to", hook)

    assert ids(receiver) == [2, 12]
    named = {int(number) for number in re.findall(r"line (\d+) is skipped", said)}
    assert named == {1, 3, 4, 5, 6, 8, 9, 11}
    assert "1 of the unknown kind poem" in said
    assert "2 delivered, 10 skipped" in said


def test_a_last_line_that_is_still_written_waits(receiver, hook, kept, replay):
    """
    Half a line is no broken line: the next replay delivers it once it is whole.
    """
    file, whole = kept(2), line(2)
    with file.open("ab") as out:
        out.write(whole[:100])
    said = replay(file, "--to", hook)
    assert "line 3 has no end yet" in said
    with file.open("ab") as out:
        out.write(whole[100:])
    replay(file, "--to", hook)

    assert ids(receiver) == [0, 1, 2]


def test_a_last_line_without_a_newline_is_a_line(receiver, hook, kept, replay):
    file = kept(2)
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    replay(file, "--to", hook)
    with file.open("ab") as out:
        out.write(b"\n" + line(2))
    replay(file, "--to", hook)

    assert ids(receiver) == [0, 1, 2]


def test_a_poison_record_costs_only_itself(receiver, hook, kept, replay):
    """
    What the webhook refuses while it takes others is named, and not tried again.
    """
    file = kept(25)

    def answer(connection: replies.Connection) -> bool:
        poison = b"example.com/v1/7" in connection.request.body
        return replies.status(400 if poison else 200).play(connection)

    receiver.script(f"/hook/{SECRET}", then=replies.Reply(answer))
    said = replay(file, "--to", hook, status=1)
    before = len(receiver.requests)
    again = replay(file, "--to", hook, status=1)

    assert "line 8 is not delivered: HTTP 400" in said
    assert "24 delivered, 0 skipped, 1 failed, 0 left" in said
    assert len(receiver.requests) == before
    assert "24 delivered (24 of them before), 0 skipped, 1 failed, 0 left" in again


@pytest.mark.thorough
def test_a_record_that_makes_the_webhook_fail_does_not_hold_up_the_others(receiver, hook, kept, replay):
    """
    It is given up once it has failed all by itself, and others have passed before and after it.
    """
    file = kept(12)

    def answer(connection: replies.Connection) -> bool:
        poison = b"example.com/v1/7" in connection.request.body
        return replies.status(500 if poison else 200).play(connection)

    receiver.script(f"/hook/{SECRET}", then=replies.Reply(answer))
    said = replay(file, "--to", hook, "--patience", 9, "--batch", 2, status=1)

    assert "line 8 is not delivered: HTTP 500, again and again" in said
    assert "11 delivered, 0 skipped, 1 failed, 0 left" in said


@pytest.mark.parametrize("code", [400, 404, *(pytest.param(code, marks=THOROUGH) for code in (401, 410, 302, 422))])
def test_a_webhook_that_takes_nothing_ends_it_with_a_sentence(receiver, hook, kept, code, replay):
    """
    Nothing counts as failed that another try might deliver: once the webhook is well, everything arrives.
    """
    file = kept(25)
    receiver.script(f"/hook/{SECRET}", then=replies.status(code))
    said = replay(file, "--to", hook, status=1)

    assert f"HTTP {code}" in said
    assert "0 delivered, 0 skipped, 0 failed, 25 left" in said
    receiver.script(f"/hook/{SECRET}")
    before = len(receiver.requests)
    replay(file, "--to", hook)
    taken = [int(one["id"], 16) for body in receiver.bodies()[before:] for one in in_body(body)]
    assert sorted(taken) == list(range(25))


@pytest.mark.parametrize(
    "trouble", ["503", pytest.param("refused", marks=THOROUGH), pytest.param("hang", marks=THOROUGH)]
)
def test_a_webhook_that_is_away_is_waited_for_as_long_as_one_wants(receiver, hook, kept, trouble, replay):
    file = kept(5)
    receiver.script(f"/hook/{SECRET}", then={"503": replies.status(503), "hang": replies.hang()}.get(trouble))
    where = refused_url(f"/hook/{SECRET}") if trouble == "refused" else hook
    began = time.monotonic()
    said = replay(file, "--to", where, "--patience", 1.5, status=1)

    assert "taken nothing for 1.5 s" in said
    assert "5 left" in said
    assert time.monotonic() - began < 10


@pytest.mark.thorough
def test_a_short_outage_is_outlasted(receiver, hook, kept, replay):
    file = kept(25)
    receiver.script(f"/hook/{SECRET}", [replies.status(503)] * 3)

    assert "25 delivered, 0 skipped, 0 failed, 0 left" in replay(file, "--to", hook)


def test_nothing_is_posted_before_a_retry_after_is_over(receiver, hook, kept, replay):
    """
    The time that the service asks for is no impatience of ours.
    """
    file = kept(20)
    receiver.script(f"/hook/{SECRET}", [replies.status(200), replies.status(429, headers={"Retry-After": "2"})])
    replay(file, "--to", hook, "--patience", 0.5)

    times = [request.time for request in receiver.requests]
    assert times[2] - times[1] >= 2
    assert set(ids(receiver)) == set(range(20))


def test_a_webhook_that_wants_to_be_left_alone_for_hours_ends_it(receiver, hook, kept, replay):
    file = kept(3)
    receiver.script(f"/hook/{SECRET}", [replies.status(429, headers={"Retry-After": "7200"})])

    said = replay(file, "--to", hook, status=1)
    assert "HTTP 429, and to be left alone for hours" in said
    assert "0 delivered, 0 skipped, 0 failed, 3 left" in said


def test_several_webhooks_get_everything_once_each(receiver, hook, kept, replay):
    """
    One that is gone does not keep the others from anything, and each goes on where it was.
    """
    file = kept(12)
    receiver.script("/gone", then=replies.status(410))
    said = replay(file, "--to", receiver.url("/gone"), "--to", hook, "--to", hook, status=1)
    assert "12 left" in said
    assert sorted(ids(receiver, f"/hook/{SECRET}")) == list(range(12))

    receiver.script("/gone")
    before = len(receiver.requests)
    replay(file, "--to", receiver.url("/gone"), "--to", hook)
    assert {request.target for request in receiver.requests[before:]} == {"/gone"}
    assert state_of(file, 2) == [12, 12]


def state_of(file: Path, count: int) -> list[int]:
    webhooks = json.loads(Path(f"{file}.replay").read_text())["webhooks"].values()
    assert len(webhooks) == count
    return [progress["delivered"] for progress in webhooks]


def test_the_url_need_not_stand_in_the_history_of_the_shell(receiver, hook, kept, replay):
    replay(kept(1), "--to-env", "HOOK", HOOK=hook)
    assert ids(receiver) == [0]
    os.unlink(f"{kept(0)}.replay")
    replay(kept(0), "--to", "-", said=f"\n{hook}\n")
    assert ids(receiver) == [0, 0]


def test_a_dry_run_sends_and_writes_nothing(receiver, hook, kept, replay):
    file = kept(5)
    with file.open("ab") as out:
        out.write(b"broken\n")

    said = replay(file, "--to", hook, "--dry-run")
    assert "5 would be delivered" in said
    assert "1 skipped" in said
    assert "line 6 is skipped" in said
    assert "5 would be delivered to a webhook" in replay(file, "--dry-run")
    assert receiver.requests == []
    assert sorted(os.listdir(file.parent)) == [file.name]


def test_a_file_that_was_replaced_is_refused_with_a_remedy(receiver, hook, kept, replay):
    """
    A rotated file is noticed, and both halves can be delivered.
    """
    file = kept(5)
    receiver.script(f"/hook/{SECRET}", [replies.status(200), replies.status(404)], then=replies.status(404))
    replay(file, "--to", hook, "--batch", 2, status=1)
    receiver.script(f"/hook/{SECRET}")
    moved = file.with_name(f"{file.name}.1")
    file.rename(moved)
    kept(3, first=50)

    said = replay(file, "--to", hook, status=2)
    assert "not the file that was replayed before" in said
    assert f"go on with '{moved}'" in said
    replay(moved, "--to", hook, "--state", f"{file}.replay")
    os.unlink(f"{file}.replay")
    replay(file, "--to", hook)

    assert set(ids(receiver)) == {0, 1, 2, 3, 4, 50, 51, 52}


@pytest.mark.parametrize("change", ["shorter", "other beginning"])
def test_a_file_that_was_changed_is_refused(hook, kept, change, replay):
    file = kept(5)
    replay(file, "--to", hook)
    text = file.read_bytes()
    with file.open("r+b") as same:
        if change == "shorter":
            same.truncate(len(text) // 2)
        else:
            same.write(b"[")

    assert "not the file that was replayed before" in replay(file, "--to", hook, status=2)


def test_a_state_that_is_none_is_refused(hook, kept, replay):
    file = kept(1)
    for text in ("nonsense", "{}", "[]", '{"version": 1, "file": {}, "webhooks": {}}', "\0"):
        Path(f"{file}.replay").write_text(text)
        assert "is no state of a replay" in replay(file, "--to", hook, status=2)
        assert Path(f"{file}.replay").read_text() == text


def test_two_replays_of_a_file_do_not_meet(receiver, hook, kept, replay):
    """
    The second one is refused as long as the first one is at work, also while that one writes its state.
    """
    file = kept(80)
    receiver.script(f"/hook/{SECRET}", then=replies.slow(0.2, replies.status(200)))
    first = start(file, "--to", hook)
    receiver.wait(3)
    for _ in range(2):
        assert "another replay" in replay(file, "--to", hook, status=2)
    first.communicate(timeout=30)

    assert sorted(ids(receiver)) == list(range(80))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{file}"], "needs --to URL"),
        (["{file}", "https://hooks.example.com/{secret}"], "takes one FILE"),
        (["{file}", "--to", "hooks.example.com/{secret}"], "must begin with http"),
        (["{file}", "--to", ""], "is empty"),
        (["{file}", "--to-env", "NOT_SET_ANYWHERE"], "is not set"),
        (["{file}", "--to-env", "https://hooks.example.com/{secret}"], "is not set"),
        (["https://hooks.example.com/{secret}", "--to", "{hook}"], "FILE is the name of a file"),
        (["{file}", "--to", "{hook}", "--service", "pigeon"], "no service of this name"),
        (["{file}", "--to", "file:{file}"], "delivered to itself"),
        (["{file}", "--to", "{hook}", "--batch", "0"], "--batch"),
        (["{file}", "--to", "{hook}", "--patience", "-1"], "--patience"),
        (["{file}.missing", "--to", "{hook}"], "cannot be read"),
        (["{folder}", "--to", "{hook}"], "Is a directory"),
        (["{file}", "--to", "{hook}", "--state", "{folder}/none/state"], "cannot be kept"),
        (["{file}", "--to", "{hook}", "--state", "{folder}"], "cannot be kept"),
        (["{folder}/packed.gz", "--to", "{hook}"], "unpack it"),
        (["{folder}/pipe", "--to", "{hook}"], "no regular file"),
    ],
)
def test_what_cannot_work_is_said_at_once(receiver, hook, kept, arguments, sentence, replay):
    file = kept(1)
    (file.parent / "packed.gz").write_bytes(gzip.compress(line(0)))
    os.mkfifo(file.parent / "pipe")
    values = {"file": file, "folder": file.parent, "hook": hook, "secret": SECRET}

    assert sentence in replay(*(argument.format(**values) for argument in arguments), status=2)
    assert receiver.requests == []


def test_what_was_edited_passes_the_gate_again(receiver, hook, tmp_path, replay):
    file = tmp_path / "edited.ndjson"
    edited = document(record(1))
    edited["request"]["headers"].append(["Authorization", "Bearer s3cr3t-of-somebody"])
    edited["request"]["body"] = json.dumps({"amount": 1250, "password": "s3cr3t-of-somebody", "internal": "x1"})
    edited["curl"] = "curl https://s3cr3t-of-somebody/"
    file.write_text(json.dumps(edited) + "\n")

    replay(file, "--to", hook, "--hide", "internal")

    (body,) = receiver.bodies()
    assert b"s3cr3t-of-somebody" not in body
    assert in_body(body)[0]["request"]["body"] == '{"amount": 1250, "password": "REDACTED", "internal": "REDACTED"}'


def test_the_service_is_recognised_by_its_url(kept, tmp_path, replay):
    """
    A file is one of them: what is replayed into another file is what stood in the first one.
    """
    file, other = kept(25), tmp_path / "other.ndjson"

    replay(file, "--to", f"file:{other}")

    assert [json.loads(text) for text in other.read_text().splitlines()] == [
        json.loads(text) for text in file.read_text().splitlines()
    ]


def test_what_was_sent_by_hand_is_replayed_too(receiver, hook, kept, replay):
    """
    Messages and reports lie in the file beside records, and arrive in their order.
    """
    file = kept(2)
    report = notice(id="ab", kind="bug_report", level="error", error="ValueError", traceback="ValueError\n  at a.py:1")
    with file.open("a") as out:
        out.writelines(json.dumps(document(one)) + "\n" for one in (notice(id="aa"), report))

    said = replay(file, "--to", hook)

    assert "4 delivered, 0 skipped, 0 failed, 0 left" in said
    assert documents(receiver)[2:] == [document(notice(id="aa")), document(report)]


def test_a_service_on_a_host_of_ones_own_is_named(receiver, hook, kept, replay):
    replay(kept(1), "--to", hook, "--service", "mattermost")

    assert "api.example.com/v1/0" in json.loads(receiver.bodies()[0])["text"]


def test_a_line_that_stands_there_twice_arrives_twice(receiver, hook, kept, replay):
    """
    Two webhooks may have given up the same record; both times it has its id.
    """
    kept(3)
    said = replay(kept(3), "--to", hook)

    assert Counter(ids(receiver)) == {0: 2, 1: 2, 2: 2}
    assert "6 delivered, 0 skipped, 0 failed, 0 left" in said


@pytest.mark.thorough
def test_a_large_file_is_streamed_and_nothing_is_dropped(receiver, hook, tmp_path):
    """
    60 MB of records with large bodies, and one line of 70 MB, go through a process that stays small.
    """
    file = tmp_path / "large.ndjson"
    with file.open("wb") as out:
        for number in range(200):
            out.write(line(number, response_body=b"x" * 300_000, response_body_size=300_000))
            if number == 100:
                out.write(b"y" * 70_000_000 + b"\n")
    script = (
        "import resource, sys; from curl_interceptor.cli import main; code = main(sys.argv[1:]);"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "replay", str(file), "--to", hook],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "line 102 is skipped: it is longer than 64 MB" in ended.stdout
    assert sorted(ids(receiver)) == list(range(200))
    assert int(ended.stdout.split()[-1]) < 220


def test_a_terminal_sees_a_bar_and_others_do_not(receiver, hook, kept, replay):
    file = kept(30)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "curl_interceptor", "replay", str(file), "--to", hook],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**environment(), "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(ours)

    assert process.wait(20) == 0
    assert b"[########################] 100% webhook:" in seen
    assert b"30 delivered, 0 skipped, 0 failed, 0 left" in seen.rpartition(b"\r\x1b[K")[2]
    os.unlink(f"{file}.replay")
    assert "[#" not in replay(file, "--to", hook)
