"""A plain session against ours: the tests of this folder give `side_by_side` a scenario, and the two have to agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from requests.adapters import HTTPAdapter
from support.receiver import Authority
from support.side_by_side import Scenario, run

from curl_interceptor import CapturePolicy, CurlInterceptor, Match, Pipeline, Record
from curl_interceptor.testing import RecordingInspector

SideBySide = Callable[..., list[Record]]
EVERYTHING = Match(statuses="100-599", errors=True)


@pytest.fixture
def side_by_side(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> SideBySide:
    """Run a scenario both ways, compare, and return the records of our way; `captured=None` does not ask for any."""

    # pytest keeps what is logged, with urllib3's exceptions in it, and those keep pools and their connections.
    caplog.set_level("CRITICAL", logger="urllib3")

    def both(
        scenario: Scenario,
        *,
        captured: bool | None = True,
        server: dict[str, Any] | None = None,
        match: Match = EVERYTHING,
        **options: Any,
    ) -> list[Record]:
        inspector = RecordingInspector()
        ours = {
            "inspectors": inspector,
            "match": match,
            "capture": CapturePolicy(peer=True),
            "cooldown": None,
            "pipeline": pipeline,
        }
        expected = run(scenario, HTTPAdapter, options, server or {})
        seen = run(scenario, CurlInterceptor, {**options, **ours}, server or {})
        assert seen == expected
        records = inspector.records
        # An adapter that captures nothing would pass all of this.
        if captured is None:
            return records
        assert bool(records) is captured
        assert not pipeline.stats().errors, pipeline.stats()
        return records

    return both


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority of the tests."""
    return Authority(tmp_path_factory.mktemp("authority"))
