"""What every test stands on: it delivers in earnest, to the loopback interface, whatever the environment says."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator

import pytest
import requests
from hypothesis import HealthCheck, settings
from support.api import Api
from support.receiver import Receiver

from curl_interceptor import pytest_plugin
from curl_interceptor.delivery.pipeline import Pipeline, pipelines

# A developer's proxy, certificates and switches are no part of any test.
for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "CURL_INTERCEPTOR_ENABLED"):
    os.environ.pop(name, None)

# How long an example takes says more about what else the machine does than about the code; and a run repeats the last
# one, unless it is to search for what none has found: CURL_INTERCEPTOR_TESTS=random pytest.
settings.register_profile(
    "unhurried",
    deadline=None,
    derandomize=os.environ.get("CURL_INTERCEPTOR_TESTS") != "random",
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Load our plugin where the package is imported without being installed."""
    if not config.pluginmanager.has_plugin("curl_interceptor"):
        config.pluginmanager.register(pytest_plugin, "curl_interceptor")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everybody's tests record and deliver nothing, thanks to our plugin; ours are about delivering."""
    for item in items:
        records = item.get_closest_marker("records") or "curl_interceptor_captured" in getattr(item, "fixturenames", ())
        if not records:
            item.add_marker("curl_interceptor_delivers")


def pytest_collection_finish() -> None:
    """Spare every later search for garbage the thousands of objects that live as long as the run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _processes_compile_once() -> Iterator[None]:
    """What the tests' own processes import is compiled by the first of them, also where none may write beside it."""
    with tempfile.TemporaryDirectory(prefix="bytecode-", ignore_cleanup_errors=True) as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        yield
        del os.environ["PYTHONPYCACHEPREFIX"]


@pytest.fixture(scope="module", autouse=True)
def _garbage_is_its_own_modules() -> Iterator[None]:
    """What a module leaves in cycles, an open socket for instance, is found at its end and not in another's test."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """Somebody else's API, on the loopback interface."""
    with Api() as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks whose answers can be scripted."""
    with Receiver() as server:
        yield server


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    """A pipeline of the test's own, whose books have to balance at its end."""
    made = Pipeline(exit_timeout=1.0)
    yield made
    made.close(0.5)
    assert made.stats().balanced, made.stats()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A plain session."""
    with requests.Session() as made:
        yield made


@pytest.fixture(autouse=True)
def _books_balance() -> Iterator[None]:
    """The two ledgers balance after every test, in every pipeline that exists."""
    yield
    for one in pipelines():
        assert one.stats().balanced, one.stats()
