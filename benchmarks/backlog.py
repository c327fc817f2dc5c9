"""
What a caller pays while the background has more to do than it can: its median beside that with an idle background.

    python benchmarks/backlog.py [--requests 300] [--rounds 5]

Before each request of the busy session the queue is filled up to 1,000 calls again, untimed; so the dispatcher redacts,
renders and delivers all the time, and wants the interpreter's lock as much as the app does. The rounds are taken in
turn, since the machine's speed drifts.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import requests
from overhead import interceptor, measure, server, session, share_connections
from peers import Variant

from curl_interceptor import CurlInterceptor

FAILING = "/status/500"


def filling(adapter: CurlInterceptor, api: str) -> Callable[[], AbstractContextManager[None]]:
    """Return what fills the adapter's queue up with a call that it has seen once."""
    assert adapter.pipeline is not None
    waiting = adapter.pipeline._dispatcher.queue
    seen: list[tuple[Any, int]] = []
    with_the_original = waiting.offer
    waiting.offer = lambda item, size: seen.append((item, size)) or with_the_original(item, size)  # type: ignore
    session(adapter).get(api + FAILING)
    del waiting.offer
    item, size = seen[0]

    @contextmanager
    def full() -> Iterator[None]:
        while len(waiting.queue) < 1_000:
            waiting.offer(item, size)
        yield

    return full


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=300, help="requests of each variant in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds")
    options = parser.parse_args()
    ratios = []
    with server() as api, server() as webhooks:
        for _ in range(options.rounds):
            idle, busy = (interceptor(webhooks + "/status/204") for _ in range(2))
            variants = {
                "plain": Variant(session(requests.adapters.HTTPAdapter()), FAILING),
                "idle": Variant(session(idle), FAILING),
                "busy": Variant(session(busy), FAILING, filling(busy, api)),
            }
            share_connections(variants)
            first = {name: variants[name] for name in ("plain", "idle")}
            times = {
                **measure(first, api, options.requests, 0.004),
                **measure({"busy": variants["busy"]}, api, options.requests, 0.004),
            }
            for adapter in (idle, busy):
                adapter.pipeline.close(0)  # type: ignore[union-attr]
            plain, quiet, loaded = (statistics.median(times[name]) * 1e6 for name in ("plain", "idle", "busy"))
            ratios.append(loaded / quiet)
            medians = f"plain {plain:.0f} µs, idle {quiet:.0f} µs, busy {loaded:.0f} µs"
            print(f"{medians}: {ratios[-1]:.2f} of idle", flush=True)
    print(f"with a backlog, of an idle background: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
