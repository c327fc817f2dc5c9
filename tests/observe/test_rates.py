"""Counts over the last minutes: exact against a model that remembers everything, and bounded where the model is not."""

from __future__ import annotations

import threading
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from curl_interceptor.observe.calls import EXCEPTION, OTHER, Calls, host_of
from curl_interceptor.observe.rates import SLICE, Window
from curl_interceptor.observe.stats import Rate

FAILED = {404: "4xx", 500: "5xx", EXCEPTION: "exception"}


def expected(seen: list[tuple[int, bool]], seconds: float, now: float) -> Rate:
    """What a window is to say of pairs of a slice and whether it failed: those of the newest slices."""
    newest = max([floor(now / SLICE), *(number for number, _ in seen)])
    recent = [failed for number, failed in seen if number > newest - ceil(seconds / SLICE)]
    return Rate(len(recent), sum(recent))


class WindowMachine(RuleBasedStateMachine):
    """A window beside a list of everything that happened."""

    @initialize(start=st.floats(0, 1e7))
    def begin(self, start):
        self.now = start
        self.window = Window()
        self.total = self.errors = 0
        self.seen: list[tuple[int, bool]] = []

    @rule(failed=st.booleans(), times=st.integers(1, 50))
    def happen(self, failed, times):
        if self.now >= self.window.ends:
            self.window.mark(self.now, self.total, self.errors)
        # Should the clock have gone back, it counts as the newest slice that was.
        number = max([floor(self.now / SLICE), *(number for number, _ in self.seen)])
        for _ in range(times):
            self.total += 1
            self.errors += failed
            self.seen.append((number, failed))

    @rule(seconds=st.one_of(st.floats(0, 20), st.floats(0, 1_000), st.just(SLICE)))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(seconds=st.floats(0, 3_600))
    def clock_goes_back(self, seconds):
        self.now = max(0.0, self.now - seconds)

    @invariant()
    def says_what_the_model_says(self):
        for seconds in (SLICE, 60.0, 300.0):
            found = self.window.rate(seconds, self.now, self.total, self.errors)
            assert found == (expected(self.seen, seconds, self.now) if self.seen else Rate())


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_window_never_holds_more_than_its_slices():
    """
    A year of slices leaves sixty marks.
    """
    window = Window()
    for number in range(100_000):
        window.mark(number * SLICE, number, 0)

    assert len(window._marks) == 60


def test_calls_are_counted_by_host_and_outcome():
    """
    Answers, failures and exceptions are kept apart; a host is one however it is spelled.
    """
    calls = Calls()
    for url, status in (
        ("https://API.example.com/a?token=1", 200),
        ("https://api.example.com:443/b", 302),
        ("https://user:password@api.example.com/c", 404),
        ("https://api.example.com?x=/y", 500),
        ("https://api.example.com/", EXCEPTION),
        ("http://127.0.0.1:8000/", 200),
        ("http://[::1]:8000/", 599),
    ):
        calls.note(url, status, 10.0)

    first, second, third = calls.stats(11.0)
    assert (first.host, first.calls, first.last_minute) == ("127.0.0.1:8000", 1, Rate(1, 0))
    assert (second.host, second.calls, second.errors) == ("[::1]:8000", 1, {"4xx": 0, "5xx": 1, "exception": 0})
    assert (third.host, third.calls, third.errors) == ("api.example.com", 5, {"4xx": 1, "5xx": 1, "exception": 1})
    assert third.last_five_minutes == Rate(5, 3)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from([200, 302, 404, 500, EXCEPTION]), st.floats(0, 40)),
        max_size=80,
    ),
    st.floats(0, 400),
)
def test_calls_agree_with_a_naive_model(events, later):
    """
    Whatever comes when, sums and windows are those of somebody who wrote everything down.
    """
    calls, now = Calls(), 5.0
    seen: dict[str, list[tuple[int, bool]]] = {}
    for host, status, pause in events:
        now += pause
        calls.note(f"https://{host}/", status, now)
        seen.setdefault(host, []).append((floor(now / SLICE), status in FAILED))

    now += later
    for _ in range(2):  # to look is not to count
        found = {one.host: one for one in calls.stats(now)}
    assert sorted(found) == sorted(seen)
    for host, list_ in seen.items():
        assert found[host].calls == len(list_)
        assert sum(found[host].errors.values()) == sum(failed for _, failed in list_)
        assert found[host].last_minute == expected(list_, 60, now)
        assert found[host].last_five_minutes == expected(list_, 300, now)


def test_no_call_is_lost_between_threads():
    """
    Many threads count the same host while another one looks, and the sum is exact.
    """
    calls, stop = Calls(), threading.Event()

    def count() -> None:
        for number in range(20_000):
            calls.note("https://api.example.com/", 200 if number % 2 else 500, number / 1_000)

    def look() -> None:
        while not stop.is_set():
            calls.stats(20.0)

    looker = threading.Thread(target=look)
    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in (looker, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    looker.join()

    (host,) = calls.stats(20.0)
    assert (host.calls, host.errors["5xx"]) == (80_000, 40_000)


def test_hosts_are_bounded_and_make_room():
    """
    The hundred-and-first host is counted with the others, until one that is not called any more makes room.
    """
    calls = Calls()
    for number in range(5_000):
        calls.note(f"https://host{number}.example.com/", 200, 0.0)
    found = calls.stats(0.0)
    assert len(found) == 101
    assert (found[-1].host, found[-1].calls) == (OTHER, 4_900)
    assert len(calls._spelled) <= 1_000

    calls.note("https://host0.example.com/", 200, 400.0)
    calls.note("https://new.example.com/", 200, 400.0)
    assert {one.host: one.calls for one in calls.stats(400.0)} == {
        "host0.example.com": 2,
        "new.example.com": 1,
        OTHER: 4_900,
    }


@pytest.mark.parametrize(
    "url", ["", "/", "https://", "https:///x", "nonsense", "mailto:a@b", "http://[", None, b"x", 7]
)
@pytest.mark.parametrize("status", [200, 0, -1, 10**9, None, "200", 200.0, True])
def test_nothing_that_is_counted_raises(url, status):
    """
    What mocks and odd adapters hand in is counted somewhere, or not at all.
    """
    calls = Calls()
    calls.note(url, status, 1.0)
    calls.note(url, status, 2.0)

    assert sum(one.calls for one in calls.stats(3.0)) == (2 if isinstance(url, str) else 0)


def test_credentials_in_a_url_are_not_kept():
    """
    Userinfo and queries stand in no table, not even inside of the process.
    """
    calls = Calls()
    for _ in range(2):
        calls.note("https://user:s3cret@api.example.com/", 200, 1.0)
        calls.note("https://api.example.com?key=s3cret", 200, 1.0)

    assert "s3cret" not in repr(calls._spelled) + repr(calls._hosts) + repr(calls.stats(1.0))
    assert host_of("https://user:s3cret@api.example.com/") == "api.example.com"
