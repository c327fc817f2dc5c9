"""Inspectors that are made when they are first wanted, on real sockets: by whom, when, and what if they cannot be."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time

import pytest
import requests
from support.receiver import status

import curl_interceptor
from curl_interceptor import (
    BatchPolicy,
    BreakerPolicy,
    ConfigurationError,
    LazyInspector,
    Match,
    Pipeline,
    WebhookInspector,
    testing,
)
from curl_interceptor.observe.log import TroubleLog

NOW = {"cooldown": None, "batch": BatchPolicy(1, 0)}
SECRET = "s3cr3t-p4th"


def mount(session, pipeline, *inspectors, **options):
    return curl_interceptor.mount(session, *inspectors, pipeline=pipeline, **{**NOW, **options})


class Factory:
    """A factory that counts its calls, notes their thread, and fails as often as it is told to."""

    def __init__(self, result, *failures: object) -> None:
        self.result = result
        self.failures = list(failures)
        self.calls = 0
        self.threads: set[str] = set()

    def __call__(self) -> object:
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, BaseException):
                raise failure
            return failure
        return self.result() if callable(self.result) else self.result


def test_a_factory_is_called_when_its_match_first_wants_something(session, api, receiver, pipeline):
    """
    Not at construction, not for what nobody wants, once, in the background; and it can be asked whether it was.
    """
    factory = Factory(lambda: WebhookInspector(receiver.url("/late")))
    adapter = mount(session, pipeline, factory)
    (inspector,) = adapter.inspectors
    session.get(api.url("/status/200"))
    assert adapter.flush(2)
    assert (factory.calls, inspector.initialized, adapter.stats().accepted) == (0, False, 0)
    assert adapter.stats().threads == 0

    for _ in range(3):
        session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert (factory.calls, inspector.initialized) == (1, True)
    assert factory.threads == {"curl-interceptor-dispatcher"}
    assert len(receiver.bodies("/late")) == 3
    (books,) = adapter.stats().inspectors
    assert books.delivered == 3
    assert books.initialized


def test_a_factory_may_return_a_url_and_have_a_match(session, api, receiver, pipeline):
    """
    The match is known at construction, so the screen stays shut; the URL is recognised as among the inspectors.
    """
    factory = Factory(receiver.url("/late"))
    adapter = mount(session, pipeline, LazyInspector(factory, match=Match(statuses=404), label="late"))
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert (factory.calls, adapter.stats().accepted) == (0, 0)
    session.get(api.url("/status/404"))
    assert adapter.flush(2)
    assert [json.loads(body)["status"] for body in receiver.bodies("/late")] == [404]


def test_a_made_inspector_keeps_what_it_says_of_itself(session, api, receiver, pipeline):
    """
    Its own keywords win over the adapter's, and its own match narrows the one that is known.
    """

    def make():
        return WebhookInspector(
            receiver.url("/late"),
            match=Match(statuses="5xx"),
            batch=BatchPolicy(20, 60),
            critical=True,
        )

    adapter = mount(session, pipeline, make, match=Match(sample=0))
    for code in (404, 500, 503):
        session.get(api.url(f"/status/{code}"))
    receiver.wait(1)  # for what is critical no batch has to fill, and no time to pass
    assert adapter.flush(2)
    found = [json.loads(body) for body in receiver.bodies("/late")]
    documents = [one for body in found for one in (body if isinstance(body, list) else [body])]
    assert [document["status"] for document in documents] == [500, 503]


@pytest.mark.parametrize(
    "failure",
    [RuntimeError(SECRET), SystemExit(1), None, 42, [], "", "ftp://x/", WebhookInspector, LazyInspector(lambda: None)],
    ids=lambda value: type(value).__name__,
)
def test_what_comes_while_it_cannot_be_made_goes_to_the_fallbacks(session, api, receiver, pipeline, caplog, failure):
    """
    A factory that raises or returns nonsense is counted and named; the record is failed, and the fallback gets it.
    """
    caplog.set_level(logging.DEBUG)
    taken = []
    factory = Factory(lambda: WebhookInspector(receiver.url("/late")), failure)
    adapter = mount(
        session,
        pipeline,
        LazyInspector(factory, label="the vault's"),
        fallbacks=[taken.append],
        breaker=BreakerPolicy(5, 0.2, 1.0),
    )
    for _ in range(3):
        session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert factory.calls == 1
    assert [record.status for record in taken] == [500] * 3
    (books,) = adapter.stats().inspectors
    assert (books.label, books.failed, books.pending, books.initialized) == ("the vault's", 3, 0, False)
    assert "not made" in (books.last_error or "")
    assert adapter.stats().errors["factory"] == 1
    assert "the vault's is not made" in caplog.text
    assert SECRET not in caplog.text

    time.sleep(0.25)
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert factory.calls == 2
    assert len(taken) == 3
    assert len(receiver.bodies("/late")) == 1
    assert adapter.stats().delivered == 1
    assert all(books.initialized for books in adapter.stats().inspectors)


def test_a_factory_that_goes_on_failing_is_asked_less_and_less(session, api, pipeline):
    """
    The pause doubles up to its bound, however many records come.
    """
    factory = Factory(None, *[OSError()] * 1_000)
    adapter = mount(session, pipeline, factory, fallbacks=[lambda record: None], breaker=BreakerPolicy(5, 0.05, 0.2))
    began = time.monotonic()
    while time.monotonic() - began < 0.8:
        session.get(api.url("/status/500"))
        adapter.flush(1)
    assert 3 <= factory.calls <= 4 + (time.monotonic() - began) / 0.2  # at 0, 0.05, 0.15, 0.35, 0.55, 0.75


def test_one_that_cannot_be_made_does_not_hold_up_the_others(session, api, receiver, pipeline):
    """
    Each inspector's trouble is its own.
    """
    adapter = mount(session, pipeline, Factory(None, OSError(), OSError()), receiver.url("/well"))
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert len(receiver.bodies("/well")) == 1


def test_a_reset_asks_a_factory_at_once(session, api, receiver, pipeline):
    """
    Whoever mended the vault need not wait for the pause.
    """
    factory = Factory(receiver.url("/late"), OSError())
    adapter = mount(session, pipeline, LazyInspector(factory, label="late"), breaker=BreakerPolicy(5, 60, 60))
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    pipeline.reset("late")
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert len(receiver.bodies("/late")) == 1


def test_a_fallback_may_be_late_too(session, api, receiver, pipeline):
    """
    It is made when the first entry is given up; while it cannot be, the next fallback is tried.
    """
    receiver.script("/main", then=status(400))
    taken = []
    factory = Factory(receiver.url("/second"), OSError())
    adapter = mount(
        session,
        pipeline,
        receiver.url("/main"),
        fallbacks=[LazyInspector(factory), taken.append],
        breaker=BreakerPolicy(5, 0.1, 1.0),
    )
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert (len(taken), factory.calls) == (1, 1)
    time.sleep(0.15)
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert (len(taken), len(receiver.bodies("/second"))) == (1, 1)


def test_an_address_that_wants_other_numbers_is_refused_when_it_is_made(session, api, receiver, pipeline):
    """
    What would be an error at construction is one here: counted, told, and the record goes to the fallback.
    """
    taken = []
    url = receiver.url("/both")
    mount(requests.Session(), pipeline, url)
    kept = mount(requests.Session(), pipeline, url)
    adapter = mount(session, pipeline, lambda: WebhookInspector(url, batch=BatchPolicy(3, 3)), fallbacks=[taken.append])
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert len(taken) == 1
    assert "batch" in (adapter.stats().inspectors[0].last_error or "")
    assert kept.inspectors


def test_a_match_that_wants_more_than_it_can_get_is_told(session, api, receiver, pipeline, caplog):
    """
    The screen was computed before the inspector was there, and does not open for it.
    """
    make = lambda: WebhookInspector(receiver.url("/late"), match=Match(slower_than=1))  # noqa: E731
    adapter = mount(session, pipeline, make)
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert adapter.stats().errors["factory"] == 1
    assert "LazyInspector(factory, match=...)" in caplog.text
    assert adapter.stats().unmatched == 1


def test_a_factory_that_blocks_delays_no_caller_and_is_named(session, api, receiver, pipeline, monkeypatch):
    """
    The app's calls go on; it is timed.
    """
    monkeypatch.setattr("curl_interceptor.observe.log._SLOW", 0.2)

    at_work, go_on = threading.Event(), threading.Event()

    def slow():
        at_work.set()
        assert go_on.wait(20)
        return receiver.url("/late")

    adapter = mount(session, pipeline, slow)
    session.get(api.url("/status/500"))
    assert at_work.wait(20)
    began = time.monotonic()
    session.get(api.url("/status/500"))
    assert time.monotonic() - began < 5
    time.sleep(0.25)
    go_on.set()
    assert adapter.flush(3)
    assert len(receiver.bodies("/late")) == 2
    assert adapter.stats().errors["slow_factory"] == 1


def test_a_copied_session_asks_the_factory_no_second_time(session, api, receiver, pipeline):
    """
    Neither a copy nor a later change of the adapter makes another inspector.
    """
    factory = Factory(receiver.url("/late"))
    adapter = mount(session, pipeline, factory)
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    adapter.configure(match=Match(statuses=404))
    session.get(api.url("/status/404"))
    assert adapter.flush(2)
    assert (factory.calls, len(receiver.bodies("/late"))) == (1, 2)


@pytest.mark.records
def test_under_tests_a_factory_that_fails_hides_no_record(session, api):
    """
    A test sees what would be delivered, although the environment of the factory is not there, and nobody else does.
    """
    elsewhere = []
    with testing.captured() as captured:
        curl_interceptor.mount(session, Factory(None, KeyError("HOOK")), fallbacks=[elsewhere.append])
        session.get(api.url("/status/500"))
        assert [record.status for record in captured.records] == [500]
    assert elsewhere == []


# -- dotted paths -----------------------------------------------------------------------------------------------------


@pytest.fixture
def alerts(tmp_path, monkeypatch):
    """A module of the app's."""
    name = f"alerts_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(
        "from curl_interceptor import WebhookInspector\n"
        "import os\n"
        "made = []\n"
        "ready = WebhookInspector(os.environ['LATE_URL'])\n"
        "url = os.environ['LATE_URL']\n"
        "off = None\n"
        "number = 3\n"
        "def make():\n    made.append(1)\n    return os.environ['LATE_URL']\n"
        "def wants_more(argument): ...\n"
        "async def later(): ...\n"
        "class Inner:\n    make = staticmethod(make)\n"
    )
    (tmp_path / f"{name}_broken.py").write_text("import nothing_of_that_name\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LATE_URL", "http://127.0.0.1:9/" + SECRET)
    yield name
    sys.modules.pop(name, None)


@pytest.mark.parametrize("what", ["ready", "url", "make", "Inner.make"])
def test_a_dotted_path_names_an_inspector_a_url_or_a_factory(
    session, api, receiver, pipeline, alerts, monkeypatch, what
):
    """
    It is imported at construction; a factory is called later.
    """
    monkeypatch.setenv("LATE_URL", receiver.url("/late"))
    adapter = mount(session, pipeline, f"{alerts}.{what}")
    assert sys.modules[alerts].made == []
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert len(receiver.bodies("/late")) == 1


def test_a_dotted_path_may_name_a_fallback(session, api, receiver, pipeline, alerts, monkeypatch):
    """
    There, a callable is one that takes records.
    """
    monkeypatch.setenv("LATE_URL", receiver.url("/late"))
    receiver.script("/main", then=status(400))
    adapter = mount(session, pipeline, receiver.url("/main"), fallbacks=f"{alerts}.ready")
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert len(receiver.bodies("/late")) == 1


def test_fallbacks_that_are_off_are_left_out(session, api, receiver, pipeline, alerts, monkeypatch):
    """
    None and an empty text, given or named by a dotted path; the next one is asked, and they are counted.
    """
    monkeypatch.setenv("LATE_URL", receiver.url("/late"))
    receiver.script("/main", then=status(400))
    fallbacks = [None, "", f"{alerts}.off", f"{alerts}.ready"]
    adapter = mount(session, pipeline, WebhookInspector(receiver.url("/main"), fallbacks=fallbacks))
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert len(receiver.bodies("/late")) == 1
    assert adapter.stats().off == 2


@pytest.mark.parametrize("fallbacks", [None, "", [None], [""]])
def test_with_all_fallbacks_off_the_log_has_the_last_word(session, api, receiver, pipeline, caplog, fallbacks):
    """
    As where none were given.
    """
    receiver.script("/main", then=status(400))
    adapter = mount(session, pipeline, receiver.url("/main"), fallbacks=fallbacks)
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert adapter.stats().inspectors[0].fallbacks == {"logged": 1}
    assert adapter.stats().off == 1


@pytest.mark.parametrize(
    ("path", "words", "cause"),
    [
        ("nowhere_at_all.inspector", ["'nowhere_at_all.inspector'", "https://"], ModuleNotFoundError),
        ("hooks.example.com", ["'hooks.example.com'", "https://"], ModuleNotFoundError),
        ("{}.missing", [".missing'"], AttributeError),
        ("{}.Inner.missing", [".missing'"], AttributeError),
        ("{}_broken.inspector", ["nothing_of_that_name"], ModuleNotFoundError),
        ("{}.number", ["3 (int)"], None),
        ("{}.wants_more", ["wants_more", "no argument"], None),
        ("{}.later", ["later", "plain function"], None),
    ],
)
def test_a_wrong_path_is_named_at_construction(pipeline, alerts, path, words, cause):
    """
    With what Python said as the cause.
    """
    with pytest.raises(ConfigurationError) as caught:
        curl_interceptor.CurlInterceptor(inspectors=[path.format(alerts)], pipeline=pipeline)
    assert all(word in str(caught.value) for word in words), caught.value
    assert SECRET not in str(caught.value)
    if cause:
        assert isinstance(caught.value.__cause__, cause)


def test_a_path_to_nothing_is_off(pipeline, alerts):
    """
    None is off wherever it comes from.
    """
    assert curl_interceptor.CurlInterceptor(inspectors=[f"{alerts}.off"], pipeline=pipeline).inspectors == ()


# -- values -----------------------------------------------------------------------------------------------------------


def test_a_late_inspector_has_a_name_of_its_own():
    """
    That of its factory; a lambda's has its line, since it has no name.
    """
    assert LazyInspector(os.getcwd).label == "lazy:posix.getcwd" if os.name == "posix" else True
    first, second = (
        LazyInspector(lambda: None),
        LazyInspector(
            lambda: None  #
        ),
    )
    assert first.label != second.label
    assert LazyInspector(Factory(None)).label.endswith(".Factory")


@pytest.mark.parametrize("factory", [3, "a.b", lambda needs: None, WebhookInspector], ids=repr)
def test_what_cannot_be_a_factory_is_refused(factory):
    """
    When it is given, and not when it would be called.
    """
    with pytest.raises(ConfigurationError, match="factory"):
        LazyInspector(factory)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_its_own(session, api, receiver):
    """
    What was not made in the parent is made in the child, when it is wanted there.
    """
    with_pipeline = Pipeline(exit_timeout=1.0)
    mount(session, with_pipeline, lambda: receiver.url(f"/late-{os.getpid() == parent}"))
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        session.get(api.url("/status/500"))
        os._exit(0 if with_pipeline.close(2) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(receiver.bodies("/late-False")) == 1
    assert with_pipeline.close(0.5)


def test_the_pause_of_a_factory_is_read_from_its_own_policy():
    """
    A fresh one is asked at once.
    """
    from curl_interceptor.delivery.making import Making

    factory = Factory("http://x/", OSError())
    making = Making(LazyInspector(factory), Match(), lambda made: made, BreakerPolicy(1, 60, 60))
    troubles = TroubleLog()
    assert making.get(troubles) is None
    assert making.get(troubles) is None
    making.reset()
    assert isinstance(making.get(troubles), WebhookInspector)
    assert factory.calls == 2
