"""The script that runs other projects' suites, on a suite of three tests: what it notices, and what it lets through."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import pytest
from support.receiver import Receiver
from transparency.comparison import FIRST_RUN, Run, Verdict, compare, newly_failing
from transparency.environment import Place
from transparency.run import problem_of
from transparency.suites import SUITES, Suite

TESTS = """
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests


def test_that_sends():
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert requests.get(f"http://127.0.0.1:{server.server_port}/").status_code == 501


def test_that_sees_us():
    assert type(requests.Session().get_adapter("http://")) is requests.adapters.HTTPAdapter


def test_that_wants_to_leave():
    with pytest.raises(requests.ConnectionError):
        requests.get("http://198.51.100.7/")
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A suite with one test that cannot pass with another class in place."""
    folder = tmp_path / "small-1"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "test_small.py").write_text(TESTS, "utf-8")
    sdist = tmp_path / "small-1.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(folder, "small-1")
    suite = Suite("small", swap="session", arguments=("-p", "no:hypothesispytest"))  # what it does not use takes long
    return Place(suite, "1", sdist, Path(sys.executable))


def test_a_test_that_fails_with_ours_alone_is_found(place):
    """
    Of three tests the one that sees our class newly fails; the others pass, were captured, and left nothing.
    """
    with Receiver() as receiver:
        verdict = compare(place, receiver.url, repeats=1, timeout=60)
        bodies = receiver.bodies(FIRST_RUN)
    documents = [json.loads(body) for body in bodies]
    records = [record for one in documents for record in (one if isinstance(one, list) else [one])]

    assert not verdict.plain.broken
    assert set(verdict.plain.outcomes.values()) == {"passed"}
    assert [*verdict.failing] == ["tests/test_small.py::test_that_sees_us"]
    assert not verdict.flaky
    assert verdict.plain.outside == verdict.swapped.outside == {"tests/test_small.py::test_that_wants_to_leave"}
    assert sorted(record["status"] or 0 for record in records) == [0, 501]
    assert verdict.swapped.captured == 2
    assert problem_of(verdict, len(records)) == ""


@pytest.mark.parametrize(
    ("plain", "ours", "worse"),
    [
        ("passed", "passed", False),
        ("passed", "failed", True),
        ("passed", "skipped", True),
        ("passed", None, True),
        ("xfailed", "xpassed", True),
        ("skipped", "skipped", False),
        ("skipped", "failed", True),
        ("failed", "failed", False),
        ("failed", "passed", False),
    ],
)
def test_what_counts_as_newly_failing(plain, ours, worse):
    """
    A test counts if it ended well without us, and does not with us, for whatever reason.
    """
    found = newly_failing(Run({"test": plain}), Run({"test": ours} if ours else {}))

    assert found == (["test"] if worse else [])


@pytest.mark.parametrize(
    ("plain", "ours", "delivered", "word"),
    [
        (Run({"a": "passed"}), Run({"a": "passed"}, captured=3), 3, ""),
        (Run({"a": "passed"}), Run({"a": "passed"}, captured=0), 0, "captured"),
        (Run({"a": "passed"}), Run({"a": "passed"}, captured=3), 0, "delivered"),
        (Run({"a": "passed"}), Run({}, broken="it took too long"), 0, "with ours"),
        (Run({}, broken="it took too long"), Run({}), 0, "plain"),
        (Run({"a": "failed"}), Run({"a": "failed"}, captured=3), 3, "no test"),
    ],
)
def test_a_run_that_shows_nothing_is_no_evidence(plain, ours, delivered, word):
    """
    Where nothing was captured, or nothing ran, nobody may read a success.
    """
    problem = problem_of(Verdict(plain, ours, {}, {}), delivered)

    assert word in problem
    assert bool(problem) == bool(word)


def test_every_suite_has_its_swap():
    """
    What a suite says that our class takes the place of is something that the plugin knows.
    """
    swaps = (Path(__file__).parent / "inside" / "transparency_swap.py").read_text("utf-8")

    for suite in SUITES.values():
        assert f'"{suite.swap}": _' in swaps
