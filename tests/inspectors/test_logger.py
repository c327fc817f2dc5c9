"""Lines of a logger: one for each record, saying how many it stands for."""

from __future__ import annotations

import json
import logging
import time

import pytest

from curl_interceptor import ConfigurationError, LoggingInspector, Match, Redaction, mount
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


def test_a_level_may_be_chosen_by_the_outcome(api, session, pipeline, caplog):
    """
    ERROR for 5xx and exceptions, WARNING for 4xx, INFO for all else.
    """
    caplog.set_level(logging.DEBUG, "calls")
    adapter = mount(
        session, LoggingInspector("calls", level="outcome"), match=Match(statuses=range(100, 600)), pipeline=pipeline
    )
    for status in (503, 404, 200):
        session.get(api.url(f"/status/{status}"))
    assert adapter.flush(5)

    levels = [(one.levelname, one.getMessage()[:3]) for one in caplog.records if one.name == "calls"]
    assert levels == [("ERROR", "503"), ("WARNING", "404"), ("INFO", "200")]


@pytest.mark.parametrize("name", ["calls", "a:b"])
def test_fields_stand_beside_the_text(api, session, pipeline, caplog, name):
    """
    What a handler that writes JSON finds: one attribute, with all but headers and bodies.
    """
    caplog.set_level(logging.DEBUG, name)
    adapter = mount(session, LoggingInspector(name, level=25, fields=True), pipeline=pipeline)
    session.get(api.url("/status/503?token=s3cr3t"))
    assert adapter.flush(5)

    (line,) = [one for one in caplog.records if one.name == name]
    assert line.levelno == 25
    assert line.call["status"] == 503
    assert line.call["method"] == "GET"
    assert line.call["curl"].startswith("curl ")
    assert "response" not in line.call
    assert "s3cr3t" not in json.dumps(line.call)


def test_without_fields_a_line_has_none(api, session, pipeline, caplog):
    """
    Nobody pays for what nobody reads.
    """
    adapter = mount(session, LoggingInspector("calls"), pipeline=pipeline)
    session.get(api.url("/status/503"))
    assert adapter.flush(5)

    (line,) = [one for one in caplog.records if one.name == "calls"]
    assert not hasattr(line, "call")


@pytest.mark.parametrize("options", [{"level": "LOUD"}, {"level": True}, {"level": None}, {"fields": 1}])
def test_what_cannot_be_used_is_refused(options):
    """
    At construction.
    """
    with pytest.raises(ConfigurationError, match=r"(?:level|fields) must be"):
        LoggingInspector(**options)


def test_another_form_of_lines_has_another_lane():
    """
    The label stays that of the logger.
    """
    plain, chosen, full = (
        LoggingInspector("a"),
        LoggingInspector("a", level="outcome"),
        LoggingInspector("a", fields=True),
    )

    assert len({plain.address, chosen.address, full.address}) == 3
    assert {plain.label, chosen.label, full.label} == {"logging:a"}
