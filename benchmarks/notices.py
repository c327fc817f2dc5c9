"""
What a message or a report of an exception costs the thread that sends it: µs, the median of many.

Run it with `python benchmarks/notices.py`. Every text is another one, nothing listens on the other end, and the
dispatcher lingers, so that what it does in the background is not measured along with it.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

from curl_interceptor import CurlInterceptor, Pipeline
from curl_interceptor.testing import RecordingInspector

ROUNDS = 1_000


def failed(depth: int) -> Exception:
    """An exception that passed so many frames."""

    def fall(left: int) -> None:
        if left:
            fall(left - 1)
        raise ValueError("no such card")

    try:
        fall(depth - 2)
    except ValueError as error:
        return error
    raise AssertionError


def cost(send: Callable[[int], object]) -> float:
    """Microseconds of one, the median."""
    seconds = []
    for number in range(ROUNDS):
        began = perf_counter()
        send(number)
        seconds.append(perf_counter() - began)
    return median(seconds) * 1e6


def main() -> None:
    pipeline = Pipeline(linger=10, queue_bytes=1_000_000_000)
    adapter = CurlInterceptor(inspectors=[RecordingInspector()], pipeline=pipeline)
    extra = {"order": 4711, "customer": "ann", "items": [1, 2, 3]}
    print(f"send_message                       {cost(lambda n: adapter.send_message(f'export {n} is done')):6.1f} µs")
    print(f"send_message of 1 MB               {cost(lambda n: adapter.send_message(LONG)):6.1f} µs")
    print(f"send_message with 3 extra values   {cost(lambda n: adapter.send_message('done', extra=extra)):6.1f} µs")
    for depth in (10, 100, 900):
        error = failed(depth)
        print(f"send_bug_report of {depth:3} frames      {cost(lambda n: adapter.send_bug_report(error)):6.1f} µs")  # noqa: B023
    pipeline.close(0)


LONG = "word " * 200_000

if __name__ == "__main__":
    main()
