"""What an app logs, sent as notices by a handler that is no trouble to anybody who logs."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers

import pytest
from support import receiver as replies
from support.process import run
from support.records import documents

from curl_interceptor import (
    UNREDACTED,
    BatchPolicy,
    ConfigurationError,
    CurlInterceptor,
    LoggingInspector,
    NoticeHandler,
    context,
)
from curl_interceptor.testing import RecordingInspector

FAST = BatchPolicy(10, 0.01)


@pytest.fixture
def log():
    """A logger of the app's own, which nobody else listens to."""
    logger = logging.Logger("shop.orders")
    yield logger
    for handler in logger.handlers:
        handler.close()


@pytest.fixture
def inspector(log, pipeline):
    """The inspector of a handler that sends what the logger says."""
    made = RecordingInspector()
    log.addHandler(NoticeHandler(inspectors=[made], pipeline=pipeline, batch=FAST, level="INFO"))
    return made


def test_a_line_becomes_a_message(log, inspector):
    """
    Text, level, logger, labels, extra attributes and the place are told.
    """
    with context(request_id="af31"):
        log.warning("order %s is late, token=%s", 4711, "t0p-s3cr3t", extra={"customer": "ann"})

    (notice,) = inspector.notices
    assert (notice.kind, notice.level) == ("message", "warning")
    assert notice.text == "order 4711 is late, token=REDACTED"
    assert notice.extra == (("logger", "shop.orders"), ("customer", "ann"))
    assert notice.context == (("request_id", "af31"),)
    assert notice.caller.startswith("test_handler.py:")
    assert notice.caller.endswith(" in test_a_line_becomes_a_message")


def test_an_exception_becomes_a_report(log, inspector):
    """
    With `exc_info` the exception is taken apart, and what was logged is said of it.
    """
    try:
        {}["missing"]
    except KeyError:
        log.exception("cannot find it")

    (notice,) = inspector.notices
    assert (notice.kind, notice.error, notice.text) == ("bug_report", "KeyError", "cannot find it")
    assert '{}["missing"]' in notice.traceback


def test_exc_info_without_an_exception_is_a_message(log, inspector):
    """
    Nothing is made up where nothing is being handled.
    """
    log.error("nothing", exc_info=True)

    assert [notice.kind for notice in inspector.notices] == ["message"]


def test_the_level_decides_what_is_sent(log, inspector):
    """
    What lies below the handler's level is not sent; the default is `ERROR`.
    """
    log.debug("no")
    log.info("yes")

    assert [notice.text for notice in inspector.notices] == ["yes"]
    assert NoticeHandler().level == logging.ERROR


def test_a_formatter_writes_the_text(log, inspector):
    """
    The text is what the formatter says, without the traceback, which is told by itself.
    """
    log.handlers[0].setFormatter(logging.Formatter("%(name)s: %(message)s"))
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        log.exception("odd")

    assert [notice.text for notice in inspector.notices] == ["shop.orders: odd"]


def test_lines_of_one_template_are_equal(log, inspector, pipeline):
    """
    The cooldown holds back what differs in its arguments only, whatever these are.
    """
    for name in ("ann", "bob", "cleo"):
        log.error("no order of %s", name)
    log.error("another matter")

    assert [notice.text for notice in inspector.notices] == ["no order of ann", "another matter"]
    assert pipeline.stats().inspectors[0].suppressed == 2


class Hostile:
    def __init__(self, log=None):
        self.log = log

    def __str__(self):
        if self.log:
            self.log.error("while it is written: %s", self)
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.mark.parametrize("raise_exceptions", [True, False])
def test_what_cannot_be_written_raises_nothing_and_prints_nothing(
    log, inspector, capsys, monkeypatch, raise_exceptions
):
    """
    A template that does not fit, an argument that raises, and one that logs itself end in a notice of the template.
    """
    monkeypatch.setattr(logging, "raiseExceptions", raise_exceptions)
    log.error("%d orders", "many")
    log.error("%s", Hostile())
    log.error("logs: %s", Hostile(log))
    log.error(Hostile())
    log.error("extra", extra={"hostile": Hostile()})

    texts = [notice.text for notice in inspector.notices]
    assert texts == ["%d orders", "%s", "logs: %s", "(a Hostile)", "extra"]
    assert capsys.readouterr() == ("", "")


def test_our_own_lines_are_left_out(receiver, pipeline, caplog):
    """
    A handler on the root logger sends nothing of what this library logs, or a webhook that fails would feed itself.
    """
    receiver.script("/hook", then=replies.status(404))
    caplog.set_level(logging.DEBUG)
    handler = NoticeHandler(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST, level=logging.DEBUG)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        logging.getLogger("shop_under_test").error("hello")
        assert pipeline.flush()
        assert pipeline.flush()
    finally:
        root.removeHandler(handler)

    assert "curl_interceptor.undelivered" in {record.name for record in caplog.records}
    assert [document["text"] for document in documents(receiver)] == ["hello"] * 1
    assert pipeline.stats().accepted == 1


def test_an_inspector_that_logs_feeds_no_handler(pipeline):
    """
    What a `LoggingInspector` writes to a logger of the app's is written while it is delivered, and left out.
    """
    logger = logging.getLogger("shop_under_test.loop")
    inspector = LoggingInspector("shop_under_test.loop")
    handler = NoticeHandler(inspectors=inspector, pipeline=pipeline, batch=FAST, cooldown=None)
    handler.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        logger.error("once")
        assert pipeline.flush()
    finally:
        logger.removeHandler(handler)

    assert pipeline.stats().accepted == 1


def test_a_target_gets_what_is_logged(log, pipeline):
    """
    An adapter's inspectors get it, or with a pipeline those of all its adapters.
    """
    first, second = RecordingInspector(), RecordingInspector()
    adapter = CurlInterceptor(inspectors=[first], pipeline=pipeline, batch=FAST)
    other = CurlInterceptor(inspectors=[second], pipeline=pipeline, batch=FAST)
    log.addHandler(NoticeHandler(adapter))
    log.error("to one")
    log.handlers.clear()
    log.addHandler(NoticeHandler(pipeline))
    log.error("to all")

    assert [notice.text for notice in first.notices] == ["to one", "to all"]
    assert [notice.text for notice in second.notices] == ["to all"]
    assert other.inspectors == (second,)


def test_a_memory_handler_may_stand_before_it(log, inspector):
    """
    Records that another handler has kept for a while are sent when it lets them go.
    """
    memory = logging.handlers.MemoryHandler(10, logging.CRITICAL, log.handlers.pop())
    log.addHandler(memory)
    log.error("kept")
    memory.flush()

    assert [notice.text for notice in inspector.notices] == ["kept"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "https://hooks.example.com/secret"}, "webhook URLs are given as inspectors="),
        ({"target": 5}, "target must be an adapter, a pipeline"),
        ({"target": "a.b", "inspectors": []}, "both given"),
        ({"level": "LOUD"}, "level must be a number or a name"),
        ({"level": None}, "level must be a number or a name"),
        ({"batch": FAST}, r"batch is for inspectors of the handler's own; say inspectors=\[...\]"),
        ({"inspectors": [5]}, "inspectors must be"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, message):
    """
    An error names the argument and the remedy, and no URL.
    """
    with pytest.raises(ConfigurationError, match=message) as caught:
        NoticeHandler(**arguments)

    assert "secret" not in str(caught.value)


def test_an_unknown_keyword_is_refused():
    """
    A misspelled keyword is told, and so is one that means nothing for notices.
    """
    with pytest.raises(TypeError, match="did you mean 'cooldown'"):
        NoticeHandler(inspectors=[], cooldwon=None)
    with pytest.raises(TypeError, match="unknown keyword 'match'"):
        NoticeHandler(inspectors=[], match=None)


def test_it_is_switched_off_by_the_environment(log, monkeypatch):
    """
    `CURL_INTERCEPTOR_ENABLED=0` switches off a handler with inspectors of its own as it does adapters.
    """
    monkeypatch.setenv("CURL_INTERCEPTOR_ENABLED", "0")
    made = RecordingInspector()
    log.addHandler(NoticeHandler(inspectors=[made], redaction=UNREDACTED))
    log.error("no")

    assert made.notices == []


CONFIG = """
    import logging, logging.config, sys
    import curl_interceptor
    adapter = curl_interceptor.CurlInterceptor(inspectors=hook)
    logging.config.dictConfig({
        "version": 1,
        "formatters": {"short": {"format": "%(levelname)s %(message)s"}},
        "handlers": {"notices": {"class": "curl_interceptor.NoticeHandler", "level": "WARNING", **arguments}},
        "root": {"handlers": ["notices"], "level": "DEBUG"},
    })
    logging.getLogger("shop").info("not this")
    logging.getLogger("shop").warning("the last line")
"""


@pytest.mark.parametrize(
    "arguments",
    ["{}", "{'inspectors': [hook]}", "{'target': '__main__.adapter'}", "{'target': 'ext://__main__.adapter'}"],
)
def test_dict_config_makes_one_and_the_end_of_the_process_delivers(receiver, arguments):
    """
    Set up by `logging.config`, with plain arguments, it sends what the last line of a script logs.
    """
    ended = run(CONFIG.replace("**arguments", f"**{arguments}, 'formatter': 'short'"), hook=receiver.url("/hook"))

    assert (ended.status, ended.err) == (0, "")
    assert [document["text"] for document in documents(receiver)] == ["WARNING the last line"]


def test_the_end_of_logging_waits_for_no_webhook(receiver):
    """
    With a webhook that hangs, a process whose handlers are shut down ends in time, and prints nothing.
    """
    receiver.script("/hook", then=replies.hang())
    ended = run(
        CONFIG.replace("**arguments", "'inspectors': [hook]") + "    logging.shutdown()\n", hook=receiver.url("/hook")
    )

    assert (ended.status, ended.err) == (0, "")
    assert ended.seconds < 6


def test_a_forked_child_logs_for_itself(receiver):
    """
    What a child logs is sent once, by the child.
    """
    ended = run(
        CONFIG.replace("**arguments", "'inspectors': [hook]")
        + """
    import os
    child = os.fork()
    logging.getLogger("shop").error("from the child" if child == 0 else "from the parent")
    if child:
        os.waitpid(child, 0)
""",
        hook=receiver.url("/hook"),
    )

    assert (ended.status, ended.err) == (0, "")
    texts = sorted(document["text"] for document in documents(receiver))
    assert texts == ["from the child", "from the parent", "the last line"]
