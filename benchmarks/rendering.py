"""
What a command costs, as ratios in one run: to curlify's for a request of 2 KB, to base64's for a large body.

    python benchmarks/rendering.py

The floors are 2 times curlify for `to_curl` of a prepared request of 2 KB, 10 times `base64.b64encode` for a body of
1 MiB of random bytes, and a cost that grows no faster than the body. Runs take turns, and the best of each counts.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable

import requests

from curl_interceptor import UNREDACTED, to_curl
from curl_interceptor.dialects import names, render
from curl_interceptor.records.record import Record

ROUNDS = 15


def best(*functions: Callable[[], object], times: int = 1) -> list[float]:
    """Return the shortest time of each, in seconds for one call; they take turns, as the machine's speed drifts."""
    spans = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for at, function in enumerate(functions):
            start = time.perf_counter()
            for _ in range(times):
                function()
            spans[at] = min(spans[at], (time.perf_counter() - start) / times)
    return spans


def request_of(body: bytes) -> requests.PreparedRequest:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + "a" * 200, "X-Request-Id": "4711"}
    with requests.Session() as session:
        return session.prepare_request(
            requests.Request("POST", "https://api.example.com/v1/orders?page=2", data=body, headers=headers)
        )


def record_of(body: bytes) -> Record:
    """Return a record that holds this body."""
    return Record(
        id="1", method="POST", url="https://api.example.com/", host="api.example.com", request_headers=(),
        request_body=body, request_body_state="complete", request_body_size=len(body), chunked=False, target=None,
        status=None, reason=None, response_headers=(), response_body=None, response_body_state="none",
        response_body_size=None, error=None, error_message=None, started=0.0, elapsed=0.0, duration=None, verify=True,
        cert=None, proxies=(), timeout=None, fingerprint="",
    )  # fmt: skip


def small() -> None:
    prepared = request_of(b'{"note": "it\'s ' + b"0123456789" * 150 + b'"}')
    record_time, own, whole = best(
        lambda: render(record_of(prepared.body)),
        lambda: to_curl(prepared, redaction=UNREDACTED),
        lambda: to_curl(prepared),
        times=200,
    )
    print(f"2 KB request: render {record_time * 1e6:.0f} us, to_curl {own * 1e6:.0f} us, redacted {whole * 1e6:.0f} us")
    try:
        import curlify
    except ImportError:
        print("curlify is not installed: no ratio")
        return
    theirs, ours, redacted = best(
        lambda: curlify.to_curl(prepared),
        lambda: to_curl(prepared, redaction=UNREDACTED),
        lambda: to_curl(prepared),
        times=200,
    )
    print(f"  curlify {theirs * 1e6:.0f} us; ours {ours / theirs:.2f} times that, redacted {redacted / theirs:.2f}")


def large() -> None:
    random, text = os.urandom(1 << 20), b"a line of text\n" * (1 << 16)
    floor, *spans = best(
        lambda: base64.b64encode(random), lambda: render(record_of(random)), lambda: render(record_of(text))
    )
    print(
        f"1 MiB: b64encode {floor * 1e3:.2f} ms; random bytes {spans[0] / floor:.1f}, text {spans[1] / floor:.1f} times"
    )
    for dialect in names():
        first, second = best(
            lambda: render(record_of(random[: 1 << 18]), dialect=dialect),  # noqa: B023
            lambda: render(record_of(random), dialect=dialect),  # noqa: B023
        )
        print(f"  {dialect}: 1 MiB {second / floor:.1f} times b64encode, {second / first:.1f} times its own 256 KiB")


if __name__ == "__main__":
    small()
    large()
