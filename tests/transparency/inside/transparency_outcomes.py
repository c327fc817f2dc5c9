"""A pytest plugin: writes into the report, line by line, what came of each part of each test."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

_MOST = 20_000  # characters of an explanation


def _write(test: str, part: str, outcome: str, text: str) -> None:
    line = {"kind": "outcome", "test": test, "part": part, "outcome": outcome, "text": text[-_MOST:]}
    with open(os.environ["TRANSPARENCY_REPORT"], "a", encoding="utf-8") as report:
        report.write(json.dumps(line) + "\n")


def _text(report: Any) -> str:
    return report.longreprtext if report.failed else ""


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that cannot be collected counts as a test that fails."""
    if report.failed:
        _write(report.nodeid, "collection", "failed", _text(report))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test has up to three parts: setup, call, teardown."""
    outcome: str = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = {"skipped": "xfailed", "passed": "xpassed"}.get(outcome, outcome)
    if report.when == "call" or outcome != "passed":
        _write(report.nodeid, str(report.when), outcome, _text(report))
