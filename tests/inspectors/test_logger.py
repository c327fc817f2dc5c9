"""Lines of a logger: one for each record, saying how many it stands for."""

from __future__ import annotations

import time

from curl_interceptor import LoggingInspector, Redaction
from curl_interceptor.records.exchange import Exchange, RequestFacts, ResponseFacts
from curl_interceptor.records.redaction import redact

EXCHANGE = Exchange(RequestFacts("GET", "http://api.test/", ()), ResponseFacts(500, "", ()), None, 1_000_000.0, 0.1)
RECORD = redact(EXCHANGE, Redaction(), id="0")


def line(record) -> str:
    (payload,) = LoggingInspector().payloads([record])
    return payload.body.decode()


def test_a_record_that_stands_alone_says_nothing_of_others():
    """
    Outcome, time and command.
    """
    assert line(RECORD).startswith("500 after 100 ms: curl ")


def test_a_record_that_stands_for_others_says_how_many_and_from_when_to_when():
    """
    The span is in local time, as that of the line itself.
    """
    first, last = (time.strftime("%H:%M:%S", time.localtime(at)) for at in (999_580.0, 1_000_000.0))

    assert line(RECORD.telling(411, 999_580.0)).startswith(f"500 after 100 ms (x412 from {first} to {last}): curl ")
