"""A suite run plain and with our class in place, and what is to be made of the difference."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from transparency.environment import Place

__all__ = ["FIRST_RUN", "Run", "Verdict", "compare", "newly_failing", "run_suite"]

FIRST_RUN = "/first"
_INSIDE = Path(__file__).resolve().parent / "inside"
_WORST = ("skipped", "xfailed", "passed", "xpassed", "failed")
_GOOD = frozenset({"skipped", "xfailed", "passed"})
_TEST_TIMEOUT = 60  # seconds for one test
# Set on the machine of whoever runs this, they would change what the tests see.
_NOT_OURS = (
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC", "SSLKEYLOGFILE"),
    *("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONPATH", "PYTHONWARNINGS", "CURL_INTERCEPTOR_ENABLED"),
)


@dataclass(frozen=True)
class Run:
    """What one run of a suite showed.

    Parameters
    ----------
    outcomes: The outcome of each test.
    texts: The explanation of each that failed.
    outside: Tests that wanted to leave the loopback interface.
    captured: How many exchanges were captured.
    broken: Why the run is no evidence, such as that it took too long; empty if it is.
    """

    outcomes: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict)
    outside: Set[str] = frozenset()
    captured: int = 0
    broken: str = ""

    def good(self, test: str) -> bool:
        """Whether a test ended as it should."""
        return self.outcomes.get(test) in _GOOD


@dataclass(frozen=True)
class Verdict:
    """What the comparison of the two ways showed.

    Parameters
    ----------
    plain: The first plain run.
    swapped: The first one with our class in place.
    failing: Tests that, repeated, fail more than twice as often with ours, and why they did.
    flaky: Tests that failed once with ours, and do not.
    """

    plain: Run
    swapped: Run
    failing: Mapping[str, str]
    flaky: Mapping[str, str]


def compare(place: Place, url: Callable[[str], str], *, repeats: int, timeout: float) -> Verdict:
    """Run a suite both ways, and what newly fails several times more, both ways by turns.

    A test that is repeated is so together with all of its module, since it may stand on what ran before it.

    Parameters
    ----------
    place: The suite.
    url: Makes a URL of a path, where what is captured is delivered: FIRST_RUN, or "/again" for repetitions.
    repeats: How often it is repeated, 1 or more.
    timeout: Most seconds for one run.
    """
    plain = run_suite(place, timeout=timeout)
    swapped = run_suite(place, webhook=url(FIRST_RUN), timeout=timeout)
    suspects = newly_failing(plain, swapped)
    if plain.broken or swapped.broken or not suspects:
        return Verdict(plain, swapped, {}, {})
    modules = sorted({test.partition("::")[0] for test in suspects})
    rest: dict[str, Counter[str]] = {"plain": Counter(), "ours": Counter()}
    for _ in range(repeats):
        for way, webhook in (("plain", ""), ("ours", url("/again"))):
            again = run_suite(place, webhook=webhook, timeout=timeout, paths=modules)
            rest[way].update(test for test in suspects if _is_worse(plain.outcomes[test], again.outcomes.get(test)))
    failing, flaky = {}, {}
    for test in suspects:
        # One that also fails plainly does so by chance, so a little more often with ours says nothing.
        worse = rest["ours"][test] > 2 * rest["plain"][test]
        odds = f"of {repeats} repetitions failed {rest['ours'][test]} with ours and {rest['plain'][test]} plain"
        text = swapped.texts.get(test) or f"it is {swapped.outcomes.get(test, 'missing')}"
        (failing if worse else flaky)[test] = f"{odds}\n{text}"
    return Verdict(plain, swapped, failing, flaky)


def newly_failing(plain: Run, swapped: Run) -> list[str]:
    """Return the tests that end well plainly and otherwise with ours."""
    return sorted(test for test, outcome in plain.outcomes.items() if _is_worse(outcome, swapped.outcomes.get(test)))


def _is_worse(plain: str, ours: str | None) -> bool:
    """Whether a test went worse with ours; one that no longer runs, or is skipped, did."""
    newly_skipped = ours == "skipped" and plain != "skipped"
    return plain in _GOOD and (ours not in _GOOD or newly_skipped)


def run_suite(place: Place, *, webhook: str = "", timeout: float, paths: Sequence[str] = ()) -> Run:
    """Run a suite once.

    Parameters
    ----------
    place: The suite.
    webhook: Where what is captured is delivered, and our class put in place; empty runs it plain.
    timeout: Most seconds that it may take.
    paths: What of it to run. Default: all of it.
    """
    suite = place.suite
    with place.unpacked() as folder:
        report = folder.parent / "report.jsonl"
        report.touch()
        home = folder.parent / "home"
        home.mkdir()
        plugins = ["transparency_loopback", "transparency_outcomes", *(["transparency_swap"] if webhook else [])]
        command = [str(place.python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "no:curl_interceptor", "--continue-on-collection-errors"]
        command += [*(f"-p{plugin}" for plugin in plugins), *suite.arguments, *(paths or suite.paths)]
        environment = {
            **{name: value for name, value in os.environ.items() if name not in _NOT_OURS and not _is_proxy(name)},
            "HOME": str(home),
            "PYTEST_TIMEOUT": str(_TEST_TIMEOUT),
            "PYTHONPATH": str(_INSIDE),
            "TRANSPARENCY_REPORT": str(report),
            "TRANSPARENCY_SWAP": suite.swap,
            "TRANSPARENCY_WEBHOOK": webhook,
            **suite.environment,
        }
        output = folder.parent / "output.txt"
        broken = _run(command, folder, environment, output, timeout)
        return _read(report, broken, str(folder), swapped=bool(webhook))


def _is_proxy(name: str) -> bool:
    return name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")


def _run(command: list[str], folder: Path, environment: dict[str, str], output: Path, timeout: float) -> str:
    """Run a command and return what was wrong with it. Failing tests are nothing wrong."""
    with output.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"it took longer than {timeout:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError):  # and whatever it has started and left behind
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if status in (0, 1):
        return ""
    lines = output.read_text("utf-8", "replace").strip().splitlines()
    return f"pytest ended with status {status}: {' / '.join(lines[-3:])}"


def _read(report: Path, broken: str, folder: str, *, swapped: bool) -> Run:
    """Return what a report tells. The folder is another one in each run, and some tests have it in their name."""
    outcomes: dict[str, str] = {}
    texts: dict[str, str] = {}
    outside = set()
    captured: int | None = None
    for line in report.read_text("utf-8").splitlines():
        entry = json.loads(line)
        if entry["kind"] == "outcome":
            test, outcome = entry["test"].replace(folder, "."), entry["outcome"]
            outcomes[test] = max(outcomes.get(test, "skipped"), outcome, key=_WORST.index)
            if outcome == "failed":
                texts[test] = f"{texts.get(test, '')}\n{entry['text']}".strip()
        elif entry["kind"] == "refused":
            outside.add(entry["test"].replace(folder, "."))
        else:
            captured = entry["captured"]
            if not entry["balanced"]:
                broken = broken or "the books of the pipeline do not balance"
    if swapped and captured is None:
        broken = broken or "it ended without a word about what was captured"
    return Run(outcomes, texts, outside, captured or 0, broken)
