"""The plugin and `captured()`: what a user's test sees, and that nothing of it leaves."""

from __future__ import annotations

import pytest
import requests
from support.process import ROOT
from support.receiver import Receiver, refused_url

from curl_interceptor import BatchPolicy, Cooldown, Inspector, RateLimit, mount, testing

pytest_plugins = ["pytester"]


CONFTEST = """
    from curl_interceptor import pytest_plugin

    def pytest_configure(config):
        if not config.pluginmanager.has_plugin("curl_interceptor"):    # imported without being installed
            config.pluginmanager.register(pytest_plugin, "curl_interceptor")
"""


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a user's test file with pytest, in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(CONFTEST)

    def run_file(content: str):
        pytester.makepyfile(content)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")

    return run_file


def fail(session: requests.Session, name: str = "") -> None:
    with pytest.raises(requests.ConnectionError):
        session.get(refused_url("/" + name))


def test_a_test_of_a_user_records_and_does_not_deliver(run, receiver):
    """
    Without any set-up nothing leaves, the fixture shows what was captured, and the mark lets one test deliver.
    """
    result = run(
        f"""
        import pytest, requests, curl_interceptor
        HOOK, URL = {receiver.url("/hook")!r}, {refused_url("/x?token=s3cr3t")!r}

        @pytest.fixture
        def session():
            made = requests.Session()
            curl_interceptor.mount(made, HOOK, cooldown=None, batch=curl_interceptor.BatchPolicy(1, 0))
            return made

        def fail(session):
            with pytest.raises(requests.ConnectionError):
                session.get(URL)

        def test_records(session, curl_interceptor_captured):
            fail(session)
            assert len(curl_interceptor_captured) == 1
            assert "REDACTED" in curl_interceptor_captured.commands[0]

        def test_does_not_see_the_last_one(session, curl_interceptor_captured):
            assert curl_interceptor_captured.records == []

        def test_without_the_fixture(session):
            fail(session)

        @pytest.mark.curl_interceptor_delivers
        def test_delivers(session):
            fail(session)
            assert session.get_adapter(URL).flush(5)
        """
    )
    result.assert_outcomes(passed=4)
    assert len(receiver.bodies("/hook")) == 1


def test_what_a_test_captured_is_not_delivered_by_the_next(run, receiver):
    """
    The decision falls when the exchange is offered: what waits at the end of a recording test never goes out.
    """
    result = run(
        f"""
        import pytest, requests, curl_interceptor
        session = requests.Session()
        adapter = curl_interceptor.mount(session, {receiver.url("/hook")!r}, cooldown=None, linger=1.0)

        def test_records_and_does_not_wait():
            with pytest.raises(requests.ConnectionError):
                session.get({refused_url()!r})

        @pytest.mark.curl_interceptor_delivers
        def test_delivers():
            assert adapter.flush(5)
        """
    )
    result.assert_outcomes(passed=2)
    assert receiver.requests == []


def test_captured_obeys_match_cooldown_and_redaction(session, receiver, pipeline):
    """
    Recording changes where entries go, not which.
    """
    with testing.captured() as captured:
        mount(session, receiver.url("/hook"), pipeline=pipeline, cooldown=Cooldown(60))
        fail(session)
        fail(session)
        assert len(captured.records) == 1
        captured.clear()
        assert captured.records == []
    assert receiver.requests == []


def test_captured_waits_for_no_batch_and_no_limit(session, receiver, pipeline):
    """
    A test does not wait for a minute because a service would.
    """
    with testing.captured() as captured:
        mount(
            session,
            receiver.url("/hook"),
            pipeline=pipeline,
            cooldown=None,
            batch=BatchPolicy(100, 3600),
            rate_limit=RateLimit(1, 3600),
        )
        for _ in range(5):
            fail(session)
        assert len(captured.records) == 5


def test_captured_renders_with_the_real_inspector(session, pipeline):
    """
    A mistake in an inspector of the user's shows in the user's test: its record is not there.
    """

    class Broken(Inspector):
        def payloads(self, entries, *, plain=False):
            raise KeyError("mistake")

    with testing.captured() as captured:
        adapter = mount(session, Broken("http://x/hook"), pipeline=pipeline)
        fail(session)
        assert captured.records == []
        (books,) = adapter.stats().inspectors
        assert books.failed == 1
        assert "KeyError" in (books.last_error or "")


def test_lanes_of_finished_recordings_go(session, pipeline):
    """
    A thousand tests leave no thousand lanes behind.
    """
    adapter = mount(session, "http://127.0.0.1:9/hook", pipeline=pipeline, cooldown=None)
    for _ in range(20):
        with testing.captured() as captured:
            fail(session)
            assert len(captured.records) == 1
    del captured
    with testing.captured() as captured:
        fail(session)
        assert len(captured.records) == 1
        assert len(adapter.stats().inspectors) <= 2


def test_a_recording_inspector_keeps_what_it_gets(session, pipeline):
    """
    It is an inspector like any other, can be emptied, and keeps its entries inside of `captured()` too.
    """
    inspector = testing.RecordingInspector(label="kept")
    mount(session, inspector, pipeline=pipeline, cooldown=None)
    fail(session, "a")
    fail(session, "b")
    assert [record.url.rpartition("/")[2] for record in inspector.records] == ["a", "b"]
    assert len(inspector.commands) == 2
    inspector.clear()
    assert inspector.records == []
    with testing.captured() as captured:
        fail(session, "c")
        assert captured.records == []
    assert [record.url.rpartition("/")[2] for record in inspector.records] == ["c"]
