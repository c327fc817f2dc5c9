"""
What capturing costs the process as a whole: CPU with rendering and delivery, memory, streams, import.

    python benchmarks/whole_process.py [--blocks 12]

CPU is taken in blocks of 200 requests one after the other, plain and captured in turn; a block ends when everything has
been delivered. So every figure is a ratio to a plain session of the same run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
import tracemalloc

import requests
from overhead import interceptor, server, session

from curl_interceptor import CurlInterceptor, Match, Pipeline, WebhookInspector

BLOCK = 200


def cpu(api: str, hook: str, blocks: int) -> None:
    """Print the CPU of a request, of all threads, as a ratio to a plain one."""
    plain = session(requests.adapters.HTTPAdapter())
    failures, everything = interceptor(hook), interceptor(hook, match=Match(statuses=range(200, 600)))
    variants = {
        "plain": (plain, None, 0),
        "5 % failures, default match": (session(failures), failures, 20),
        "everything captured": (session(everything), everything, 1),
    }
    spent: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(blocks + 1):
        for name, (made, adapter, nth) in variants.items():
            began = time.process_time()
            for number in range(BLOCK):
                made.get(api + ("/status/500" if nth and number % nth == 0 else "/status/200"))
            if adapter is not None:
                adapter.flush(10)
            spent[name].append((time.process_time() - began) / BLOCK)
    base = statistics.median(spent["plain"][1:])
    print(f"CPU of a plain request: {base * 1e6:.0f} µs")
    for name, taken in list(spent.items())[1:]:
        print(f"CPU added with {name}: {statistics.median(taken[1:]) / base - 1:.2f} of it")
    for name, adapter in (("5 % failures", failures), ("everything", everything)):
        books = adapter.stats()
        print(f"delivered of {name}: {sum(one.delivered for one in books.inspectors)} of {books.accepted}")


def memory(api: str) -> None:
    """Print what one waiting exchange holds, of requests with small bodies."""
    waiting = CurlInterceptor(
        inspectors=[WebhookInspector("http://127.0.0.1:9/hook")],
        match=Match(statuses=range(200, 600)),
        pipeline=Pipeline(linger=10),
    )
    made = session(waiting)
    for _ in range(5):
        made.get(api + "/status/200")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(500):
        made.get(api + "/status/200")
    held = (tracemalloc.get_traced_memory()[0] - before) / 500
    tracemalloc.stop()
    print(f"held by an exchange that waits, small bodies: {held / 1024:.1f} KiB")


def stream(api: str, hook: str) -> None:
    """Print what a stream of 100 MiB costs in time to its first byte and in memory, plain and captured in turn."""
    adapters = {
        "plain": requests.adapters.HTTPAdapter(),
        "captured": interceptor(hook, match=Match(statuses=range(200, 600))),
    }
    sessions = {name: session(adapter) for name, adapter in adapters.items()}
    first: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(40):
        for name, made in sessions.items():
            began = time.perf_counter()
            with made.get(api + "/bytes/104857600", stream=True) as response:
                next(response.iter_content(65_536))
                first[name].append(time.perf_counter() - began)
    added = statistics.median(first["captured"]) - statistics.median(first["plain"])
    print(f"first byte of 100 MiB: {added * 1e3:+.2f} ms")
    peaks = {}
    for name, made in sessions.items():
        tracemalloc.start()
        with made.get(api + "/bytes/104857600", stream=True) as response:
            for _ in response.iter_content(65_536):
                pass
        peaks[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    print(f"memory added by 100 MiB: {(peaks['captured'] - peaks['plain']) / 1024:.0f} KiB")


def importing() -> None:
    """Print what the import takes beyond that of requests, the best of ten processes."""
    code = "import requests, time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"

    def best(name: str) -> float:
        command = [sys.executable, "-c", code.format(name)]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(10)]
        return min(float(run.stdout) for run in runs) * 1e3

    print(f"import beyond requests: {best('curl_interceptor'):.0f} ms, of which tenacity {best('tenacity'):.0f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--blocks", type=int, default=12, help="blocks of 200 requests of each variant")
    blocks = parser.parse_args().blocks
    with server() as api, server() as webhooks:
        hook = webhooks + "/status/204"
        cpu(api, hook, blocks)
        memory(api)
        stream(api, hook)
    importing()


if __name__ == "__main__":
    main()
