"""
What capturing costs the caller, against a plain session and against a floor, in one run.

    python benchmarks/overhead.py [--requests 1500] [--only captured,unwanted]

Requests of all variants are interleaved one by one, one per 4 ms, each to a server in a process of its own. The floor
is what any hand-over to a thread costs: two clock reads, a tuple, and `queue.Queue.put_nowait` to a thread that waits
in `get`. Each figure is the median of a variant minus the median of the plain session; the ratio to the floor is what
to quote, since the machine's speed drifts.
"""

from __future__ import annotations

import argparse
import queue
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from curl_interceptor import BatchPolicy, CurlInterceptor, Match, Pipeline, WebhookInspector
from curl_interceptor.observe.calls import Calls
from curl_interceptor.records.screen import Screen

TESTS = Path(__file__).resolve().parent.parent / "tests"
PACE = 0.004


@contextmanager
def server() -> Iterator[str]:
    """An API in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.api"], cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip().rstrip("/")
    finally:
        process.stdin.close()
        process.wait()


class Floor(requests.adapters.HTTPAdapter):
    """The least that a hand-over to a waiting thread costs."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: queue.Queue[tuple[object, ...]] = queue.Queue(10_000)
        threading.Thread(target=self._drain, daemon=True).start()

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:  # type: ignore[override]
        began = time.perf_counter()
        response = super().send(request, *args, **kwargs)  # type: ignore[arg-type]
        self.queue.put_nowait((request, response.status_code, began, time.perf_counter()))
        return response

    def _drain(self) -> None:
        while True:
            self.queue.get()


def interceptor(*hooks: str, match: Match | None = None) -> CurlInterceptor:
    inspectors = [WebhookInspector(hook) for hook in hooks]
    return CurlInterceptor(
        inspectors=inspectors, match=match, cooldown=None, batch=BatchPolicy(50, 1.0), pipeline=Pipeline()
    )


def session(adapter: requests.adapters.HTTPAdapter) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", adapter)
    return made


def variants(api: str, webhooks: str) -> dict[str, tuple[requests.Session, str]]:
    """Every variant: its session, and the path that it asks for."""
    hook = webhooks + "/status/204"
    many = [f"{hook}?{number}" for number in range(100)]
    return {
        "plain": (session(requests.adapters.HTTPAdapter()), "/status/500"),
        "floor": (session(Floor()), "/status/500"),
        "captured": (session(interceptor(hook)), "/status/500"),
        "captured, 100 inspectors": (
            session(interceptor(*many, match=Match(statuses=500, sample=0.01))),
            "/status/500",
        ),
        "captured, webhook hangs": (session(interceptor(webhooks + "/hang")), "/status/500"),
        "captured, webhook refuses": (session(interceptor("http://127.0.0.1:9/hook")), "/status/500"),
        "unwanted (200)": (session(interceptor(hook)), "/status/200"),
        "unwanted (200), no errors": (session(interceptor(hook, match=Match(statuses="5xx"))), "/status/200"),
        "plain, 1 MiB": (session(requests.adapters.HTTPAdapter()), "/bytes/1048576"),
        "captured, 1 MiB": (session(interceptor(hook, match=Match(statuses=range(200, 600)))), "/bytes/1048576"),
    }


def measure(chosen: dict[str, tuple[requests.Session, str]], api: str, count: int) -> dict[str, list[float]]:
    """Time requests of all variants in turn, in an order that changes, one per 4 ms."""
    times: dict[str, list[float]] = {name: [] for name in chosen}
    names = list(chosen)
    for name in names * 20:
        chosen[name][0].get(api + chosen[name][1])
    slot = time.perf_counter()
    for _ in range(count):
        random.shuffle(names)
        for name in names:
            made, path = chosen[name]
            slot = max(slot + PACE, time.perf_counter())
            time.sleep(max(0.0, slot - time.perf_counter()))
            began = time.perf_counter()
            made.get(api + path)
            times[name].append(time.perf_counter() - began)
    return times


def loop(call: Callable[[], object], *, count: int = 200_000) -> float:
    """Seconds of one call, the best of five loops."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(count // 5):
            call()
        best = min(best, (time.perf_counter() - began) / (count // 5))
    return best


def report(times: dict[str, list[float]]) -> None:
    """Print the table."""
    median = {name: statistics.median(taken) * 1e6 for name, taken in times.items()}
    floor = median["floor"] - median["plain"]
    print(f"{'variant':<28}{'median µs':>10}{'p99 µs':>10}{'added µs':>10}{'of floor':>10}")
    for name, taken in times.items():
        base = "plain, 1 MiB" if "1 MiB" in name else "plain"
        added = median[name] - median[base]
        p99 = statistics.quantiles(taken, n=100)[98] * 1e6
        print(f"{name:<28}{median[name]:>10.1f}{p99:>10.1f}{added:>10.1f}{added / floor:>10.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=1_000, help="requests of each variant")
    parser.add_argument("--only", default="", help="names of variants, parted by commas; plain and floor always run")
    options = parser.parse_args()
    only = [part.strip() for part in options.only.split(",") if part.strip()]
    with server() as api, server() as webhooks:
        chosen = variants(api, webhooks)
        if only:
            keep = {"plain", "floor", "plain, 1 MiB"} if any("MiB" in part for part in only) else {"plain", "floor"}
            chosen = {name: pair for name, pair in chosen.items() if name in keep or any(name == part for part in only)}
        report(measure(chosen, api, options.requests))
    screen = Screen(frozenset(range(400, 600)), True, 2.0)
    print(f"\nthe screen by itself, for what nobody wants: {loop(lambda: screen.passes(200, 0.1)) * 1e6:.2f} µs")
    calls, url = Calls(), "https://api.example.com/v1/orders/7?expand=items"
    print(f"counting a call for the rates by host: {loop(lambda: calls.note(url, 200, 1.0)) * 1e6:.2f} µs")


if __name__ == "__main__":
    main()
