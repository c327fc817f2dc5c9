"""
What redaction costs, against reading and writing the same JSON, and what hostile text costs, against harmless text.

    python benchmarks/redaction.py

A record is redacted whole, headers and URL included. The goal for one with 2 KB of JSON is twice the time of
`json.loads` and `json.dumps` of its body plus 50 µs, and no hostile text of 64 KiB may take over 20 times as long as
harmless text of that size. All ratios are from one run, since the machine's speed drifts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from redaction.test_hostile import SIZE, UNITS, fill

from curl_interceptor import UNREDACTED, Redaction
from curl_interceptor.records.exchange import Exchange, RequestFacts, ResponseFacts
from curl_interceptor.records.redaction import redact, redact_text

RULES = Redaction()
HEADERS = (
    ("User-Agent", "python-requests/2.32.3"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept", "*/*"),
    ("Connection", "keep-alive"),
    ("Content-Type", "application/json"),
    ("Authorization", "Bearer 4f2a9c"),
)
ANSWERED = (
    ("Date", "Wed, 21 Oct 2026 07:28:00 GMT"),
    ("Content-Type", "application/json"),
    ("Server", "nginx"),
    ("Set-Cookie", "sid=abc; Path=/"),
    ("X-Request-Id", "550e8400-e29b-41d4-a716-446655440000"),
)


def users(count: int, secrets: int) -> dict[str, Any]:
    """A document like those of many APIs, with secrets in the first few of its objects."""
    found = []
    for n in range(count):
        user = {"id": n, "name": f"User {n}", "email": f"u{n}@example.com", "active": True, "roles": ["admin", "dev"]}
        user["address"] = {"street": f"Main Street {n}", "city": "Springfield", "zip": "12345"}
        found.append(user | ({"password": f"hunter{n}", "api_key": f"k-{n}"} if n < secrets else {}))
    return {"users": found, "next": "https://api.example.com/v1/users?page=2"}


def exchange(body: bytes) -> Exchange:
    """A failed call that sent this body."""
    headers = (*HEADERS, ("Content-Length", str(len(body))))
    url = "https://api.example.com/v1/users?api_key=abc&page=2"
    request = RequestFacts("POST", url, headers, body, "complete", len(body))
    answer = ResponseFacts(500, "Internal Server Error", ANSWERED, (b'{"error":"no luck"}',), "complete", 19)
    return Exchange(request, answer, None, started=0.0, elapsed=0.1)


def microseconds(call: Callable[[], object], *, budget: float = 0.1) -> float:
    """The least time of a call over several rounds."""
    call()
    best, until = float("inf"), time.perf_counter() + budget
    while time.perf_counter() < until:
        began = time.perf_counter()
        for _ in range(5):
            call()
        best = min(best, (time.perf_counter() - began) / 5)
    return best * 1e6


def records() -> None:
    """Print what records of several sizes cost."""
    print("record                     bytes   loads   dumps  redact  of which unredacted   goal  of it")
    for title, count, secrets in (
        ("2 KB, no secret", 11, 0),
        ("2 KB, 6 secrets", 10, 3),
        ("2 KB, 20 secrets", 9, 10),
        ("8 KB, 6 secrets", 44, 3),
        ("64 KB, 6 secrets", 360, 3),
    ):
        document = users(count, secrets)
        text = json.dumps(document)
        made = exchange(text.encode())
        loads = microseconds(lambda text=text: json.loads(text))
        dumps = microseconds(lambda document=document: json.dumps(document))
        cost = microseconds(lambda made=made: redact(made, RULES, id="1"))
        bare = microseconds(lambda made=made: redact(made, UNREDACTED, id="1"))
        goal = 2 * (loads + dumps) + 50
        figures = f"{loads:7.0f} {dumps:7.0f} {cost:7.0f} {bare:20.0f} {goal:6.0f}  {cost / goal:.2f}"
        print(f"{title:24} {len(text):7} {figures}")


def hostile() -> None:
    """Print the hostile texts that cost most."""
    rows = json.dumps([{"id": n, "name": f"User {n}", "city": f"City {n * 7}"} for n in range(1_500)])[:SIZE]
    prose = " ".join(f"The author {n} signs page {n * 3} at the desk;" for n in range(1_600))[:SIZE]
    harmless = {name: microseconds(lambda t=t: redact_text(t, RULES)) for name, t in (("JSON", rows), ("prose", prose))}
    print("\nharmless text of 64 KiB:", ", ".join(f"{name} {cost / 1000:.1f} ms" for name, cost in harmless.items()))
    mean = sum(harmless.values()) / len(harmless)
    costs = {unit: microseconds(lambda unit=unit: redact_text(fill(unit), RULES)) for unit in UNITS}
    print("the most expensive hostile texts of 64 KiB:")
    for unit, cost in sorted(costs.items(), key=lambda item: -item[1])[:8]:
        print(f"  {unit!a:38} {cost / 1000:6.1f} ms  {cost / mean:5.1f} times harmless text")


if __name__ == "__main__":
    records()
    hostile()
