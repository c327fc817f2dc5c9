"""The news that a host answers again after it failed, for those who want it."""

from __future__ import annotations

import time

import pytest
import requests

from curl_interceptor import BatchPolicy, ConfigurationError, CurlInterceptor, Match, TransportPolicy
from curl_interceptor.delivery import recovery
from curl_interceptor.delivery.destination import Destination, LanePolicies
from curl_interceptor.delivery.recovery import Outages
from curl_interceptor.observe.calls import Calls
from curl_interceptor.records.exchange import Exchange, Failure, RequestFacts, ResponseFacts
from curl_interceptor.records.redaction import Redaction
from curl_interceptor.testing import RecordingInspector

FAST = BatchPolicy(10, 0.01)


@pytest.fixture
def _often(monkeypatch):
    """Look at hosts twenty times a second."""
    monkeypatch.setattr(recovery, "_OFTEN", 0.05)


def news_of(inspector):
    """The first news that an inspector gets within five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not inspector.notices:
        time.sleep(0.02)
    return inspector.notices


class Hosts:
    """Calls to hosts, counted as an adapter counts them, and exchanges of those that fail."""

    def __init__(self):
        self.calls = Calls()
        self.outages = Outages(self.calls.outcomes)
        self.destination = Destination(RecordingInspector(), Match(), Redaction(), LanePolicies())
        self.now = 1_000.0
        self.wall = 1_714_572_000.0

    def call(self, status, host="api.example.com", *, after=0.0, wanted=True):
        self.calls.note(f"https://{host}/orders", status, self.now)
        if wanted and (status >= 500):
            request = RequestFacts("GET", f"https://{host}/orders", ())
            response = ResponseFacts(status, "", ()) if status < 1_000 else None
            failure = None if response else Failure("Timeout", "", ())
            exchange = Exchange(request, response, failure, self.wall, 0.1)
            self.outages.note(host, exchange, [self.destination], after, self.now, None)

    def pass_by(self, seconds):
        self.now += seconds
        self.wall += seconds

    def news(self):
        return [announcement.raw.text for announcement, _ in self.outages.ended(self.now, self.wall)]


@pytest.fixture
def hosts():
    return Hosts()


def test_a_success_after_failures_is_told_once(hosts):
    """
    It says which host, after how long, and how many calls had failed.
    """
    for status in (503, 1_000, 500):
        hosts.call(status)
        hosts.pass_by(100)
        assert hosts.news() == []
    hosts.call(200)

    assert hosts.news() == ["api.example.com answers again after 5 min: 3 calls had failed"]
    hosts.call(200)
    assert hosts.news() == []
    assert hosts.outages.next_look == float("inf")


def test_a_host_that_fails_now_and_then_has_not_recovered(hosts):
    """
    As long as calls fail between two looks, those that succeed say nothing.
    """
    hosts.call(503)
    for _ in range(5):
        hosts.pass_by(1)
        hosts.call(200)
        hosts.call(503)
        assert hosts.news() == []
    hosts.call(200)

    assert hosts.news() == ["api.example.com answers again after 5 s: 6 calls had failed"]


def test_a_success_right_after_a_failure_is_enough(hosts):
    """
    No second success is needed: the last failure is seen as it comes, and what succeeds later counts at the next look.
    """
    hosts.call(503)
    hosts.pass_by(0.4)
    hosts.call(503)
    hosts.pass_by(0.4)
    hosts.call(200)
    hosts.pass_by(0.2)
    assert hosts.news() == []  # it failed in this second, and may fail again in the next
    hosts.pass_by(1)

    assert hosts.news() == ["api.example.com answers again after 2 s: 2 calls had failed"]


def test_a_success_before_the_last_failure_is_none(hosts):
    """
    Calls that fail while others succeed keep a host in its outage, also where no call follows for long.
    """
    hosts.call(503)
    hosts.pass_by(0.4)
    hosts.call(200)
    hosts.call(503, wanted=False)
    for _ in range(5):
        hosts.pass_by(1)
        assert hosts.news() == []
    hosts.call(200)

    assert len(hosts.news()) == 1


def test_what_was_short_is_not_told(hosts):
    """
    A host that failed for less time than was said is forgotten in silence; a lone failure lasts no time at all.
    """
    hosts.call(503, after=10)
    hosts.pass_by(9)
    hosts.call(503, after=10)
    hosts.pass_by(100)
    hosts.call(200)
    assert hosts.news() == []

    hosts.call(503, after=10)
    hosts.pass_by(11)
    hosts.call(503, after=10)
    hosts.call(200)
    assert hosts.news() == []  # it failed since the last look, too
    hosts.call(200)
    assert len(hosts.news()) == 1


def test_a_refusal_is_no_failure_of_the_host(hosts):
    """
    A 4xx neither makes an outage nor ends one.
    """
    hosts.call(404)
    assert hosts.outages.next_look == float("inf")
    hosts.call(503)
    hosts.call(404)
    assert hosts.news() == []


def test_hosts_have_outages_of_their_own(hosts):
    """
    A success of one host says nothing of another.
    """
    hosts.call(503, "a.example.com")
    hosts.call(503, "b.example.com")
    hosts.news()
    hosts.call(200, "b.example.com")

    assert [text.split()[0] for text in hosts.news()] == ["b.example.com"]


def test_a_host_that_is_not_called_any_more_is_forgotten(hosts):
    """
    After an hour without a call nobody waits for news, and nothing is kept.
    """
    hosts.call(503)
    assert hosts.outages.next_look == hosts.now + 1
    hosts.pass_by(120)
    hosts.news()
    assert hosts.outages.next_look == hosts.now + 10
    hosts.pass_by(3_600)
    assert hosts.news() == []
    assert hosts.outages.next_look == float("inf")


def test_durations_are_told_in_words_that_fit(hosts):
    """
    Seconds, minutes, hours.
    """
    told = []
    for seconds in (7, 600, 7_500):
        hosts.call(503)
        for _ in range(10):
            hosts.pass_by(seconds / 10)
            hosts.call(503)
            assert hosts.news() == []
        hosts.call(200)
        told += hosts.news()

    assert [text.split(" after ")[1].split(":")[0] for text in told] == ["7 s", "10 min", "2 h 5 min"]


@pytest.mark.usefixtures("_often")
def test_those_who_wanted_the_failure_are_told(pipeline, session, api):
    """
    With real calls, the news goes to the inspectors whose match wanted a failure, and to nobody else.
    """
    wants, wants_not = RecordingInspector(), RecordingInspector(match=Match(hosts="elsewhere"))
    adapter = CurlInterceptor(inspectors=[wants, wants_not], pipeline=pipeline, batch=FAST, recovery=0)
    session.mount("http://", adapter)
    session.get(api.url("/status/503"))
    assert adapter.flush()
    session.get(api.url("/status/200"))

    (notice,) = news_of(wants)
    assert notice.kind == "recovery"
    assert notice.outcome == "Recovered"
    assert notice.text.startswith("127.0.0.1:")
    assert wants_not.entries == []
    assert pipeline.stats().balanced


def test_it_is_told_without_anybody_asking(receiver, pipeline, session, api):
    """
    A second or two after the host succeeds, the webhook knows.
    """
    adapter = CurlInterceptor(inspectors=receiver.url("/hook"), pipeline=pipeline, batch=FAST, recovery=0)
    session.mount("http://", adapter)
    session.get(api.url("/status/503"))
    receiver.wait(1)
    session.get(api.url("/status/200"))
    receiver.wait(2, timeout=5)

    assert b'"recovery"' in receiver.bodies()[1]


@pytest.mark.usefixtures("_often")
def test_a_host_that_nobody_reached_recovers_too(pipeline, api):
    """
    An exception is a failure as a 5xx is.
    """
    inspector = RecordingInspector()
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST, recovery=0)
    with requests.Session() as session:
        session.mount("http://", adapter)
        with pytest.raises(requests.ReadTimeout):
            session.get(api.url("/slow/500"), timeout=0.05)
        assert adapter.flush()
        session.get(api.url("/status/200"))

    assert [notice.kind for notice in news_of(inspector)] == ["recovery"]


@pytest.mark.usefixtures("_often")
def test_nobody_is_told_unless_asked(pipeline, session, api):
    """
    Without the keyword nothing is remembered of hosts; it can be given later.
    """
    inspector = RecordingInspector()
    adapter = CurlInterceptor(inspectors=[inspector], pipeline=pipeline, batch=FAST, cooldown=None)
    session.mount("http://", adapter)
    for changes in ({}, {"recovery": 0}):
        assert inspector.notices == []
        adapter.configure(**changes)
        for status in (503, 200):
            session.get(api.url(f"/status/{status}"))
            assert adapter.flush()

    assert [notice.kind for notice in news_of(inspector)] == ["recovery"]


@pytest.mark.parametrize("value", [True, -1, 86_401, "5", TransportPolicy()])
def test_what_cannot_be_a_time_is_refused(value):
    """
    The message names the keyword.
    """
    with pytest.raises(ConfigurationError, match="recovery must be a number of seconds"):
        CurlInterceptor(inspectors=[RecordingInspector()], recovery=value)


def test_looking_costs_little(hosts):
    """
    A look at a hundred hosts that fail takes far less than a millisecond.
    """
    for number in range(100):
        hosts.call(503, f"{number}.example.com")
    began = time.perf_counter()
    hosts.news()

    assert time.perf_counter() - began < 0.02
