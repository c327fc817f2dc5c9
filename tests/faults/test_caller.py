"""What the caller notices of webhooks in trouble: nothing."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support import receiver as replies
from support.process import TESTS, environment, run
from support.scenario import heard

# A call that costs nothing by itself, so that what remains is ours; and the same without us, in the same run.
CALLS = """
    import io, json, resource, sys, threading, time, urllib3
    import requests, curl_interceptor
    from curl_interceptor import CaptureMixin, Pipeline
    class Instant(requests.adapters.HTTPAdapter):
        def send(self, request, **kwargs):
            response = requests.Response()
            response.status_code, response.request, response.url = 500, request, request.url
            response.raw = urllib3.HTTPResponse(body=io.BytesIO(b"no"), status=500, preload_content=False)
            return response
    class Ours(CaptureMixin, Instant): pass
    pipeline = Pipeline(queue_size=1_000)
    ours = Ours(inspectors=hook, cooldown=None, pipeline=pipeline)
    plain = Instant()
    request = requests.Request("POST", "http://api.test/x", data=b"x" * 500).prepare()
    def timed(adapter, count):
        took = []
        for _ in range(count):
            began = time.perf_counter()
            adapter.send(request).content
            took.append(time.perf_counter() - began)
        return took
    def p99(took):                                      # of the quietest quarter: a machine has other work, too
        quarter = len(took) // 4
        return min(sorted(took[n : n + quarter])[int(quarter * 0.99)] for n in range(0, len(took), quarter))
"""


@pytest.mark.parametrize(
    "trouble", ["hang", *(pytest.param(one, marks=pytest.mark.thorough) for one in ("slow", "refused"))]
)
def test_a_burst_waits_for_nobody(receiver, trouble):
    """
    20,000 failing calls at once, a queue for 1,000: the 99th percentile grows by less than 5 ms, memory by under 16 MB.
    """
    receiver.script("/hook", then=replies.slow(0.05) if trouble == "slow" else replies.hang())
    told = heard(
        run(
            CALLS
            + """
    timed(ours, 100), timed(plain, 2_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    burst = timed(ours, 20_000)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    without = timed(plain, 20_000)
    stats = pipeline.stats()
    assert stats.balanced and stats.accepted == 20_100, stats
    assert stats.dropped.keys() <= {"queue_full"}, stats
    pipeline.close(0)
    assert pipeline.stats().balanced
    print(json.dumps({"added": p99(burst) - p99(without), "megabytes": grown, "dropped": stats.dropped}))
""",
            hook=replies.refused_url() if trouble == "refused" else receiver.url("/hook"),
            timeout=90,
        )
    )

    assert told["added"] < 0.005, told
    assert told["megabytes"] < 16, told


def test_two_hundred_threads_on_one_session(receiver):
    """
    They are through in little more time than without us, whatever the webhook does, and every call is accounted for.
    """
    receiver.script("/hook", then=replies.hang())
    told = heard(
        run(
            CALLS
            + """
    def crowd(adapter):
        took = []
        ready = threading.Barrier(201)
        def work():
            ready.wait()
            took.extend(timed(adapter, 50))
        threads = [threading.Thread(target=work) for _ in range(200)]
        for thread in threads: thread.start()
        ready.wait()
        began = time.perf_counter()
        for thread in threads: thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        return time.perf_counter() - began
    crowd(plain)
    without, within = crowd(plain), crowd(ours)
    stats = pipeline.stats()
    assert stats.balanced and stats.accepted == 10_000, stats
    pipeline.close(0)
    print(json.dumps({"without": without, "within": within}))
""",
            hook=receiver.url("/hook"),
            timeout=120,
        )
    )

    assert told["within"] < 4 * told["without"] + 2, told


def test_nobody_waits_for_the_start_of_a_thread(receiver):
    """
    The first record starts the dispatcher. However long that takes, neither its caller nor anybody else waits for it.
    """
    told = heard(
        run(
            CALLS
            + """
    start = threading.Thread.start
    def slow_start(thread):
        if thread.name == "curl-interceptor-dispatcher":
            time.sleep(1)
        start(thread)
    threading.Thread.start = slow_start
    slowest = max(timed(ours, 100))
    others = threading.Thread(target=lambda: timed(ours, 100))
    others.start()
    others.join()
    assert pipeline.stats().threads == 0, pipeline.stats()
    assert pipeline.flush(5)
    assert pipeline.stats().delivered == 200, pipeline.stats()
    print(json.dumps({"slowest": slowest}))
""",
            hook=receiver.url("/hook"),
        )
    )

    assert told["slowest"] < 0.25, told


def test_the_first_record_beside_busy_threads(receiver):
    """
    Whoever lets go of the interpreter has to wait for busy threads; the call that starts the dispatcher does not.
    """
    told = heard(
        run(
            CALLS
            + """
    timed(plain, 10)
    def busy():
        while not done:
            sum(range(1_000))
    done = []
    crowd = [threading.Thread(target=busy) for _ in range(4)]
    for thread in crowd: thread.start()
    sys.setswitchinterval(0.2)
    (took,) = timed(ours, 1)
    sys.setswitchinterval(0.005)
    done.append(1)
    for thread in crowd: thread.join()
    assert pipeline.flush(5)
    assert pipeline.stats().delivered == 1, pipeline.stats()
    print(json.dumps({"took": took}))
""",
            hook=receiver.url("/hook"),
        )
    )

    assert told["took"] < 0.15, told


@pytest.mark.thorough
def test_records_go_out_fast_enough():
    """
    At least 1,000 records a second in batches of 50 and 500 one by one, as the benchmark measures them.
    """
    measured = subprocess.run(
        [sys.executable, str(TESTS.parent / "benchmarks" / "throughput.py"), "--records", "3000"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    ).stdout
    rates = {int(size): float(rate.replace(",", "")) for size, rate in re.findall(r"of +(\d+): +([\d,]+)", measured)}

    assert rates[50] >= 1_000, measured
    assert rates[1] >= 500, measured
