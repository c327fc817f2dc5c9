"""
What capturing costs the caller, against a plain session and against a floor, in one run.

    python benchmarks/overhead.py [--requests 1500] [--only captured,OpenTelemetry]

Each variant has its turn with two plain sessions and a floor: their requests are interleaved one by one, one per 4 ms,
to a server in a process of its own. The floor is what any hand-over to a thread costs: two clock reads, a tuple, and
`queue.Queue.put_nowait` to a thread that waits in `get`. What a variant adds is its median minus that of the plain
sessions of its turn; the ratio to the floor of its turn is what to quote, since the machine's speed drifts. What the
second plain session "adds" to the first is noise, and so is a difference of that size anywhere else. All sessions share
one pool of connections.

Within a turn an exchange comes every 16 ms, so that the background thread lingers for the next one most of the time. A
lone record, for which that thread has to be woken, is measured with `--pace 60`.

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
_COMPARED = ("plain", "floor", "plain again")


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
        **{name: Variant(session(adapter), path) for name, (adapter, path) in ours.items()},
        **peers(failing, hook),
    }


def share_connections(chosen: dict[str, Variant]) -> None:
    """Let all variants use one pool, and so one connection and one thread of the server: they differ by 20 µs."""
    pools = chosen["plain"].session.get_adapter("http://").poolmanager  # type: ignore[attr-defined]
    for variant in chosen.values():
        variant.session.get_adapter("http://").poolmanager = pools  # type: ignore[attr-defined]


Times = dict[str, list[float]]


def measure(chosen: dict[str, Variant], api: str, count: int, pace: float) -> Times:
    """Time requests of these variants by turns, in an order that changes, one per `pace` seconds."""
    times: Times = {name: [] for name in chosen}
    names = list(chosen)
    slot = time.perf_counter()
    for number in range(-20, count):
        random.shuffle(names)
        for name in names:
            made, path, around = chosen[name]
            slot = max(slot + pace, time.perf_counter())
            time.sleep(max(0.0, slot - time.perf_counter()))
            with around():
                began = time.perf_counter()
                made.get(api + path)
                taken = time.perf_counter() - began
            if number >= 0:  # the first ones open connections and start threads
                times[name].append(taken)
    return times


def turns(chosen: dict[str, Variant]) -> Iterator[dict[str, Variant]]:
    """Yield each variant together with what it is compared with."""
    for name, variant in chosen.items():
        if name in _COMPARED:
            continue
        peers = {peer: Variant(chosen[peer].session, variant.path) for peer in _COMPARED}
        yield {**peers, name: variant}


def loop(call: Callable[[], object], *, count: int = 200_000) -> float:
    """Seconds of one call, the best of five loops."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(count // 5):
            call()
        best = min(best, (time.perf_counter() - began) / (count // 5))
    return best


def report(times: Times) -> None:
    """Print the line of one turn's variant, in Markdown."""
    *_, name = times
    plain = statistics.median(times["plain"] + times["plain again"])
    noise = abs(statistics.median(times["plain"]) - statistics.median(times["plain again"]))
    floor = statistics.median(times["floor"]) - plain
    added = statistics.median(times[name]) - plain
    p99 = statistics.quantiles(times[name], n=100)[98]
    figures = " | ".join(f"{seconds * 1e6:.0f}" for seconds in (plain, p99, noise, floor, added))
    print(f"| {name} | {figures} | {added / floor:.2f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=500, help="requests of each variant")
    parser.add_argument("--pace", type=float, default=4.0, help="milliseconds between two requests")
    parser.add_argument("--only", default="", help="names of variants without their commas, parted by commas")
    options = parser.parse_args()
    only = {part.strip() for part in options.only.split(",") if part.strip()}
    print("| variant | plain µs | p99 µs | noise µs | floor added µs | added µs | of the floor |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    with server() as api, server() as webhooks:
        chosen = variants(webhooks)
        share_connections(chosen)
        for turn in turns(chosen):
            *_, name = turn
            if not only or name.replace(",", "") in only:
                report(measure(turn, api, options.requests, options.pace / 1_000))
    screen = Screen(frozenset(range(400, 600)), True, 2.0)
    print(f"\nthe screen by itself, for what nobody wants: {loop(lambda: screen.passes(200, 0.1)) * 1e6:.2f} µs")
    calls, url = Calls(), "https://api.example.com/v1/orders/7?expand=items"
    print(f"counting a call for the rates by host: {loop(lambda: calls.note(url, 200, 1.0)) * 1e6:.2f} µs")


if __name__ == "__main__":
    main()
