"""No text, however bad, takes much longer than a harmless one of its size, and twice the text takes twice the time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from curl_interceptor.records.redaction import Redaction, redact_text

SIZE = 65_536
RULES = Redaction()
# fmt: off
UNITS = [
    'a=a&', '"', '\\"', '\\', '{"a":', '[', '{"password":', '"password":"', 'password: ', 'eyJ', 'eyJa.eyJb.',
    '://', 'a://b:', '//x:y@', 'http://u:p@', '<a ', '<password>', '<a password="', '&lt;', 'Bearer ', 'SG.a',
    'AKIA', '-----BEGIN PRIVATE KEY-----', "a" * 23 + ".", '/hooks/', '/token/a', '--B\r\n\r\n', '=', '%25',
    'password%3D%22', '\\"password\\":\\"', '{"name":"password",', '{"name":"password","value":1},',
    'cookie: a=b;', '-u a:b ', 'api key: ', "('password', '", '1:A', '123456:A', 'a', ' ', '\n', '\u0130',
    '\x00', '-us1', '<![CDATA[', '["token","x"],', 'password={', 'password="\\"', 'Authorization: Digest ',
    'token=a,b=c,', 'login a password b ', 'password is ', 'x_live_', 'data: {"key":', 'data:\n', '"key":1,',
    '{"key":1,', '{"api":{"key":1},"key":2},', 'secret: |\n a\n', '&lt;password&gt;', 'secret: |\n', 'id: \n',
]
# fmt: on


def fill(unit: str, size: int = SIZE) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def seconds(text: str) -> float:
    """What redaction takes of this thread's own time, whatever else the machine is at."""
    began = time.thread_time()
    redact_text(text, RULES)
    return time.thread_time() - began


def in_one_of_three(comparison: Callable[[], bool]) -> bool:
    """Whether it holds once: a machine can only make things slower than they are."""
    return any(comparison() for _ in range(3))


@pytest.fixture(scope="module")
def harmless() -> float:
    """Harmless text of the same size: JSON and prose, of which nothing repeats."""
    rows = [{"id": n, "name": f"User {n}", "city": f"City {n * 7}", "at": f"2024-01-01 {n % 60}"} for n in range(900)]
    prose = " ".join(f"The author {n} signs page {n * 3} at the desk;" for n in range(1_600))
    return min((seconds(json.dumps(rows)[:SIZE]) + seconds(prose[:SIZE])) / 2 for _ in range(3))


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_hostile_text_costs_at_most_twenty_times_harmless_text(unit, harmless):
    """
    A pattern that looked for the end of something again and again would take thousands of times as long.
    """
    inside = '{"x":"' + fill(unit).replace("\\", "").replace('"', "") + '"}'
    for text in (fill(unit), inside):
        assert in_one_of_three(lambda text=text: seconds(text) < 20 * harmless)


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_time_is_linear(unit):
    """
    Four times the text takes at most ten times the time, measured where the constant part has no weight.
    """
    small, large = fill(unit, SIZE // 2), fill(unit, SIZE * 2)
    assert in_one_of_three(lambda: seconds(large) < 10 * seconds(small) + 0.010)
