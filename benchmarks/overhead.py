"""
What capturing costs the caller, against a plain session and against a floor, in one run.

    python benchmarks/overhead.py [--requests 1500] [--only captured,OpenTelemetry]

Requests of all variants are interleaved one by one, one per 4 ms, each to a server in a process of its own. The floor
is what any hand-over to a thread costs: two clock reads, a tuple, and `queue.Queue.put_nowait` to a thread that waits
in `get`. Each figure is the median of a variant minus the median of the plain session; the ratio to the floor is what
to quote, since the machine's speed drifts. Plain is what two plain sessions measure together; what one of them "adds"
to that is noise, and so is a difference of that size anywhere else. All sessions share one pool of connections.

What else could be picked is in the same table if it is installed: OpenTelemetry, Sentry, curlify. `tox -e benchmark`
installs all of them.
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
from peers import Variant, peers

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


def variants(webhooks: str) -> dict[str, Variant]:
    """Every variant, the plain sessions and the floor first."""
    hook, failing, large = webhooks + "/status/204", "/status/500", "/bytes/1048576"
    many = [f"{hook}?{number}" for number in range(100)]
    everything = Match(statuses=range(200, 600))
    ours = {
        "captured": (interceptor(hook), failing),
        "captured, 100 inspectors": (interceptor(*many, match=Match(statuses=500, sample=0.01)), failing),
        "captured, webhook slow": (interceptor(webhooks + "/slow/1000"), failing),
        "captured, webhook hangs": (interceptor(webhooks + "/hang"), failing),
        "captured, webhook fails": (interceptor(webhooks + "/status/503"), failing),
        "captured, webhook refuses": (interceptor("http://127.0.0.1:9/hook"), failing),
        "not wanted": (interceptor(hook), "/status/200"),
        "not wanted, errors neither": (interceptor(hook, match=Match(statuses="5xx")), "/status/200"),
        "captured, 1 MiB": (interceptor(hook, match=everything), large),
    }
    return {
        "plain": Variant(session(requests.adapters.HTTPAdapter()), failing),
        "floor": Variant(session(Floor()), failing),
        "plain again": Variant(session(requests.adapters.HTTPAdapter()), failing),
        "plain, 1 MiB": Variant(session(requests.adapters.HTTPAdapter()), large),
        **{name: Variant(session(adapter), path) for name, (adapter, path) in ours.items()},
        **peers(failing, hook),
    }


def share_connections(chosen: dict[str, Variant]) -> None:
    """Let all variants use one pool, and so one connection and one thread of the server: they differ by 20 µs."""
    pools = chosen["plain"].session.get_adapter("http://").poolmanager  # type: ignore[attr-defined]
    for variant in chosen.values():
        variant.session.get_adapter("http://").poolmanager = pools  # type: ignore[attr-defined]


def measure(chosen: dict[str, Variant], api: str, count: int) -> dict[str, list[float]]:
    """Time requests of all variants in turn, in an order that changes, one per 4 ms."""
    share_connections(chosen)
    times: dict[str, list[float]] = {name: [] for name in chosen}
    names = list(chosen)
    slot = time.perf_counter()
    for number in range(-20, count):
        random.shuffle(names)
        for name in names:
            made, path, around = chosen[name]
            slot = max(slot + PACE, time.perf_counter())
            time.sleep(max(0.0, slot - time.perf_counter()))
            with around():
                began = time.perf_counter()
                made.get(api + path)
                taken = time.perf_counter() - began
            if number >= 0:  # the first ones open connections and start threads
                times[name].append(taken)
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
    """Print the table, in Markdown."""
    median = {name: statistics.median(taken) * 1e6 for name, taken in times.items()}
    plain = statistics.median(times["plain"] + times["plain again"]) * 1e6
    floor = median["floor"] - plain
    print("| variant | median µs | p99 µs | added µs | of the floor |")
    print("|---|--:|--:|--:|--:|")
    for name, taken in times.items():
        added = median[name] - (median["plain, 1 MiB"] if "1 MiB" in name else plain)
        p99 = statistics.quantiles(taken, n=100)[98] * 1e6
        print(f"| {name} | {median[name]:.0f} | {p99:.0f} | {added:.1f} | {added / floor:.2f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=1_000, help="requests of each variant")
    parser.add_argument("--only", default="", help="names of variants without their commas, parted by commas")
    options = parser.parse_args()
    only = {part.strip() for part in options.only.split(",") if part.strip()}
    with server() as api, server() as webhooks:
        chosen = variants(webhooks)
        if only:
            only |= {"plain", "floor", "plain again"}
            only |= {"plain, 1 MiB"} if any("1 MiB" in name for name in only) else set()
            chosen = {
                name: variant for name, variant in chosen.items() if name.replace(",", "") in only or name in only
            }
        report(measure(chosen, api, options.requests))
    screen = Screen(frozenset(range(400, 600)), True, 2.0)
    print(f"\nthe screen by itself, for what nobody wants: {loop(lambda: screen.passes(200, 0.1)) * 1e6:.2f} µs")
    calls, url = Calls(), "https://api.example.com/v1/orders/7?expand=items"
    print(f"counting a call for the rates by host: {loop(lambda: calls.note(url, 200, 1.0)) * 1e6:.2f} µs")


if __name__ == "__main__":
    main()
