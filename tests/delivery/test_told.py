"""Nothing that a cooldown holds back goes untold: whatever comes, what is delivered tells of all of it."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curl_interceptor
from curl_interceptor import BatchPolicy, Cooldown, LanePolicy, WebhookInspector
from curl_interceptor.delivery.destination import Destination, LanePolicies
from curl_interceptor.delivery.lane import Lane
from curl_interceptor.delivery.redacted import Redacted, RedactedNotice
from curl_interceptor.delivery.rendering import render
from curl_interceptor.delivery.workers import attempt
from curl_interceptor.inspectors import Answer
from curl_interceptor.records.exchange import Exchange, RequestFacts, ResponseFacts, failure_of
from curl_interceptor.records.fingerprint import fingerprint
from curl_interceptor.records.match import Match
from curl_interceptor.records.notice import RawNotice
from curl_interceptor.records.place import Place
from curl_interceptor.records.raised import raised_by
from curl_interceptor.records.redaction import Redaction


class Healthy:
    """A transport whose webhook takes everything."""

    idle_since: float | None = None
    abandoned = False

    def post(self, payload, timeout):
        return Answer(200, {})

    def close(self) -> None:
        pass


class World:
    """A lane with a healthy webhook, and somebody who plays dispatcher and worker for it."""

    def __init__(self, **policies) -> None:
        made = LanePolicies(**{"batch": BatchPolicy(10, 1.0), "cooldown": Cooldown(60.0), **policies})
        inspector = WebhookInspector("http://hook.test/x")
        self.lane = Lane(Destination(inspector, Match(), Redaction(), made), Healthy())
        self.now = 0.0
        self.came: dict[str, int] = {}
        self.told: dict[str, int] = {}
        self.entries = []

    def come(self, kind: object, *, size: int = 0, failure: BaseException | None = None) -> None:
        request = RequestFacts("POST", f"http://api.test/{kind}", (("X-Padding", "x" * 50),), b"x" * size, "complete")
        response = None if failure is not None else ResponseFacts(500, "", (), (b"y" * size,), "complete")
        exchange = Exchange(request, response, failure and failure_of(failure), 1_000.0 + self.now, 0.1)
        key = fingerprint(exchange)
        self.came[key] = self.came.get(key, 0) + 1
        self.lane.route(self.lane.destination, Redacted(exchange), key, self.now)

    def serve(self, *, draining: bool = False, most: int = 10_000) -> None:
        """Deliver what is due, up to `most` batches."""
        lane = self.lane
        for _ in range(most):
            if draining:
                lane.release_suppressed(self.now)
            lane.tick(self.now)
            lane.lost.clear()
            if lane.due(self.now, draining=draining) > self.now:
                assert lane.next_due(self.now, draining=draining) > self.now
                return
            part = lane.begin(self.now, draining=draining)
            job = lane.launch(part, render(lane.inspector, part), self.now, timeout=1.0)
            for item in lane.in_flight.items:
                self.entries.append(item.entry)
                told = 1 + item.entry.suppressed
                self.told[item.entry.fingerprint] = self.told.get(item.entry.fingerprint, 0) + told
            lane.settle(job, attempt(job), self.now)
            assert lane.stats().balanced


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.integers(1, 12), st.integers(1, 3), st.sampled_from([0, 0, 100, 1_000, 30_000])),
            st.sampled_from([0.5, 10.0, 61.0]),
            st.just("serve once"),
            st.sampled_from([Cooldown(60.0, 20), Cooldown(5.0, 12), None]),
        ),
        max_size=20,
    ),
    max_keys=st.sampled_from([1, 3, 20, 100]),
    room=st.sampled_from([10_000, 20_000, 100_000]),
)
def test_every_failure_is_told_by_itself_or_by_a_count(steps, max_keys, room):
    """
    Many kinds, little room, few windows, a cooldown that is changed or switched off: of each kind all are told.
    """
    world = World(cooldown=Cooldown(60.0, max_keys), lane=LanePolicy(1_000, room), batch=BatchPolicy(1, 0))
    for step in steps:
        if isinstance(step, tuple):
            kinds, times, size = step
            for number in range(kinds * times):
                world.come(f"k{number % kinds}", size=size)
                world.serve()
        elif isinstance(step, float):
            world.now += step
            world.serve()
        elif step == "serve once":
            world.serve(most=1)
        else:
            lane = world.lane
            policies = LanePolicies(**{**vars(lane.policies), "cooldown": step})
            lane.adopt(Destination(lane.inspector, Match(), Redaction(), policies), world.now)
        assert world.lane.held_bytes <= room
    world.serve(draining=True)

    dropped = world.lane.stats().dropped.get("lane_full", 0)
    assert sum(world.told.values()) + dropped == sum(world.came.values())
    if not any(isinstance(step, tuple) and 2 * step[2] + 5_000 > room for step in steps):  # one fits in by itself
        assert world.told == world.came
    assert not world.lane.holding
    assert world.lane.held_bytes == world.lane.pending == 0


@pytest.mark.parametrize(
    ("kinds", "exiting"), [(10_000, False), (2_500, True)], ids=["windows end", "the pipeline ends"]
)
def test_with_default_bounds_ten_thousand_kinds_are_told(kinds, exiting):
    """
    There is room for the headline of each, and what goes out after all comes no faster than the webhook takes it.
    """
    world = World(batch=BatchPolicy(50, 1.0))
    for number in range(kinds):
        world.come(f"k{number}-x")
        if number % 100 == 99:
            world.serve()
    tracemalloc.start()
    for _ in range(2):
        for number in range(kinds):
            world.come(f"k{number}-x", size=100)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    world.now = 0.0 if exiting else 70.0
    world.serve(draining=exiting)
    if not exiting:
        world.now += 2.0  # the last ones have waited for a batch
        world.serve()

    assert len(world.told) == kinds
    assert world.told == world.came
    assert world.lane.stats().dropped == {}
    assert held < 8_000_000 + kinds * 1_000


def test_what_there_was_no_room_for_says_so():
    """
    Method, URL, outcome, time and count are told; the command is none that could be taken for the whole.
    """
    world = World(lane=LanePolicy(1_000, 10_000), batch=BatchPolicy(1, 0))
    secret = "s3cr3t"
    for _ in range(3):
        for number in range(5):
            kind = f"k{'abcde'[number]}?token={secret}"
            world.come(kind, failure=ConnectionError(secret) if number == 4 else None)
            world.serve()
    world.now = 60.0
    world.serve()
    told = [entry for entry in world.entries if entry.suppressed]
    lean = [entry for entry in told if entry.notes]

    assert len(told) == 5
    assert lean
    assert any(entry.error for entry in lean)
    for entry in lean:
        assert entry.notes == ("headers and bodies were not kept: too many kinds of failures at once",)
        assert entry.url.startswith("http://api.test/k")
        assert (entry.method, entry.suppressed, entry.started) == ("POST", 1, 1_000.0)
        assert entry.outcome in ("500", "ConnectionError")
    (payload,) = world.lane.inspector.payloads(lean[:1])
    document = json.loads(payload.body)
    assert document["curl"].startswith("# not runnable: ")
    assert secret not in payload.body.decode()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://api.test/a?b=c", "http://api.test/a?b=c"),
        ("http://u:p@api.test/a?b=" + "c" * 600, "http://api.test/a"),
        ("http://u:" + "p" * 600 + "@api.test/a", "http://api.test/a"),
        ("http://api.test/" + "a" * 600 + "?b=c", "http://api.test/"),
        ("http://" + "a" * 600 + "/", ""),
        ("no url at all " * 100, "/"),
    ],
)
def test_a_long_url_is_cut_where_no_secret_is_halved(url, kept):
    """
    The query goes first, then the path; what is kept is at most 500 characters.
    """
    exchange = Exchange(RequestFacts("GET", url, ()), None, None, 0.0, 0.0)

    assert Redacted(exchange).headline().url == kept


@pytest.mark.parametrize("text", ["disk is full", "disk is full " * 500, ""])
@pytest.mark.parametrize("error", [None, ValueError("s3cr3t " * 100)])
def test_the_headline_of_a_notice_says_what_it_is(text, error):
    """
    Kind, text unless it is long, class of the exception and place stay, and it is equal to what it was.
    """
    errors = () if error is None else raised_by(error)
    caller = Place(__file__, 7, "here")
    whole = RawNotice("bug_report", text, 1_000.0, "error", errors, (("a", "b" * 2_000),), caller, (("c", "d"),))
    short = RedactedNotice(whole).headline()
    notice = short.by(Redaction())

    assert notice.fingerprint == RedactedNotice(whole).by(Redaction()).fingerprint
    assert (notice.kind, notice.level, notice.started) == ("bug_report", "error", 1_000.0)
    assert notice.error == (None if error is None else "ValueError")
    assert notice.caller is not None
    assert notice.text in (text, "(a text of 6,500 characters was not kept)")
    assert notice.extra == (("left out", "all else: too many kinds of notices at once"),)
    assert notice.size < 2_800


def test_headlines_are_not_shown():
    """
    They have not been redacted.
    """
    exchange = Exchange(RequestFacts("GET", "http://api.test/?token=s3cr3t", ()), None, None, 0.0, 0.0)

    assert "s3cr3t" not in repr(Redacted(exchange).headline())


def test_an_end_without_time_counts_what_was_held_back_as_dropped(session, receiver, api, pipeline):
    """
    What no deadline was left for is not called suppressed for ever, and the books balance.
    """
    curl_interceptor.mount(session, receiver.url("/hook"), pipeline=pipeline)
    for _ in range(5):
        session.get(api.url("/status/500"))
    assert pipeline.flush(5)
    assert not pipeline.close(0)

    stats = pipeline.stats()
    assert stats.balanced
    assert (stats.inspectors[0].delivered, stats.inspectors[0].suppressed) == (1, 0)
    assert stats.inspectors[0].dropped == {"shutdown": 4}
