"""
Other projects' test suites, run plain and with our class in place: no test may fail that passes without us.

    python tests/transparency/run.py [SUITE ...] [--cache DIR] [--repeats N] [--timeout SECONDS] [--details FILE]

Suites: requests, responses, requests-mock, requests-cache, CacheControl, pytest-httpbin, vcrpy, urllib3; all by
default. The sdists come by pip from wherever it is set up to fetch, in the version that is installed beside us or in
the newest one. requests and urllib3 are those of the Python that runs this. Nothing of a suite leaves the loopback
interface, in the plain run neither. The exit status is 1 if a test newly fails or a run is no evidence.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.receiver import Receiver
from transparency.comparison import FIRST_RUN, Verdict, compare
from transparency.environment import Unavailable, prepare
from transparency.suites import SUITES, Suite

import curl_interceptor

_COLUMNS = ("suite", "version", "tests", "pass plain", "outside", "captured", "delivered", "newly failing", "remark")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites that are asked for, print the table, and return the exit status."""
    options = _options(arguments)
    rows: list[tuple[str, ...]] = []
    bad = False
    for name in options.suites or SUITES:
        began = time.monotonic()
        row, is_bad, details = _one(SUITES[name], options)
        rows.append(row)
        bad = bad or is_bad
        print(f"{name}: {', '.join(row[2:])} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
        if details and options.details:
            with options.details.open("a", encoding="utf-8") as out:
                out.write(details)
    print(f"Python {platform.python_version()}, requests {version('requests')}, urllib3 {version('urllib3')}\n")
    print(_table(rows))
    return int(bad)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run other projects' test suites plain and with our class in place.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of: {', '.join(SUITES)}; default: all")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "curl-interceptor-transparency",
        help="folder for downloads and environments (default: %(default)s)",
    )
    parser.add_argument("--repeats", type=int, default=5, help="how often a suspect is repeated (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=900, help="most seconds of one run (default: %(default)s)")
    parser.add_argument("--details", type=Path, help="file to which the explanations of failures are added")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.suites if name not in SUITES]
    if unknown:
        parser.error(f"there is no suite {unknown[0]}; there are {', '.join(SUITES)}")
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    return options


def _one(suite: Suite, options: argparse.Namespace) -> tuple[tuple[str, ...], bool, str]:
    """Return a suite's row of the table, whether it is bad, and the explanations."""
    if not hasattr(curl_interceptor, suite.public_name):
        return _empty_row(suite, f"skipped: there is no {suite.public_name}"), False, ""
    try:
        place = prepare(suite, options.cache)
    except Unavailable as error:
        return _empty_row(suite, f"not run: {error}"), True, ""
    with Receiver() as receiver:
        verdict = compare(place, receiver.url, repeats=options.repeats, timeout=options.timeout)
        delivered = _delivered(receiver.bodies(FIRST_RUN))
    problem = problem_of(verdict, delivered)
    plain = verdict.plain
    counts = Counter(plain.outcomes.values())
    notes = [place.remark, problem, *([f"flaky: {', '.join(verdict.flaky)}"] if verdict.flaky else [])]
    row = (
        suite.name,
        place.version,
        str(len(plain.outcomes)),
        str(counts["passed"]),
        str(len(plain.outside & plain.outcomes.keys())),
        str(verdict.swapped.captured),
        str(delivered),
        "?" if problem else str(len(verdict.failing)),
        "; ".join(note for note in notes if note),
    )
    return row, bool(problem or verdict.failing), _details(suite, verdict)


def problem_of(verdict: Verdict, delivered: int) -> str:
    """Return why the runs are no evidence, or nothing."""
    plain, swapped = verdict.plain, verdict.swapped
    if plain.broken:
        return f"plain: {plain.broken}"
    if swapped.broken:
        return f"with ours: {swapped.broken}"
    if "passed" not in plain.outcomes.values():
        return "no test passes plainly"
    if not swapped.captured:
        return "nothing was captured"
    if not delivered:
        return "nothing was delivered"
    return ""


def _delivered(bodies: Iterable[bytes]) -> int:
    """Return how many records came, each counted once."""
    found: set[str] = set()
    for body in bodies:
        document = json.loads(body)
        found.update(entry["id"] for entry in (document if isinstance(document, list) else [document]))
    return len(found)


def _details(suite: Suite, verdict: Verdict) -> str:
    pieces = [f"## {suite.name}\n"]
    for title, tests in (("newly failing", verdict.failing), ("flaky", verdict.flaky)):
        pieces += [f"\n# {title}: {test}\n{text}\n" for test, text in tests.items()]
    bad = [test for test in verdict.plain.outcomes if not verdict.plain.good(test)]
    pieces += [f"\n# fails plainly{' (outside)' * (test in verdict.plain.outside)}: {test}" for test in bad]
    return "".join(pieces) + "\n"


def _empty_row(suite: Suite, remark: str) -> tuple[str, ...]:
    return (suite.name, *("-" for _ in _COLUMNS[2:]), remark)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [_COLUMNS, tuple("---" for _ in _COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
