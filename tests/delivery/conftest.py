"""What the tests on real sockets share: an app whose calls fail, and the watch over the webhook's address."""

from __future__ import annotations

import logging
import threading

import pytest

from curl_interceptor.delivery.pipeline import pipelines

SECRET = "hook-s3cr3t-t0k3n"


@pytest.fixture
def fail(session, api):
    """Let the app's calls number 0, 1, 2 … fail."""
    numbers = iter(range(10_000))

    def fail(count: int = 1, code: int = 500, *, body: bytes = b"") -> None:
        for _ in range(count):
            session.post(api.url(f"/status/{code}?number={next(numbers)}"), data=body)

    return fail


@pytest.fixture
def _the_address_is_never_told(caplog):
    """No log line, no statistics and no thread's name shows the webhook's address, whatever happens."""
    caplog.set_level(logging.DEBUG)
    yield
    told = [caplog.text, *(repr(pipeline.stats()) + repr(pipeline) for pipeline in pipelines())]
    told += [thread.name for thread in threading.enumerate()]
    assert SECRET not in "\n".join(told)
