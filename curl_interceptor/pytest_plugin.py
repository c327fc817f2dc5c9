"""
The pytest plugin: nobody's tests post to a real channel.

Every test records what it captures instead of delivering it. A test that is to deliver is marked
`@pytest.mark.curl_interceptor_delivers`. The fixture `curl_interceptor_captured` shows what the test captured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from curl_interceptor import testing

__all__ = ["curl_interceptor_captured"]

_MARK = "curl_interceptor_delivers"


def pytest_configure(config: pytest.Config) -> None:
    """Describe the mark, and record from now on: collection and fixtures of a wider scope may send requests too."""
    config.addinivalue_line("markers", f"{_MARK}: let this test deliver curl logs to its inspectors, for real")
    recording = ExitStack()
    recording.enter_context(testing.captured())
    config.add_cleanup(recording.close)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Record what one test captures, or let it deliver."""
    if item.get_closest_marker(_MARK):
        with testing.delivering():
            return (yield)
    with testing.captured() as recorder:
        item.stash[_captured] = recorder
        return (yield)


@pytest.fixture
def curl_interceptor_captured(request: pytest.FixtureRequest) -> testing.Captured:
    """What the test captured so far."""
    found: testing.Captured | None = request.node.stash.get(_captured, None)
    if found is None:
        pytest.fail(f"a test marked {_MARK} delivers and captures nothing; use curl_interceptor.testing.captured()")
    return found


_captured: pytest.StashKey[testing.Captured] = pytest.StashKey()
