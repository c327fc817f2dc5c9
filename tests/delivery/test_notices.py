"""What is sent by hand goes the way of the records: redacted, in the background, and no trouble to whoever sends it."""

from __future__ import annotations

import gc
import json
import logging
import re
import sys
import threading
import traceback
import weakref

import pytest
import requests
from requests.adapters import HTTPAdapter
from support import receiver as replies
from support.records import documents

from curl_interceptor import (
    BatchPolicy,
    CaptureMixin,
    Cooldown,
    CurlInterceptor,
    Inspector,
    LazyInspector,
    Match,
    Notice,
    Payload,
    Pipeline,
    Record,
    Redaction,
    WebhookInspector,
    context,
)
from curl_interceptor.testing import RecordingInspector

FAST = BatchPolicy(10, 0.01)


@pytest.fixture
def adapter(receiver, pipeline):
    """An adapter that posts to the receiver."""
    return CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST)


def sent(inspector: RecordingInspector) -> Notice:
    """The one notice that was sent."""
    (notice,) = inspector.notices
    return notice


# -- messages ---------------------------------------------------------------------------------------------------------


def test_a_message_arrives(adapter, receiver):
    """
    A text is posted as a document of its own kind, with the labels of where it comes from, its place, and no command.
    """
    with context(request_id="af31"):
        assert adapter.send_message("the export is done", level="warning", extra={"rows": 12, "token": "t0p"})

    assert adapter.flush()
    (document,) = documents(receiver)
    assert (document["kind"], document["level"], document["text"]) == ("message", "warning", "the export is done")
    assert document["context"] == {"request_id": "af31"}
    assert document["extra"] == {"rows": "12", "token": "REDACTED"}
    assert re.fullmatch(r"delivery/test_notices.py:\d+ in test_a_message_arrives", document["caller"])
    assert "curl" not in document
    assert adapter.stats().inspectors[0].delivered == 1


def test_messages_and_records_share_a_post(adapter, receiver, session, api):
    """
    A batch holds both, in the order in which they came.
    """
    session.mount("http://", adapter)
    adapter.configure(batch=BatchPolicy(10, 60))
    adapter.send_message("before")
    session.get(api.url("/status/500"))
    adapter.send_message("after")

    assert adapter.flush()
    assert [document["kind"] for document in json.loads(receiver.bodies()[0])] == ["message", "record", "message"]


def test_a_match_is_not_asked(pipeline):
    """
    A notice goes to every inspector of the adapter, and no predicate ever sees one.
    """
    asked = []
    picky = RecordingInspector(match=Match(hosts="elsewhere", predicate=asked.append))
    usual = RecordingInspector()
    adapter = CurlInterceptor(inspectors=[picky, usual], pipeline=pipeline, batch=FAST)

    adapter.send_message("hello")

    assert [notice.text for notice in (*picky.notices, *usual.notices)] == ["hello", "hello"]
    assert asked == []
    assert picky.records == []


def test_labels_choose_who_gets_it(pipeline, caplog):
    """
    `to=` names one or several labels; one that nobody has is counted and told of, and raises nothing.
    """
    first, second = RecordingInspector(label="first"), RecordingInspector(label="second")
    adapter = CurlInterceptor(inspectors=[first, second], pipeline=pipeline, batch=FAST)

    assert adapter.send_message("one", to="first")
    assert adapter.send_message("two", to=["first", "second"])
    assert adapter.send_message("nobody", to="secnod")

    assert [notice.text for notice in first.notices] == ["one", "two"]
    assert [notice.text for notice in second.notices] == ["two"]
    assert pipeline.stats().unmatched == 1
    assert "no inspector has the label that was given; did you mean 'second'?" in caplog.text
    assert adapter.send_message("half of them", to=["first", "nobody's"])
    assert first.notices[-1].text == "half of them"
    assert pipeline.stats().errors["unknown_label"] == 2


def test_a_pipeline_sends_to_all_that_its_adapters_have(pipeline):
    """
    Two adapters' inspectors get it, one address once, and what is only a fallback does not.
    """
    one, two, fallback = RecordingInspector(), RecordingInspector(), RecordingInspector()
    adapters = [
        CurlInterceptor(inspectors=[one], pipeline=pipeline, batch=FAST, fallbacks=[fallback]),
        CurlInterceptor(inspectors=[one, two], pipeline=pipeline, batch=FAST),
    ]

    assert pipeline.send_message("to all")

    assert [len(inspector.notices) for inspector in (one, two, fallback)] == [1, 1, 0]
    assert len(adapters) == 2


def test_without_a_destination_it_is_counted(pipeline):
    """
    A pipeline that knows nobody takes it and counts it as unmatched.
    """
    assert pipeline.send_message("to nobody")
    assert pipeline.flush()
    assert pipeline.stats().unmatched == 1


def test_an_adapter_that_is_off_and_a_pipeline_that_has_ended_say_no():
    """
    Nothing is taken, and nothing is raised.
    """
    ended = Pipeline()
    ended.close(1)

    assert CurlInterceptor(inspectors=None).send_message("off") is False
    assert CurlInterceptor(inspectors=None).send_bug_report(ValueError()) is False
    assert ended.send_message("too late") is False
    assert ended.stats().dropped == {"shutdown": 1}


def test_equals_are_held_back_and_told_by_a_count(receiver, pipeline):
    """
    Texts that differ in numbers only are equal for the cooldown; others are not.
    """
    adapter = CurlInterceptor(
        inspectors=receiver.url(), pipeline=pipeline, batch=BatchPolicy(1, 0), cooldown=Cooldown(0.3)
    )
    for number in (1, 22, 333):
        adapter.send_message(f"order {number} failed")
    adapter.send_message("another matter")

    receiver.wait(3)
    told = {document["text"]: document["suppressed"] for document in documents(receiver)}
    assert told == {"order 1 failed": 0, "another matter": 0, "order 333 failed": 1}


def test_what_the_factory_makes_gets_notices(pipeline):
    """
    A notice has a lazy inspector made, and its own label chooses it.
    """
    made = RecordingInspector(label="made")
    lazy = LazyInspector(lambda: made, label="late")
    adapter = CurlInterceptor(inspectors=[lazy], pipeline=pipeline, batch=FAST)

    adapter.send_message("first", to="late")
    assert adapter.flush()
    adapter.send_message("second", to="made")

    assert [notice.text for notice in made.notices] == ["first", "second"]


def test_a_fallback_gets_notices(receiver, pipeline):
    """
    What a webhook refuses is handed on, whether it was sent or captured; a callable gets the notice.
    """
    receiver.script("/hook", then=replies.status(404))
    taken = []
    adapter = CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST, fallbacks=taken.append)
    adapter.send_message("lost?")

    assert adapter.flush()
    assert [(type(entry), entry.text) for entry in taken] == [(Notice, "lost?")]


def test_what_nobody_takes_is_one_line_in_the_log(receiver, pipeline, caplog):
    """
    The line says what was to be said, in one line.
    """
    receiver.script("/hook", then=replies.status(404))
    adapter = CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST)
    adapter.send_message("lost\nall over")

    assert adapter.flush()
    assert "lost\\nall over" in caplog.text


class OnlyRecords(Inspector):
    """Somebody's inspector that was written before there were notices."""

    def payloads(self, entries, *, plain=False):
        bodies = [f"{record.method} {record.url}".encode() for record in entries]
        return [Payload(tuple(entries), b"\n".join(bodies), "text/plain")]


def test_an_inspector_that_only_knows_records_loses_notices_alone(receiver, pipeline, session, api):
    """
    Where `payloads` raises on a notice, the records of the same batch are delivered all the same.
    """
    adapter = CurlInterceptor(
        inspectors=OnlyRecords(receiver.url("/hook")), pipeline=pipeline, batch=BatchPolicy(10, 60), cooldown=None
    )
    session.mount("http://", adapter)
    for number in range(3):
        session.get(api.url(f"/status/500?{number}"))
        adapter.send_message("not for you")

    assert adapter.flush()
    assert b"\n".join(receiver.bodies()).count(b"GET http") == 3
    (figures,) = adapter.stats().inspectors
    assert (figures.delivered, figures.failed) == (3, 3)


def test_who_sends_while_it_delivers_is_refused(receiver, pipeline):
    """
    A fallback that sends a message would never come to an end; its message is counted and left out.
    """
    receiver.script("/hook", then=replies.status(404))
    answers = []
    adapter = CurlInterceptor(
        inspectors=receiver.url("/hook"),
        pipeline=pipeline,
        batch=FAST,
        fallbacks=lambda entry: answers.append(adapter.send_message("a fallback was needed")),
    )
    adapter.send_message("first")

    assert adapter.flush()
    assert answers == [False]
    assert pipeline.stats().errors["notice_in_delivery"] == 1


@pytest.mark.parametrize(
    "text", ["", None, b"bytes \xff", 12, {"a": [1]}, object(), "x" * 5_000_000, "\ud800", type("S", (str,), {})("s")]
)
def test_anything_may_be_said(pipeline, text):
    """
    What is no text is made one, and what is long is cut.
    """
    inspector = RecordingInspector()
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST)

    assert adapter.send_message(text, level=7, extra=[1, 2])
    assert isinstance(sent(inspector).text, str)
    assert sent(inspector).level == "info"
    assert len(sent(inspector).text) < 8_100


def test_wrong_arguments_raise_nothing(pipeline):
    """
    Whatever stands in the place of labels or extra values, the caller goes on.
    """

    class Hostile:
        def __str__(self):
            raise RecursionError

        __iter__ = __len__ = __bool__ = __str__

    adapter = CurlInterceptor(inspectors=[RecordingInspector()], pipeline=pipeline, batch=FAST)
    hostile = Hostile()

    assert adapter.send_message(hostile)
    assert adapter.send_message("a", extra={hostile: hostile})
    assert adapter.send_message("a", extra=hostile) is False
    assert adapter.send_message("a", to=hostile) is False
    assert adapter.send_message("a", to=5) is False
    assert pipeline.stats().errors["notice"] == 3


def test_extra_values_are_bounded_and_redacted_by_name(pipeline):
    """
    Secrets are found at any depth; an endless container and one that holds itself end.
    """
    inspector = RecordingInspector()
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST)
    loop: list[object] = []
    loop.append(loop)

    adapter.send_message(
        "a",
        extra={
            "user": {"name": "ann", "password": "hunter2", "keys": [{"api_key": "hunter2"}]},
            "password": 12345678,
            "many": range(10**9),
            "list": list(range(10**6)),
            "loop": loop,
            "text": "x" * 10**6,
        },
    )

    extra = dict(sent(inspector).extra)
    assert json.loads(extra["user"]) == {"name": "ann", "password": "REDACTED", "keys": [{"api_key": "REDACTED"}]}
    assert extra["password"] == "REDACTED"
    assert extra["many"] == "range(0, 1000000000)"
    assert len(json.loads(extra["list"])) == 51
    assert sum(map(len, extra.values())) < 21_000


def test_strict_rules_show_no_text(pipeline):
    """
    Rules that list what is shown show of a notice what kind it is; two that differ are not told as one.
    """
    inspector = RecordingInspector(redaction=Redaction.strict())
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST)
    adapter.send_message("a name of somebody", extra={"a": "b"})
    adapter.send_message("another name")

    first, second = inspector.notices
    assert "name" not in repr((first, second))
    assert first.fingerprint != second.fingerprint


# -- reports ----------------------------------------------------------------------------------------------------------


def charge(password):
    token = "t0p-s3cr3t-l0cal"  # noqa: F841  # a local variable, which nobody is told
    raise ValueError(f"no such card, password={password}")


def report(inspector, pipeline, error, **options):
    """Send a report of an error, and return its notice."""
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST)
    assert adapter.send_bug_report(error, **options)
    return inspector.notices[-1]


def raised(call, *arguments):
    """What a call raises."""
    try:
        call(*arguments)
    except BaseException as error:
        return error
    raise AssertionError


def test_a_report_tells_what_was_raised(pipeline):
    """
    Class, text, place, source lines and causes are told; secrets and local variables are not.
    """

    def outer():
        try:
            charge("".join(["hunt", "er2"]))
        except ValueError as error:
            raise RuntimeError("cannot charge") from error

    notice = report(RecordingInspector(), pipeline, raised(outer), message="at night")

    assert (notice.kind, notice.level, notice.text) == ("bug_report", "error", "at night")
    assert (notice.error, notice.error_message) == ("RuntimeError", "cannot charge")
    assert "in outer" in notice.caller
    assert "caused by ValueError: no such card, password=REDACTED" in notice.traceback
    assert 'raise ValueError(f"no such card, password=' in notice.traceback
    assert "hunter2" not in repr(notice)
    assert "t0p-s3cr3t" not in repr(notice)


def test_the_error_at_hand_is_the_default(pipeline):
    """
    In an `except` block nothing has to be named; outside of one a report has no error.
    """
    inspector = RecordingInspector()
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST)
    try:
        charge("x")
    except ValueError:
        adapter.send_bug_report()
    adapter.send_bug_report(message="odd")
    try:
        charge("x")
    except ValueError:
        pipeline.send_bug_report(sys.exc_info(), "as a triple")

    assert [notice.error for notice in inspector.notices] == ["ValueError", None]
    assert "line" not in inspector.notices[1].caller
    assert pipeline.stats().inspectors[0].suppressed == 1  # the same line raised it


class Unspeakable(Exception):
    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__

    @property
    def __notes__(self):
        raise ZeroDivisionError


def deep(levels):
    if levels:
        deep(levels - 1)
    charge("hunter2")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(lambda: raised(sys.exit, "password=hunter2"), id="a BaseException"),
        pytest.param(lambda: KeyboardInterrupt(), id="never raised"),
        pytest.param(lambda: Unspeakable("hunter2"), id="no text"),
        pytest.param(lambda: raised(lambda: (_ for _ in ()).throw(Unspeakable)), id="no text, raised"),
        pytest.param(lambda: raised(deep, 900), id="deep"),
        pytest.param(lambda: ValueError("x" * 10_000_000), id="huge"),
        pytest.param(lambda: ValueError("\ud800\x00"), id="surrogates"),
        pytest.param(lambda: ValueError(object(), b"\xff", {"password": "hunter2"}), id="odd arguments"),
        pytest.param(lambda: raised(eval, "1/0"), id="no file"),
        pytest.param(lambda: raised(compile, "a b", "<hunter2", "exec"), id="a syntax error"),
        pytest.param(lambda: raised(exec, compile("1/0", "/dev/zero", "exec")), id="a file without end"),
        pytest.param(lambda: ValueError, id="a class"),
        pytest.param(lambda: "password=hunter2", id="a text"),
    ],
)
def test_whatever_is_reported_is_harmless(pipeline, error):
    """
    A report of anything is taken, is bounded, and holds no secret.
    """
    notice = report(RecordingInspector(), pipeline, error())

    assert notice.kind == "bug_report"
    assert notice.size < 50_000
    assert "=hunter2" not in repr(notice)


def test_causes_that_go_in_a_circle_end(pipeline):
    """
    An exception that caused itself is told once.
    """
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first

    assert report(RecordingInspector(), pipeline, first).traceback.count("first") == 1


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there are no groups")
def test_a_group_tells_of_its_exceptions(pipeline):
    """
    What a group holds is told, and its notes.
    """
    group = ExceptionGroup("both", [ValueError("one"), KeyError("two")])  # noqa: F821
    group.add_note("on Monday")
    traceback = report(RecordingInspector(), pipeline, group).traceback

    for part in ("both", "one of them ValueError: one", "one of them KeyError: 'two'", "on Monday"):
        assert part in traceback


def test_a_deep_traceback_keeps_both_ends(pipeline):
    """
    The innermost and the outermost calls are told, and how many are missing between them.
    """
    notice = report(RecordingInspector(), pipeline, raised(deep, 900))

    assert notice.traceback.count("\n") < 20
    assert "in charge" in notice.traceback
    assert "in raised" in notice.traceback
    assert "more calls" in notice.traceback
    assert "more times" in notice.traceback


def test_no_frame_is_kept_alive(pipeline):
    """
    While a report waits, the objects of the frames that it tells of are gone already.
    """

    class Large:
        pass

    def fail():
        large = Large()
        kept.append(weakref.ref(large))
        raise ValueError

    kept: list[weakref.ref[Large]] = []
    adapter = CurlInterceptor(inspectors=[RecordingInspector()], pipeline=pipeline, batch=BatchPolicy(10, 60))
    pipeline.configure(linger=5)
    adapter.send_message("wakes it")
    try:
        fail()
    except ValueError as error:
        adapter.send_bug_report(error)
    gc.collect()

    assert kept[0]() is None
    assert pipeline.stats().queued + pipeline.stats().pending >= 1


def test_paths_tell_of_code_alone(pipeline, tmp_path, monkeypatch):
    """
    A file below the working directory or an entry of `sys.path` is told from there, another one by its last two names.
    """
    for folder in ("home/ann/shop", "home/ann/elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "pay.py").write_text("def charge():\n    raise ValueError('no')\n")
    monkeypatch.chdir(tmp_path / "home/ann/shop")
    traces = []
    for folder in ("home/ann/shop", "home/ann/elsewhere"):
        names: dict[str, object] = {}
        file = tmp_path / folder / "pay.py"
        exec(compile(file.read_text(), str(file), "exec"), names)
        traces.append(report(RecordingInspector(), pipeline, raised(names["charge"])))

    assert [notice.caller for notice in traces] == ["pay.py:2 in charge", "elsewhere/pay.py:2 in charge"]
    assert "raise ValueError('no')" in traces[0].traceback
    assert "ann" not in "".join(notice.traceback for notice in traces)


def test_sending_does_not_wait_for_a_hung_webhook(receiver, pipeline):
    """
    A thousand messages to a webhook that answers nothing cost their sender microseconds each.
    """
    receiver.script("/hook", then=replies.hang())
    adapter = CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST)
    done = threading.Event()

    def send():
        for number in range(1_000):
            adapter.send_message(f"message {number}")
        done.set()

    threading.Thread(target=send, daemon=True).start()
    assert done.wait(5)


def test_entries_have_what_both_kinds_have(pipeline, session, api):
    """
    Whoever handles entries of both kinds finds the same names on both.
    """
    inspector = RecordingInspector()
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST)
    session.mount("http://", adapter)
    session.get(api.url("/status/500"))
    adapter.send_message("hello")

    assert {type(entry) for entry in inspector.entries} == {Record, Notice}
    for entry in inspector.entries:
        for name in ("id", "started", "fingerprint", "suppressed", "suppressed_since", "context", "outcome", "size"):
            assert hasattr(entry, name)
        assert entry.error is None


def test_a_template_that_fails_on_a_notice_posts_its_document(receiver, pipeline):
    """
    A callable that only knows records costs a notice its traceback, and nothing else.
    """
    hook = WebhookInspector(receiver.url("/hook"), template=lambda record: {"url": record.url})
    adapter = CurlInterceptor(inspectors=[hook], pipeline=pipeline, batch=FAST)
    adapter.send_message("hello")

    assert adapter.flush()
    assert [document["text"] for document in documents(receiver)] == ["hello"]


@pytest.mark.parametrize("kind", ["message", "bug_report"])
def test_cloud_events_name_the_kind(receiver, pipeline, kind):
    """
    An event of CloudEvents says in its type what it is about.
    """
    hook = WebhookInspector(receiver.url("/hook"), format="cloudevents")
    adapter = CurlInterceptor(inspectors=[hook], pipeline=pipeline, batch=FAST)
    adapter.send_message("hello") if kind == "message" else adapter.send_bug_report(ValueError("hello"))

    assert adapter.flush()
    (event,) = documents(receiver)
    assert event["type"] == f"curl_interceptor.{kind}"
    assert event["subject"] == {"message": "Message", "bug_report": "ValueError"}[kind]
    assert event["data"]["kind"] == kind


def test_the_logging_inspector_writes_a_line(pipeline, caplog):
    """
    The line says what kind it is, where it comes from, and the text.
    """
    caplog.set_level(logging.WARNING)
    adapter = CurlInterceptor(pipeline=pipeline, batch=FAST)
    adapter.send_message("first\nsecond")

    assert adapter.flush()
    assert "test_the_logging_inspector_writes_a_line: first\\nsecond" in caplog.text


def test_a_pool_manager_sends_too(receiver, pipeline):
    """
    What captures for urllib3 sends notices as an adapter does.
    """
    from curl_interceptor import CapturePoolManager

    manager = CapturePoolManager(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST)
    manager.send_message("from urllib3")

    assert manager.flush()
    assert [document["text"] for document in documents(receiver)] == ["from urllib3"]


@pytest.mark.records
def test_a_recorder_takes_notices(curl_interceptor_captured):
    """
    In tests notices are recorded instead of delivered, beside the records and not among them.
    """
    adapter = CurlInterceptor(inspectors="https://hooks.example.com/x", pipeline=Pipeline())
    adapter.send_message("hello")

    assert [notice.text for notice in curl_interceptor_captured.notices] == ["hello"]
    assert curl_interceptor_captured.records == []
    assert json.loads(curl_interceptor_captured.payloads[0].body)["text"] == "hello"
    adapter.pipeline.close()


def test_a_copy_of_an_adapter_sends_too(receiver, pipeline, session):
    """
    A pickled adapter finds its settings in its own process, and sends.
    """
    import pickle

    adapter = CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST)
    copy = pickle.loads(pickle.dumps(adapter))
    assert isinstance(session, requests.Session)

    assert copy.send_message("from a copy")
    assert adapter.flush()


def test_at_the_end_of_the_stack_nothing_is_raised(pipeline):
    """
    Whoever sends with hardly any stack left gets an answer, and no `RecursionError` of ours.
    """
    adapter = CurlInterceptor(inspectors=[RecordingInspector()], pipeline=pipeline, batch=FAST)
    answers = set()

    def fall():
        try:
            fall()
        except RecursionError as error:  # here there is no room yet; further up there is
            try:
                answers.add(adapter.send_bug_report(error))
            except RecursionError as ours:
                depth = len(traceback.extract_tb(ours.__traceback__))
                assert depth == 1, "raised inside of us"
            raise

    gc.collect()
    gc.disable()  # a finaliser of others has no room there either
    try:
        with pytest.raises(RecursionError):
            fall()
    finally:
        gc.enable()
    assert True in answers


def test_an_adapter_of_somebody_keeps_its_own_methods(receiver, pipeline):
    """
    What a class behind the mixin calls itself is not replaced by a method of ours.
    """

    class Theirs(HTTPAdapter):
        def _send(self):
            return "theirs"

        _announce = _text = _count = _labels = _send

    class Mine(CaptureMixin, Theirs):
        pass

    mine = Mine(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST)
    assert {mine._send(), mine._announce(), mine._text(), mine._count(), mine._labels()} == {"theirs"}
    assert mine.send_message("hello")


def test_an_adapter_that_is_paused_sends(pipeline):
    """
    A pause is one of capturing: what is sent by hand is sent.
    """
    inspector = RecordingInspector()
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST)
    adapter.pause()
    adapter.send_message("all the same")

    assert sent(inspector).text == "all the same"
