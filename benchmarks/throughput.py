"""
How many records a second go out to a webhook on this machine, in batches and one by one, and what the caller feels.

    python benchmarks/throughput.py [--records 5000]

The calls cost nothing by themselves and come as fast as the pipeline takes them, so that what is measured is all that
happens to a record: capture, redaction, rendering, the post, the answer. The receiver is a process of its own. The
caller's figure is the median of a call while deliveries are under way, minus the median of the same call without us.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import urllib3

from curl_interceptor import BatchPolicy, CaptureMixin, LanePolicy, Pipeline

TESTS = Path(__file__).resolve().parent.parent / "tests"
GOALS = {50: 1_000, 1: 500}


@contextmanager
def receiver() -> Iterator[str]:
    """A webhook that takes everything, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.api"], cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip().rstrip("/") + "/status/200"
    finally:
        process.stdin.close()
        process.wait()


class Instant(requests.adapters.HTTPAdapter):
    """An API that fails at once, without a network."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.url = 500, request, request.url or ""
        response.headers["Content-Type"] = "application/json"
        response.raw = urllib3.HTTPResponse(io.BytesIO(b'{"error": "no"}'), status=500, preload_content=False)
        return response


class Captured(CaptureMixin, Instant):
    """The same, captured."""


REQUEST = requests.Request("POST", "http://api.test/orders?page=2", json={"name": "x" * 200, "count": 3}).prepare()


def call(adapter: Instant) -> float:
    """Make one call and read its body; return the seconds it took."""
    began = time.perf_counter()
    adapter.send(REQUEST).content  # noqa: B018
    return time.perf_counter() - began


def measure(url: str, size: int, records: int) -> tuple[float, float]:
    """Return records a second, and what a call costs the caller meanwhile, in microseconds."""
    pipeline = Pipeline(queue_size=records, queue_bytes=1_000_000_000)
    lane = LanePolicy(records=2 * records, bytes=1_000_000_000)  # over half full, equals would be told by their count
    adapter = Captured(inspectors=url, cooldown=None, batch=BatchPolicy(size, 1.0), lane=lane, pipeline=pipeline)
    plain = Instant()
    without = statistics.median(call(plain) for _ in range(2_000))
    began = time.perf_counter()
    within = []
    for _ in range(records):
        within.append(call(adapter))
        time.sleep(0.0002)  # else all of it would be captured before the first post
    while pipeline.stats().delivered < records:
        time.sleep(0.002)
    took = time.perf_counter() - began
    pipeline.close()
    return records / took, (statistics.median(within) - without) * 1e6


def main() -> None:
    """Measure and print both ways."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=5_000)
    records = parser.parse_args().records
    with receiver() as url:
        for size, goal in GOALS.items():
            rate, added = measure(url, size, records)
            print(f"batches of {size:2}: {rate:6,.0f} records/s (goal {goal:,}), {added:4.0f} µs in the caller")


if __name__ == "__main__":
    main()
