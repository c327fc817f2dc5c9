"""The log of trouble: rare, bounded, silent at the end, and harmless whatever listens."""

from __future__ import annotations

import logging

import pytest

from curl_interceptor.delivery.books import Books
from curl_interceptor.errors import Transient
from curl_interceptor.observe.log import TroubleLog


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(clock, caplog):
    caplog.set_level(logging.DEBUG)
    return TroubleLog(clock=clock)


def test_each_kind_speaks_once_a_minute(log, clock, caplog):
    """
    A thousand times the same trouble is one line, and the next line tells of those between.
    """
    for _ in range(1_000):
        log.note("match", "the match raised")
    log.note("routing", "another kind is another line")
    clock.now += 60.0
    log.note("match", "the match raised again")
    clock.now += 60.0
    log.note("match", "and again")

    assert caplog.messages == [
        "the match raised",
        "another kind is another line",
        "the match raised again (999 more like this since the last line)",
        "and again",
    ]
    assert log.counts == {"match": 1_002, "routing": 1}


def test_every_line_is_on_our_own_loggers(log, caplog):
    """
    An app that mutes `curl_interceptor` hears nothing.
    """
    log.note("match", "x")

    assert all(record.name.startswith("curl_interceptor.") for record in caplog.records)


def test_percent_signs_are_no_format(log, caplog):
    """
    A label with a percent sign is written as it is.
    """
    log.note("match", "the match of 100%s %d raised")

    assert caplog.messages == ["the match of 100%s %d raised"]


def test_many_kinds_are_bounded_and_stay_limited(log, clock, caplog):
    """
    Ten thousand labels take no more memory than a thousand, and a kind that spoke just now stays silent.
    """
    for number in range(10_000):
        log.say(f"open webhook-{number}", "x")
        log.say(f"open webhook-{number}", "x")

    assert len(caplog.messages) == 10_000
    assert len(log._told) <= 1_000
    assert len(log._left_out) <= 1_000


def test_a_silent_log_has_last_words_only(log, caplog):
    """
    At exit only the thread that ends the process speaks; the others count.
    """
    log.silent = True
    log.note("match", "from a worker")
    log.say("shutdown", "from the one that ends", last_words=True)

    assert caplog.messages == ["from the one that ends"]
    assert log.counts == {"match": 1}


def test_nobody_listening_means_nothing_printed(clock, capsys, monkeypatch):
    """
    Without a handler anywhere nothing goes to stderr, and the kind is not used up by that.
    """
    logger = logging.getLogger("curl_interceptor.delivery")
    monkeypatch.setattr(logger, "propagate", False)
    log = TroubleLog(clock=clock)
    log.note("match", "unheard")
    assert capsys.readouterr() == ("", "")

    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        log.note("match", "heard")
    finally:
        logger.removeHandler(handler)
    assert heard == ["heard"]


def test_a_handler_that_raises_is_counted(log, monkeypatch):
    """
    A handler's own trouble is no trouble of ours.
    """

    def fail(record: logging.LogRecord) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(logging.getLogger("curl_interceptor.delivery"), "handle", fail)
    log.note("match", "x")

    assert log.counts == {"match": 1, "log_handler": 1}


def test_a_clock_set_back_silences_nothing_for_long(log, clock, caplog):
    """
    Should the clock go back an hour, nobody waits an hour for the next line.
    """
    log.note("match", "first")
    clock.now -= 3_600.0
    log.note("match", "second")
    log.note("match", "third")

    assert caplog.messages == ["first", "second"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("HTTP 503", "HTTP 503"),
        ("no luck at https://hooks.example.com/T0/s3cret?x=1, later", "no luck at (a URL) later"),
        ("two\nlines\r\n\tand \x1b[31mred", "two lines and ?[31mred"),
        ("x" * 1_000, "x" * 200),
        ("", "Transient"),
    ],
)
def test_an_error_is_one_line_without_a_url(said, told):
    """
    What a service or an inspector said is fit for a log, whatever it said.
    """
    books = Books()

    assert books.err(Transient(said)) == told
    assert books.last_error == told
    assert books.last_error_at is not None
