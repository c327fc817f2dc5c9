"""What every test stands on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from curl_interceptor.delivery.pipeline import Pipeline, pipelines


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    """A pipeline of the test's own, whose books have to balance at its end."""
    made = Pipeline(exit_timeout=1.0)
    yield made
    made.close(0.5)
    assert made.stats().balanced, made.stats()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A plain session that takes nothing from the environment."""
    with requests.Session() as made:
        made.trust_env = False
        yield made


@pytest.fixture(autouse=True)
def _books_balance() -> Iterator[None]:
    """The two ledgers balance after every test, in every pipeline that exists."""
    yield
    for one in pipelines():
        if one.stats().queued == 0:
            assert one.stats().balanced, one.stats()
