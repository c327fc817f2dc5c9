"""One address's part of the pipeline, without threads and clocks: whatever happens, every entry ends in one place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from curl_interceptor.delivery.destination import Destination, LanePolicies
from curl_interceptor.delivery.item import Item
from curl_interceptor.delivery.lane import Job, Lane
from curl_interceptor.delivery.redacted import Redacted
from curl_interceptor.delivery.rendering import render
from curl_interceptor.delivery.workers import attempt
from curl_interceptor.errors import BadPayload, DeadEndpoint, DeliveryError, Throttled, Transient
from curl_interceptor.inspectors import Answer, Inspector, Payload
from curl_interceptor.policies import BatchPolicy, BreakerPolicy, Cooldown, LanePolicy, RateLimit, RetryPolicy
from curl_interceptor.records.exchange import Exchange, RequestFacts, ResponseFacts
from curl_interceptor.records.match import Match
from curl_interceptor.records.record import Record
from curl_interceptor.records.redaction import Redaction, redact

EXCHANGE = Exchange(RequestFacts("GET", "http://api.test/", ()), ResponseFacts(500, "", ()), None, 1_000.0, 0.1)
RECORD = redact(EXCHANGE, Redaction(), id="0")


class Fake(Inspector):
    """Renders and judges as it is told."""

    def __init__(self, **options) -> None:
        super().__init__("http://fake.test/hook", **options)
        self.next_error: Exception | None = None
        self.render = "together"
        self.poison: set[str] = set()

    def payloads(self, entries, *, plain=False):
        if self.poison & {entry.id for entry in entries}:
            raise KeyError("poison")
        if self.render == "apart":
            return [self._payload([entry], plain) for entry in entries]
        if self.render == "pairs":
            return [self._payload(entries[at : at + 2], plain) for at in range(0, len(entries), 2)]
        if self.render == "forgets the first":
            return [self._payload(entries[1:], plain)] if entries[1:] else []
        if self.render == "twice":
            return [self._payload(entries, plain), self._payload([*entries, *entries], plain)]
        if self.render == "strangers":
            return [Payload((RECORD,), b"x", "text/plain"), self._payload([*entries, RECORD], plain)]
        if self.render == "same size":
            return [Payload(tuple(entries), b"x" * 100, "text/plain")]
        if self.render == "nonsense":
            return ["nonsense", None]
        if self.render == "nothing":
            return None
        if self.render == "odd entries":
            return [Payload(None, b"x", "text/plain")]
        if self.render == "odd body":
            return [Payload(tuple(entries), "text", "text/plain")]
        return [self._payload(entries, plain)]

    def _payload(self, entries, plain):
        return Payload(tuple(entries), b"x" * (10 if plain else 100) * len(entries), "text/plain")

    def verdict(self, answer):
        if self.next_error is not None:
            raise self.next_error


RENDERINGS = [
    "together",
    "apart",
    "pairs",
    "forgets the first",
    "twice",
    "strangers",
    "same size",
    "nonsense",
    "nothing",
    "odd entries",
    "odd body",
]


class Made(Redacted):
    """An exchange whose record is made by the test."""

    def __init__(self, make: Callable[[], Record]) -> None:
        super().__init__(EXCHANGE)
        self.make = make

    def by(self, rules: Redaction) -> Record:
        return self.make()

    def bare(self) -> Made:
        return self

    def headline(self) -> Made:
        return self


class Silent:
    """A transport that posts nothing."""

    idle_since: float | None = None
    abandoned = False

    def post(self, payload, timeout):
        return Answer(200, {})

    def close(self):
        pass


def build(*, critical: bool = False, fallbacks=(), **policies) -> tuple[Lane, Fake]:
    inspector = Fake(critical=critical)
    made = LanePolicies(**{"cooldown": None, "batch": BatchPolicy(10, 5.0), **policies})
    return Lane(Destination(inspector, Match(), Redaction(), made, fallbacks), Silent()), inspector


@dataclass
class Driver:
    """Plays dispatcher and worker for a lane, and watches what may never happen."""

    lane: Lane
    inspector: Fake
    now: float = 0.0
    job: Job | None = None
    not_before: float = -inf
    gone: bool = False
    draining: bool = False
    serial: itertools.count = field(default_factory=lambda: itertools.count(1))
    born: list[str] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    too_large: dict[str, int] = field(default_factory=dict)
    posts: list[tuple[float, list[str], int]] = field(default_factory=list)
    ended: int = 0
    """How many were lost, alone or told by the count of one that was lost."""
    told: int = 0
    """How many the entries tell of that were delivered or lost."""

    def come(self, key: str | None = None, *, size: int = 0) -> str:
        """An exchange comes; without a key it has no equal."""
        name = str(next(self.serial))

        def make() -> Record:
            self.born.append(name)
            return replace(RECORD, id=name, request_body=b"x" * size, fingerprint=key or name)

        if self.lane.closed and not self.lane.destination.fallbacks:  # dropped before it is redacted
            self.born.append(name)
            self.lost.append((name, "endpoint_gone"))
            self.ended += 1
            self.told += 1
        self.lane.route(self.lane.destination, Made(make), key or name, self.now)
        self._collect()
        return name

    def take_over(self, key: str | None = None, *, critical: bool = False) -> Record:
        """Somebody else's entry comes; without a key it has no equal."""
        name = str(next(self.serial))
        self.born.append(name)
        record = replace(RECORD, id=name, fingerprint=key or name)
        self.lane.take(Item(record, key=None, admitted=self.now, critical=critical, fallbacks=()), self.now)
        self._collect()
        return record

    def serve(self, *, hurried: bool = False) -> None:
        """Let the lane do what is due, as the dispatcher does."""
        lane = self.lane
        for _ in range(20):
            if self.draining:
                lane.release_suppressed(self.now)
            lane.tick(self.now)
            self._collect()
            for _ in range(500):
                due = lane.due(self.now, hurried=hurried, draining=self.draining)
                if due > self.now:
                    break
                self._begin()
            else:
                raise AssertionError("it never comes to an end")
            if lane.next_due(self.now, hurried=hurried, draining=self.draining) > self.now:
                return
        raise AssertionError("it wants to be looked at again and again for nothing")

    def _begin(self) -> None:
        lane = self.lane
        part = lane.begin(self.now, draining=self.draining)
        assert part is not None, "it was due and had nothing"
        job = lane.launch(part, render(lane.inspector, part), self.now, timeout=1.0)
        self._collect()
        if job is None:
            return
        assert self.job is None, "two attempts at once"
        assert not lane.paused, "posted during a pause"
        assert self.now >= self.not_before, "posted before the Retry-After was over"
        assert not self.gone, "posted to an endpoint that is gone"
        names = [entry.id for entry in job.payload.entries]
        size = len(job.payload.body)
        if lane.breaker.is_open:
            assert job.trial
            assert len(part.items) == 1, "a trial is one entry"
            assert self.draining or self.now >= lane.breaker.trial_at
        for name in names:
            assert size < self.too_large.get(name, inf), "the same size again after a 413"
        self.job = job
        self.posts.append((self.now, names, size))

    def answer(self, error: Exception | None = None) -> None:
        """The attempt under way ends so."""
        job, self.job = self.job, None
        assert job is not None
        self.inspector.next_error = error
        outcome = attempt(job)
        self.inspector.next_error = None
        items = list(self.lane.in_flight.items) if self.lane.in_flight else []
        had = [item.entry.id for item in items]
        wait = getattr(outcome.error, "retry_after", None)
        if isinstance(wait, (int, float)) and math.isfinite(wait):
            self.not_before = max(self.not_before, self.now + wait)
        self.gone = self.gone or bool(getattr(outcome.error, "gone", False))
        if getattr(outcome.error, "too_large", False):
            for name in had:
                self.too_large[name] = min(len(job.payload.body), self.too_large.get(name, 10**9))
        self.lane.settle(job, outcome, self.now, draining=self.draining)
        if outcome.error is None:
            self.delivered.extend(had)
            self.told += sum(1 + item.entry.suppressed for item in items)
        self._collect()

    def abandon(self, *, flying: bool = False) -> None:
        self.lane.abandon("shutdown", flying=flying)
        if flying:
            self.job = None
        self._collect()

    def write_off(self) -> None:
        """The end, with all that is left."""
        self.abandon(flying=True)
        before = self.lane.books.dropped["gone without a word"]
        self.lane.write_off("gone without a word")
        written_off = self.lane.books.dropped["gone without a word"] - before
        self.ended += written_off
        self.told += written_off

    def _collect(self) -> None:
        while self.lane.lost:
            lost = self.lane.lost.popleft()
            self.lost.append((lost.item.entry.id, lost.reason))
            self.ended += 1 + lost.item.merged
            self.told += 1 + lost.item.entry.suppressed

    @property
    def lost_names(self) -> list[str]:
        return [name for name, _ in self.lost]

    def check(self) -> None:
        """Nothing is counted wrongly, held for nothing, or in two places."""
        lane = self.lane
        stats = lane.stats()
        assert stats.balanced, stats
        flying = lane.in_flight.items if lane.in_flight else []
        here = [*lane.waiting, *flying]
        assert stats.pending == len(here)
        assert lane._stock._bytes == sum(item.size for item in here)
        assert lane.held_bytes >= 0
        assert (lane.in_flight is None) == (self.job is None)
        alone = [*self.delivered, *self.lost_names, *(item.entry.id for item in here)]
        assert len(set(alone)) == len(alone)
        assert set(alone) <= set(self.born)
        assert stats.delivered == len(self.delivered)
        assert stats.failed + sum(stats.dropped.values()) == self.ended
        cooldown = lane._stock.cooldown
        windows = cooldown._windows if cooldown else {}
        held = sum(window.count for window in windows.values())
        held += sum(one.before + 1 for one in cooldown._released) if cooldown else 0
        waiting = sum(1 + item.entry.suppressed for item in here)
        assert stats.routed == self.told + waiting + held, "somebody is told of twice, or by nobody"
        keys = {item.key for item in here}
        assert all(key in keys for key, window in windows.items() if window.until is None), "a window waits for nobody"
        if self.gone:
            assert lane.due(self.now, hurried=True) == inf


def driver(**policies) -> Driver:
    return Driver(*build(**policies))


ERRORS = st.one_of(
    st.none(),
    st.just("bad"),
    st.just("large"),
    st.just("dead"),
    st.just("gone"),
    st.just("bug"),
    st.just("delivery"),
    st.tuples(
        st.sampled_from(["throttled", "transient"]),
        st.sampled_from([None, 0, 0.5, 3, 100, 4_000, -3, float("nan"), float("inf"), "5", "soon"]),
    ),
)


def error_of(kind) -> Exception | None:
    if isinstance(kind, tuple):
        return (Throttled if kind[0] == "throttled" else Transient)("it says so", retry_after=kind[1])
    made = {
        None: None,
        "bad": BadPayload("HTTP 400"),
        "large": BadPayload("HTTP 413", too_large=True),
        "dead": DeadEndpoint("HTTP 404"),
        "gone": DeadEndpoint("HTTP 410", gone=True),
        "bug": ZeroDivisionError("in verdict()"),
        "delivery": DeliveryError("of somebody's own"),
    }
    return made[kind]


class LaneMachine(RuleBasedStateMachine):
    """Anything in any order."""

    @initialize(
        size=st.integers(1, 5),
        cooldown=st.booleans(),
        limited=st.booleans(),
        fallback_after=st.sampled_from([None, 0.0, 5.0]),
        failures=st.integers(1, 4),
        retries=st.integers(0, 3),
        records=st.integers(1, 12),
        room=st.sampled_from([10_000, 50_000]),
    )
    def set_up(self, size, cooldown, limited, fallback_after, failures, retries, records, room) -> None:
        self.d = driver(
            batch=BatchPolicy(size, 2.0),
            cooldown=Cooldown(10.0, 3) if cooldown else None,
            rate_limit=RateLimit(2, 3.0) if limited else None,
            retry=RetryPolicy(retries, 1.0, max_wait=20.0),
            breaker=BreakerPolicy(failures, 1.0, 20.0),
            lane=LanePolicy(records, room, 60.0),
            fallbacks=() if fallback_after is None else (print,),
            fallback_after=fallback_after or 0.0,
        )

    @rule(key=st.sampled_from([None, "a", "b", "c", "d"]), size=st.sampled_from([0, 0, 100, 20_000, 60_000]))
    def come(self, key, size) -> None:
        self.d.come(key, size=size)

    @rule(count=st.integers(1, 6))
    def come_together(self, count) -> None:
        for _ in range(count):
            self.d.come()

    @rule(key=st.sampled_from([None, "a", "e"]), critical=st.booleans())
    def take_over(self, key, critical) -> None:
        self.d.take_over(key, critical=critical)

    @rule(kind=ERRORS)
    def answer(self, kind) -> None:
        if self.d.job is not None:
            self.d.answer(error_of(kind))

    @rule(kind=st.sampled_from([None, "transient"]), times=st.integers(1, 6))
    def answer_for_a_while(self, kind, times) -> None:
        for _ in range(times):
            self.d.serve()
            if self.d.job is not None:
                self.d.answer(error_of(kind and (kind, None)))
            self.d.now += 1.0

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0, 61.0, 4_000.0]))
    def pass_time(self, seconds) -> None:
        self.d.now += seconds

    @rule(hurried=st.booleans())
    def serve(self, hurried) -> None:
        self.d.serve(hurried=hurried)

    @rule(how=st.sampled_from(RENDERINGS))
    def render(self, how) -> None:
        self.d.inspector.render = how

    @rule()
    def poison(self) -> None:
        self.d.inspector.poison.update(self.d.born[-1:])

    @rule(really=st.integers(0, 5))
    def drain(self, really) -> None:
        if really == 0:
            self.d.draining = True
            self.d.serve()

    @rule(paused=st.booleans())
    def pause(self, paused) -> None:
        self.d.lane.paused = paused

    @rule()
    def reset(self) -> None:
        self.d.lane.reset()
        self.d.gone = False

    @rule(
        size=st.integers(1, 5),
        cooldown=st.sampled_from([None, Cooldown(1.0, 2), Cooldown(30.0)]),
        rate_limit=st.sampled_from([None, RateLimit(1, 3.0)]),
        failures=st.integers(1, 4),
        records=st.integers(1, 12),
    )
    def adopt(self, size, cooldown, rate_limit, failures, records) -> None:
        policies = replace(
            self.d.lane.policies,
            batch=BatchPolicy(size, 2.0),
            cooldown=cooldown,
            rate_limit=rate_limit,
            breaker=BreakerPolicy(failures, 1.0, 20.0),
            lane=LanePolicy(records, 50_000, 60.0),
        )
        self.d.lane.adopt(replace(self.d.lane.destination, policies=policies), self.d.now)
        self.d._collect()

    @rule(flying=st.booleans(), really=st.integers(0, 5))
    def abandon(self, flying, really) -> None:
        if really == 0:
            self.d.abandon(flying=flying)

    @invariant()
    def sound(self) -> None:
        if hasattr(self, "d"):
            self.d.check()
            flying = len(self.d.lane.in_flight.items) if self.d.lane.in_flight else 0
            assert self.d.lane.pending <= max(flying, self.d.lane.policies.lane.records)

    def teardown(self) -> None:
        if not hasattr(self, "d"):
            return
        self.d.write_off()
        self.d.check()
        assert self.d.lane.pending == 0
        assert self.d.lane.held_bytes == 0
        assert len(set(self.d.born)) == len(self.d.born)


TestLaneMachine = LaneMachine.TestCase
TestLaneMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


# What the machine would take long to find, or what is to be read as a rule.


def test_equal_entries_from_two_lanes_are_both_accounted_for():
    """
    A fallback that gets the same record from two lanes tells it once and counts it twice.
    """
    one = driver()
    record = one.take_over()
    one.lane.take(Item(record, key=None, admitted=0.0, critical=False, fallbacks=()), 0.0)
    one.born.append(record.id)
    one.serve(hurried=True)
    one.answer()

    assert one.lane.stats().balanced
    assert one.lane.stats().delivered == 2
    assert one.lane.held_bytes == 0


def test_a_rendering_mistake_ends_while_the_breaker_is_open():
    """
    A record whose rendering raises is given up, also as the trial of an open breaker.
    """
    one = driver(breaker=BreakerPolicy(1, 1.0), batch=BatchPolicy(1, 0), retry=RetryPolicy(0))
    one.come()
    one.serve()
    one.answer(Transient())
    one.inspector.poison = {one.come()}
    one.now = 1.0
    one.serve()
    one.answer(Transient())
    one.now = 3.0
    one.serve()

    assert one.lost == [("2", "payloads() raised KeyError")]
    assert one.posts[-1] == (3.0, ["1"], 100)


@pytest.mark.parametrize("how", ["nonsense", "nothing", "odd entries", "odd body", "forgets the first"])
def test_a_mistake_in_payloads_costs_its_records_and_not_the_lane(how):
    """
    Whatever nonsense an inspector returns, its records are counted as failed and the next ones go out.
    """
    one = driver(batch=BatchPolicy(1, 0))
    one.inspector.render = how
    one.come()
    one.serve()
    assert one.lost_names == ["1"]

    one.inspector.render = "together"
    one.come()
    one.serve()
    one.answer()
    one.check()
    assert one.delivered == ["2"]


def test_an_exit_called_in_payloads_costs_only_its_record():
    """
    `sys.exit()` in somebody's formatting does not end our thread.
    """
    one = driver(batch=BatchPolicy(1, 0))
    one.inspector.payloads = lambda entries, *, plain=False: exit(1)
    one.come()
    one.serve()

    assert one.lost == [("1", "payloads() raised SystemExit")]
    one.check()


def test_what_was_dropped_while_it_was_rendered_is_not_sent_any_more():
    """
    The pipeline ends while a slow formatter is at work: its result is neither posted nor counted again.
    """
    for how in ("together", "nothing", "forgets the first", "apart"):
        one = driver()
        one.inspector.render = how
        one.come()
        one.come()
        part = one.lane.begin(10.0)
        one.abandon(flying=True)

        assert one.lane.launch(part, render(one.lane.inspector, part), 10.0, timeout=1.0) is None
        one.check()
        assert one.lane.stats().dropped == {"shutdown": 2}


def test_no_size_that_was_called_too_large_is_sent_again():
    """
    Not when the plain form was interrupted by an outage, and not when the batch is put together anew.
    """
    for size in (1, 4):
        one = driver(breaker=BreakerPolicy(1, 1.0), retry=RetryPolicy(0), batch=BatchPolicy(size, 0))
        for _ in range(size):
            one.come()
        one.serve()
        one.answer(BadPayload(too_large=True))
        one.serve()
        one.answer(Transient())
        one.come()
        for _ in range(30):
            one.now += 1.0
            one.serve()
            if one.job:
                one.answer()
        assert len(one.delivered) == size + 1


def test_a_refused_payload_is_not_posted_a_second_time_as_its_own_plain_form():
    """
    Where the plain form is the rich one, a lone refused entry costs one post.
    """
    one = driver(batch=BatchPolicy(1, 0))
    one.inspector.render = "same size"
    one.come()
    one.serve()
    one.answer(BadPayload("HTTP 400"))
    one.serve()

    assert len(one.posts) == 1
    assert one.lost == [("1", "refused in every form")]


def test_a_payload_that_does_not_shrink_is_halved_and_given_up_without_another_post():
    """
    Where each form of a record has the same size, one 413 is the only post with it.
    """
    one = driver(batch=BatchPolicy(4, 5.0))
    one.inspector.render = "same size"
    for _ in range(4):
        one.come()
    one.serve()
    one.answer(BadPayload("HTTP 413", too_large=True))
    one.serve()

    assert len(one.posts) == 1
    assert [reason for _, reason in one.lost] == ["too large"] * 4
    one.check()


@pytest.mark.parametrize("wait", ["soon", -3, float("nan"), float("inf"), object()])
@pytest.mark.parametrize("kind", [Throttled, Transient])
def test_a_time_that_is_no_time_leaves_the_wait_to_the_lane(kind, wait):
    """
    An inspector whose `retry_after` is nonsense loses nothing and gets the usual pause.
    """
    one = driver(retry=RetryPolicy(3, 2.0, jitter=False), batch=BatchPolicy(1, 0))
    one.come()
    one.serve()
    one.answer(kind(retry_after=wait))
    one.serve()
    assert one.job is None
    one.now = 2.0
    one.serve()
    one.answer()

    assert one.delivered == ["1"]


def test_a_throttle_of_zero_seconds_is_no_invitation_to_hammer():
    """
    429 with `Retry-After: 0`, for ever: the pauses grow as for a 429 that names no time.
    """
    one = driver(batch=BatchPolicy(1, 0), retry=RetryPolicy(3, 1.0, max_wait=60.0))
    one.come()
    for _ in range(1_000):
        one.serve()
        if one.job:
            one.answer(Throttled(retry_after=0))
        one.now += 0.1

    assert len(one.posts) < 12
    assert one.lane.stats().breaker == "closed"
    assert one.lane.stats().failed == 0


def test_a_throttle_uses_no_retry_and_the_attempts_go_on_afterwards():
    """
    A hundred 429 in a row cost nothing but time.
    """
    one = driver(batch=BatchPolicy(1, 0), retry=RetryPolicy(0), breaker=BreakerPolicy(1))
    one.come()
    for _ in range(100):
        one.serve()
        one.answer(Throttled(retry_after=1))
        one.serve(hurried=True)
        assert one.job is None
        one.now += 1.0
    one.serve()
    one.answer()

    assert one.delivered == ["1"]


def test_over_an_hour_of_retry_after_everything_goes_to_the_fallback():
    """
    What waits and what comes is given up at once until the time has come, then the lane lives again.
    """
    one = driver(batch=BatchPolicy(1, 0))
    for _ in range(3):
        one.come()
    one.serve()
    one.answer(Throttled(retry_after=3_601))
    one.come()
    assert sorted(one.lost_names) == ["1", "2", "3", "4"]

    one.now = 3_601.0
    one.come()
    one.serve()
    one.answer()
    assert one.delivered == ["5"]
    one.check()


def test_waiting_for_a_retry_after_with_impatient_fallbacks_spins_nowhere():
    """
    A breaker open for longer than `fallback_after` and a trial that a `Retry-After` forbids: the entries move on.
    """
    one = driver(
        breaker=BreakerPolicy(1, 1.0), retry=RetryPolicy(0), batch=BatchPolicy(1, 0), fallbacks=(print,),
        fallback_after=5.0,
    )  # fmt: skip
    one.come()
    one.serve()
    one.answer(Transient(retry_after=100))
    one.now = 50.0
    one.come()
    one.serve()

    assert one.lost_names == ["1", "2"]
    assert one.lane.next_due(one.now) > one.now


def test_what_a_fallback_lane_gives_up_at_once_is_handed_on_at_once():
    """
    Entries for a lane that is closed do not wait there until somebody happens to look.
    """
    one = driver(batch=BatchPolicy(1, 0))
    one.come()
    one.serve()
    one.answer(DeadEndpoint(gone=True))
    one.lane.take(Item(RECORD, key=None, admitted=0.0, critical=False, fallbacks=()), 0.0)

    assert one.lane.next_due(0.0) == -inf
    one.lane.lost.clear()
    assert one.lane.next_due(0.0) == inf


def test_gone_is_gone():
    """
    410: one post; what waits and what comes later is dropped as `endpoint_gone`, held-back equals included.
    """
    one = driver(batch=BatchPolicy(2, 0), cooldown=Cooldown(10.0))
    for key in ("a", "a", "a", "b", "c"):
        one.come(key)
    one.serve()
    one.answer(DeadEndpoint(gone=True))
    one.come("a")
    for _ in range(5):
        one.now += 10_000
        one.serve(hurried=True)

    assert len(one.posts) == 1
    stats = one.lane.stats()
    assert stats.dropped == {"endpoint_gone": stats.routed - stats.suppressed}
    assert stats.suppressed <= 1
    one.check()


def test_a_404_loses_its_batch_and_then_tries_single_entries():
    """
    The batch fails; the others wait; one of them is tried after 1 s, another one after 2 s, and so on.
    """
    one = driver(batch=BatchPolicy(2, 0))
    for _ in range(6):
        one.come()
    one.serve()
    one.answer(DeadEndpoint("HTTP 404"))
    assert one.lost_names == ["1", "2"]
    for wait in (1.0, 2.0, 4.0):
        one.now += wait - 0.01
        one.serve(hurried=True)
        assert one.job is None
        one.now += 0.01
        one.serve()
        one.answer(DeadEndpoint("HTTP 404"))

    assert [names for _, names, _ in one.posts] == [["1", "2"], ["3"], ["4"], ["5"]]
    one.now += 8.0
    for _ in range(4):
        one.serve()
        if one.job:
            one.answer()
    assert sorted(one.delivered) == ["3", "4", "5", "6"]


def test_a_critical_entry_is_dropped_last():
    """
    A full lane drops the oldest of the others first.
    """
    one = driver(lane=LanePolicy(3), batch=BatchPolicy(10, 1_000.0))
    one.take_over(critical=True)
    one.come()
    one.come()
    one.come()
    assert one.lost == [("2", "lane_full")]

    one.take_over(critical=True)
    one.take_over(critical=True)
    one.take_over(critical=True)
    assert one.lost_names == ["2", "3", "4", "1"]


def test_a_critical_entry_is_dropped_last_among_those_in_backoff_too():
    """
    What was tried already goes before what is fresh, but never a critical one before one that is not.
    """
    one = driver(lane=LanePolicy(2), batch=BatchPolicy(1, 0), retry=RetryPolicy(3, 100.0, jitter=False, max_wait=100))
    one.take_over(critical=True)
    one.serve()
    one.answer(Transient())
    one.inspector.critical = False
    one.come()
    one.come()

    assert one.lost == [("2", "lane_full")]


def test_the_oldest_is_dropped_and_the_one_on_its_way_is_not():
    """
    The bound counts what is on its way, but drops only what waits.
    """
    one = driver(lane=LanePolicy(3), batch=BatchPolicy(2, 0))
    one.come()
    one.come()
    one.serve()
    for _ in range(4):
        one.come()

    assert one.lost_names == ["3", "4", "5"]
    one.answer()
    assert one.delivered == ["1", "2"]


def test_bytes_are_bounded_and_one_that_is_too_large_is_dropped_alone():
    """
    The oldest go until the bytes fit; a giant goes by itself.
    """
    one = driver(lane=LanePolicy(100, 10_000), batch=BatchPolicy(100, 1_000.0))
    for _ in range(4):
        one.come(size=1_000)
    assert one.lost_names == ["1"]
    one.come(size=20_000)
    assert one.lane.held_bytes <= 10_000
    assert "5" in one.lost_names


@pytest.mark.parametrize("bounds", [LanePolicy(records=5), LanePolicy(bytes=10_000)], ids=["few records", "few bytes"])
def test_a_lane_that_is_too_small_for_a_batch_waits_for_none(bounds):
    """
    Else the oldest has to go each time, and what is left is never old enough, although the webhook is well.
    """
    one = driver(lane=bounds, batch=BatchPolicy(10, 5.0))
    for _ in range(100):
        one.now += 0.5
        one.come()
        one.serve()
        if one.job is not None:
            one.answer()

    assert one.lost_names == []
    assert len(one.delivered) > 90
    assert len(one.posts) < 60


def test_an_entry_expires_in_time_although_it_waits_behind_younger_ones():
    """
    After a failed trial it stands at the end of the line; its age is its own all the same.
    """
    one = driver(
        lane=LanePolicy(age=10.0), breaker=BreakerPolicy(1, 8.0, 100.0), batch=BatchPolicy(1, 0), retry=RetryPolicy(0)
    )
    one.come()
    one.serve()
    one.answer(Transient())
    one.now = 8.0
    one.serve()
    one.come()
    one.answer(Transient())
    assert one.lane.next_due(one.now) == 10.0
    one.now = 10.0
    one.serve()

    assert one.lost == [("1", "expired")]


def test_a_poison_entry_is_found_while_others_are_delivered():
    """
    An eternal 500 for one entry of many: all others arrive, the breaker stays closed, the one is given up at last.
    """
    one = driver(batch=BatchPolicy(4, 0), retry=RetryPolicy(1, 0.1, jitter=False), breaker=BreakerPolicy(5))
    poison = [one.come() for _ in range(8)][1]
    for step in range(200):
        if step % 10 == 0:
            one.come()
        one.serve()
        if one.job:
            hit = poison in one.posts[-1][1]
            one.answer(Transient("HTTP 500") if hit else None)
        one.now += 0.01

    assert sorted(one.delivered, key=int) == [str(number) for number in range(1, 29) if str(number) != poison]
    assert one.lost == [(poison, "HTTP 500")]
    assert one.lane.stats().breaker == "closed"


def test_an_entry_with_bad_luck_is_not_taken_for_poison():
    """
    Two of three attempts fail, one after the other: every entry arrives, however often it was the one that was hit.
    """
    one = driver(batch=BatchPolicy(1, 0), retry=RetryPolicy(1, 0.1, jitter=False), breaker=BreakerPolicy(5))
    answers = 0
    for step in range(2_000):
        if step < 300 and step % 10 == 0:
            one.come()
        one.serve()
        if one.job:
            answers += 1
            one.answer(Transient("HTTP 500") if answers % 3 else None)
        one.now += 0.05

    assert (one.lost, len(one.delivered)) == ([], 30)


def test_the_same_poison_does_not_keep_the_breaker_open():
    """
    Each trial takes another entry, so that one that always fails holds nobody up.
    """
    one = driver(batch=BatchPolicy(1, 0), retry=RetryPolicy(0), breaker=BreakerPolicy(1, 1.0))
    for _ in range(3):
        one.come()
    for _ in range(400):
        one.serve()
        if one.job:
            one.answer(Transient() if "1" in one.posts[-1][1] else None)
        one.now += 0.1

    assert sorted(one.delivered) == ["2", "3"]


def test_a_batch_that_has_spent_its_attempts_in_silence_blames_the_webhook():
    """
    Nothing was delivered since its first attempt: the breaker opens before its count is full, the batch waits.
    """
    one = driver(batch=BatchPolicy(2, 0), retry=RetryPolicy(2, 0.0), breaker=BreakerPolicy(1_000, 1.0))
    one.come()
    one.come()
    for _ in range(3):
        one.serve()
        one.answer(Transient())

    assert one.lane.stats().breaker == "open"
    assert (one.lost, one.lane.pending, one.lane.stats().attempts) == ([], 2, 3)
    one.serve(hurried=True)
    assert one.job is None


def test_an_outage_spends_no_entry():
    """
    However long it fails, entries wait up to their age; trials are single entries and cost nothing.
    """
    one = driver(batch=BatchPolicy(10, 0), retry=RetryPolicy(3, 0.5), breaker=BreakerPolicy(5))
    for _ in range(50):
        one.come()
    for _ in range(3_000):
        one.serve()
        if one.job:
            one.answer(Transient())
        one.now += 1.0
    assert one.lost == []
    assert 40 < len(one.posts) < 70

    for _ in range(200):
        one.serve()
        if one.job:
            one.answer()
        one.now += 1.0
    assert len(one.delivered) == 50
    one.check()


def test_a_503_with_a_retry_after_has_no_trial_before_its_time():
    """
    Neither the retry nor the trial of the open breaker nor a flush nor a drain goes before it.
    """
    one = driver(batch=BatchPolicy(1, 0), retry=RetryPolicy(0), breaker=BreakerPolicy(1, 1.0))
    one.come()
    one.serve()
    one.answer(Transient("HTTP 503", retry_after=30))
    for _ in range(29):
        one.now += 1.0
        one.serve(hurried=True)
        assert one.job is None
    one.draining = True
    one.serve()
    assert one.job is None
    one.now = 30.0
    one.serve()
    assert one.job is not None


def test_a_drain_looks_again_when_the_retry_after_is_over_and_not_when_the_backoff_is():
    """
    While the pipeline ends, the next look is due when something may go.
    """
    one = driver(batch=BatchPolicy(1, 0), retry=RetryPolicy(3, 60.0, jitter=False))
    one.come()
    one.serve()
    one.answer(Transient("HTTP 503", retry_after=0.5))
    one.draining = True

    assert one.lane.next_due(0.1, draining=True) == 0.5
    assert one.lane.next_due(0.1) > 50


def test_a_drain_gives_up_after_two_failures_in_a_row():
    """
    Nobody waits for a webhook that fails twice while the process ends.
    """
    one = driver(batch=BatchPolicy(1, 0))
    for _ in range(5):
        one.come()
    one.draining = True
    one.serve()
    one.answer(Transient())
    one.serve()
    assert one.job is not None
    one.answer(Transient())

    assert len(one.lost) == 5
    assert one.lane.due(one.now, draining=True) == inf


def test_a_part_in_backoff_does_not_hold_back_fresh_entries():
    """
    One batch waits for its retry, the next one goes.
    """
    one = driver(batch=BatchPolicy(1, 0), retry=RetryPolicy(3, 10.0, jitter=False))
    one.come()
    one.serve()
    one.answer(Transient())
    one.come()
    one.serve()

    assert one.posts[-1][1] == ["2"]


def test_a_lane_is_forgotten_only_when_there_is_nothing_to_remember():
    """
    An open breaker, a pause, a window and a 410 are remembered; when they are over the lane may go.
    """
    one = driver(batch=BatchPolicy(1, 0), cooldown=Cooldown(10.0))
    one.come("a")
    assert not one.lane.forgettable
    one.serve()
    one.answer(Throttled(retry_after=5))
    one.abandon()
    assert not one.lane.forgettable
    one.now = 5.0
    one.serve()
    assert one.lane.forgettable

    one.come("a")
    one.serve()
    one.answer()
    assert not one.lane.forgettable
    one.now = 15.0
    one.serve()
    assert one.lane.forgettable

    one.come("a")
    one.serve()
    one.answer(DeadEndpoint(gone=True))
    one.now = 10**6
    one.serve()
    assert not one.lane.forgettable


def test_the_last_of_the_equals_goes_out_with_the_count():
    """
    37 are held back after the first; at the end of the window the last one says so and nothing counts twice.
    """
    one = driver(batch=BatchPolicy(1, 0), cooldown=Cooldown(10.0))
    one.come("a")
    one.serve()
    one.answer()
    for _ in range(37):
        one.come("a")
    assert one.lane.stats().suppressed == 37
    one.now = 10.0
    one.serve()
    (entry,) = one.job.payload.entries
    one.answer()

    assert (entry.id, entry.suppressed, entry.suppressed_since) == ("38", 36, 1_000.0)
    assert one.lane.stats().suppressed == 36
    one.check()


def test_the_count_is_told_although_the_lane_has_no_room_for_the_last_one():
    """
    What the cooldown holds back is kept without its bodies then.
    """
    one = driver(cooldown=Cooldown(60.0), lane=LanePolicy(100, 50_000), batch=BatchPolicy(1, 0))
    request, response = EXCHANGE.request._replace(body=b"x" * 20_000), EXCHANGE.response
    large = EXCHANGE._replace(request=request, response=response._replace(body=(b"y" * 20_000,)))
    for _ in range(3):
        one.lane.route(one.lane.destination, Redacted(large), "a", 0.0)
    part = one.lane.begin(0.0)
    job = one.lane.launch(part, render(one.inspector, part), 0.0, timeout=1.0)
    one.lane.settle(job, attempt(job), 0.0)
    one.lane.tick(60.0)

    (summary,) = [item.entry for item in one.lane.waiting if item.entry.suppressed]
    assert (summary.suppressed, summary.request_body, summary.request_body_state) == (1, None, "missing")
    assert one.lane.held_bytes <= 50_000
    assert one.lane.stats().balanced


def test_a_critical_lane_suppresses_nothing():
    """
    Equals of a critical inspector all go out, at once.
    """
    one = Driver(*build(critical=True, cooldown=Cooldown(10.0), batch=BatchPolicy(10, 100.0)))
    for _ in range(3):
        one.come("a")
    one.serve()
    one.answer()

    assert one.delivered == ["1", "2", "3"]


def test_a_redaction_that_raises_costs_its_record_and_lifts_its_window():
    """
    The record counts as failed, and an equal is admitted afterwards.
    """
    one = driver(batch=BatchPolicy(1, 0), cooldown=Cooldown(10.0))
    with pytest.raises(ZeroDivisionError):
        one.lane.route(one.lane.destination, Made(lambda: 1 / 0), "a", 0.0)
    stats = one.lane.stats()
    assert (stats.routed, stats.failed, stats.balanced) == (1, 1, True)

    one.come("a")
    assert one.lane.pending == 1
