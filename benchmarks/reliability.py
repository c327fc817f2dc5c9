"""
What becomes of failures when things go wrong: ours beside Sentry's, OpenTelemetry's and a plain executor.

    python benchmarks/reliability.py [--only ours,executor] [--scenarios exit,outage,fork,burst]

Each figure is a process of its own, whose app calls an API that always answers 500, against a webhook in this one.

exit     seconds from the app's last line to the end of its process, 10 failures, with a webhook that never answers;
         one that takes more than 8 s is ended
outage   of 100 failures, how many arrive within 20 s of a webhook that answers 503 for the first 2 s
fork     of the failures of 20 forked children, how many arrive, and how many twice or from the parent's backlog
burst    2,000 calls to a webhook that takes 50 ms: the slowest hundredth of the calls in ms beside a plain session's in
         the same process, growth of the memory in MB, and how many arrive

Peers that are not installed are left out: sentry-sdk; opentelemetry-sdk with opentelemetry-exporter-otlp-proto-http.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.api import Api  # noqa: E402
from support.receiver import Connection, Receiver, Reply, hang, slow, status  # noqa: E402

LIMIT = 8.0
MARK = re.compile(rb"call-(\d+)-end")
Emit = Callable[[str], object]

# -- the peers: each returns how to make one failing call -------------------------------------------------------------


def plain_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def ours(hook: str) -> Emit:
    import curl_interceptor

    session = plain_session()
    curl_interceptor.mount(session, hook, cooldown=None, batch=curl_interceptor.BatchPolicy(50, 0.5))
    return session.get


def sentry(hook: str) -> Emit:
    import sentry_sdk

    sentry_sdk.init(hook.replace("://", "://key@").replace("/hook", "/1"), auto_enabling_integrations=False)
    session = plain_session()

    def emit(url: str) -> None:
        response = session.get(url)
        if response.status_code >= 500:
            sentry_sdk.capture_message(f"failed: {url}", level="error")

    return emit


def otel(hook: str) -> Emit:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(hook), schedule_delay_millis=500))
    tracer, session = provider.get_tracer("benchmark"), plain_session()

    def emit(url: str) -> None:
        with tracer.start_as_current_span("call") as span:
            span.set_attribute("url", url)
            session.get(url)

    return emit


def executor(hook: str) -> Emit:
    """What one writes in an afternoon: a pool, tenacity around pybreaker around a post."""
    import pybreaker
    import tenacity

    pool, session, posts = ThreadPoolExecutor(4), plain_session(), plain_session()
    breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60)

    @tenacity.retry(stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_random_exponential(1, max=60))
    @breaker
    def post(text: str) -> None:
        posts.post(hook, json={"text": text}, timeout=10).raise_for_status()

    def emit(url: str) -> None:
        if session.get(url).status_code >= 500:
            pool.submit(post, f"failed: {url}")

    return emit


PEERS: dict[str, tuple[Callable[[str], Emit], str]] = {
    "ours": (ours, "curl_interceptor"),
    "sentry": (sentry, "sentry_sdk"),
    "otel": (otel, "opentelemetry.exporter"),
    "executor": (executor, "tenacity"),
}


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# -- what the app's process does --------------------------------------------------------------------------------------


def url(api: str, number: int) -> str:
    return f"{api}/status/500?q=call-{number}-end"


def few(emit: Emit, api: str) -> None:
    for number in range(10):
        emit(url(api, number))


def many(emit: Emit, api: str) -> None:
    for number in range(100):
        emit(url(api, number))
        time.sleep(0.01)
    time.sleep(22)


def children(emit: Emit, api: str) -> None:
    for number in range(1_000, 1_010):  # a backlog of the parent's, of which some is still under way
        emit(url(api, number))
    pids = []
    for number in range(20):
        pid = os.fork()
        if pid == 0:
            emit(url(api, number))
            sys.exit(0)  # with exit handlers, as a worker of a server ends
        pids.append(pid)
    ends = time.monotonic() + LIMIT
    while pids and time.monotonic() < ends:
        pids = [pid for pid in pids if os.waitpid(pid, os.WNOHANG) == (0, 0)]
        time.sleep(0.01)
    for pid in pids:
        os.kill(pid, 9)
    print(f"hung {len(pids)}", flush=True)


def burst(emit: Emit, api: str) -> None:
    plain, spans, others = plain_session(), [], []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(2_000):
        began = time.perf_counter()
        emit(url(api, number))
        middle = time.perf_counter()
        plain.get(url(api, number))
        spans.append(middle - began)
        others.append(time.perf_counter() - middle)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    slowest = [sorted(times)[int(len(times) * 0.99)] * 1000 for times in (spans, others)]
    print(f"p99 {slowest[0]:.1f} ms (plain {slowest[1]:.1f}), +{grown:.0f} MB", flush=True)
    time.sleep(3)


APPS: dict[str, Callable[[Emit, str], None]] = {"exit": few, "outage": many, "fork": children, "burst": burst}


def app(peer: str, scenario: str, api: str, hook: str) -> None:
    APPS[scenario](PEERS[peer][0](hook), api)
    print(f"ended {time.monotonic()}", flush=True)


# -- what is seen from outside ----------------------------------------------------------------------------------------


def run(peer: str, scenario: str, api: str, hook: str) -> tuple[str, float]:
    """Run an app; return what it printed, and how long its process went on after its last line."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--app", peer, scenario, api, hook],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        if line.startswith("ended "):
            break
        printed.append(line.strip())
    ended = time.monotonic()
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return " ".join(printed), time.monotonic() - ended


class Webhook:
    """Answers as the scenario wants it, and keeps what it took with a 2xx."""

    def __init__(self, scenario: str) -> None:
        self.until = time.monotonic() + 2.0 if scenario == "outage" else 0.0
        self.reply = {"exit": hang(), "burst": slow(0.05, status(200))}.get(scenario, status(200))
        self.bodies: list[tuple[bytes, str]] = []

    def play(self, connection: Connection) -> bool:
        """Answer one request."""
        if time.monotonic() < self.until:
            return status(503).play(connection)
        request = connection.request
        coding = {name.lower(): value for name, value in request.headers.items()}.get("content-encoding", "")
        self.bodies.append((request.body, coding))
        return self.reply.play(connection)

    def arrived(self) -> Counter[int]:
        """How often each failure was taken."""
        found: Counter[int] = Counter()
        for body, coding in self.bodies:
            text = gzip.decompress(body) if coding == "gzip" else body
            found.update({int(number) for number in MARK.findall(text)})
        return found


def figure(peer: str, scenario: str, api: str) -> str:
    """Run one scenario with one peer; return what is to be said of it."""
    with Receiver() as receiver:
        webhook = Webhook(scenario)
        for path in ("/hook", "/api/1/envelope/"):
            receiver.script(path, then=Reply(webhook.play))
        printed, seconds = run(peer, scenario, api, receiver.url("/hook"))
        found = webhook.arrived()
    if scenario == "exit":
        return f"{seconds:.1f} s" if seconds < LIMIT else f"over {LIMIT:.0f} s"
    if scenario == "outage":
        return f"{len(found)} of 100"
    if scenario == "burst":
        return f"{printed}, {len(found)} arrived"
    own = sum(number < 1_000 for number in found)
    twice = sum(times > 1 for times in found.values())
    return f"{own} of 20, {twice} more than once, {printed}"


def main() -> None:
    parser = argparse.ArgumentParser(description="What becomes of failures when things go wrong.")
    parser.add_argument("--only", default=",".join(PEERS))
    parser.add_argument("--scenarios", default=",".join(APPS))
    parser.add_argument("--app", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.app:
        app(*options.app)
        return
    scenarios = options.scenarios.split(",")
    print("| | " + " | ".join(scenarios) + " |\n|" + "---|" * (len(scenarios) + 1))
    with Api() as api:
        for peer in options.only.split(","):
            if installed(PEERS[peer][1]):
                figures = [figure(peer, scenario, api.url("").rstrip("/")) for scenario in scenarios]
                print(f"| {peer} | " + " | ".join(figures) + " |", flush=True)


if __name__ == "__main__":
    main()
