"""The two ledgers of a pipeline balance at every moment, whatever comes and whatever the webhooks answer."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from curl_interceptor.delivery import transport, workers
from curl_interceptor.delivery.announcement import Announcement, raw_notice
from curl_interceptor.delivery.destination import plan_route
from curl_interceptor.delivery.dispatcher import Dispatcher
from curl_interceptor.errors import Transient
from curl_interceptor.inspectors import Answer, WebhookInspector
from curl_interceptor.policies import BatchPolicy, BreakerPolicy, Cooldown, LanePolicy, PipelinePolicy, RetryPolicy
from curl_interceptor.records.exchange import Exchange, RequestFacts, ResponseFacts
from curl_interceptor.records.match import Match
from curl_interceptor.records.redaction import Redaction


class Scripted:
    """A transport that answers as it is told, at once."""

    idle_since = None
    abandoned = False
    status = 200

    def __init__(self, address: str, policy: object) -> None:
        pass

    def post(self, payload, timeout):
        if Scripted.status == 0:
            raise Transient("no answer")
        return Answer(Scripted.status, {})

    def close(self) -> None:
        pass


class Here(WebhookInspector):
    def check_address(self, address: str) -> str:
        return address


class LedgerMachine(RuleBasedStateMachine):
    """Exchanges and notices come, the dispatcher does turns, webhooks and callables do as they like, and all ends."""

    @initialize(
        overflow=st.sampled_from(["newest", "oldest"]),
        size=st.integers(1, 8),
        records=st.integers(1, 6),
        cooldown=st.none() | st.just(Cooldown(60.0, 2)),
        failures=st.integers(1, 3),
    )
    def set_up(self, overflow, size, records, cooldown, failures) -> None:
        transport._factories["scripted"] = Scripted
        Scripted.status = 200
        self.dispatcher = Dispatcher(PipelinePolicy(queue_size=size, queue_bytes=10_000, overflow=overflow, linger=0))
        # Attempts are made in this thread, one at a time, when the machine says so.
        self.dispatcher._workers = self.dispatcher._local
        self.dispatcher._local.inline = True
        options = {
            "batch": BatchPolicy(2, 0),
            "cooldown": cooldown,
            "retry": RetryPolicy(1, 0.0),
            "breaker": BreakerPolicy(failures, 0.01, 0.01),
            "lane": LanePolicy(records),
            "fallback_after": 0.0,
        }
        second = Here("scripted:second", match=Match(statuses=503))
        first = Here("scripted:first", fallbacks=[self.fallback, second])
        self.broken = False
        self.route = plan_route([first, second], match=Match(), redaction=Redaction(), options=options)
        self.offered = 0
        self.ended = False

    def fallback(self, entry) -> None:
        if getattr(entry, "status", 0) == 500 or self.broken:
            raise RuntimeError

    @rule(status=st.sampled_from([200, 404, 500, 503]), size=st.sampled_from([100, 100, 6_000, 20_000]))
    def come(self, status, size) -> None:
        exchange = Exchange(RequestFacts("GET", "http://a.test/", ()), ResponseFacts(status, "", ()), None, 0.0, 0.1)
        draft = SimpleNamespace(
            recorder=None, ended=True, spent=None, end=lambda state: None, exchange=lambda: exchange
        )
        self.dispatcher.queue.offer((draft, self.route), size)
        self.offered += 1

    @rule(text=st.sampled_from(["a", "b"]), to=st.sampled_from([(), ("nobody",)]), size=st.sampled_from([100, 6_000]))
    def say(self, text, to, size) -> None:
        announcement = Announcement(raw_notice("message", text), to)
        self.dispatcher.queue.offer((announcement, self.route), size)
        self.offered += 1

    @rule(status=st.sampled_from([200, 200, 200, 0, 400, 404, 410, 413, 429, 503]))
    def answer(self, status) -> None:
        Scripted.status = status

    @rule(broken=st.booleans())
    def break_the_callable(self, broken) -> None:
        self.broken = broken

    @precondition(lambda self: not self.ended)
    @rule(hurried=st.booleans(), attempts=st.integers(0, 4))
    def turn(self, hurried, attempts) -> None:
        if hurried:
            self.dispatcher.hurry.append(None)
        self.dispatcher._turn(workers.time.monotonic())
        for _ in range(attempts):
            self.dispatcher._local.run_one(1.0)
        self.dispatcher._turn(workers.time.monotonic())
        self.dispatcher.hurry.clear()

    @precondition(lambda self: not self.ended)
    @rule(really=st.integers(0, 9))
    def end(self, really) -> None:
        if really == 0:
            self.dispatcher.drain(workers.time.monotonic() + 0.01, exiting=True)
            self.dispatcher._turn(workers.time.monotonic())
            self.dispatcher.end()
            self.ended = True
            assert self.dispatcher.stats().pending == 0

    @invariant()
    def balanced(self) -> None:
        if hasattr(self, "dispatcher"):
            stats = self.dispatcher.stats()
            assert stats.balanced, stats
            assert stats.accepted == self.offered
            assert stats.queued <= self.dispatcher.policy.queue_size

    def teardown(self) -> None:
        if hasattr(self, "dispatcher"):
            self.dispatcher.end()
            stats = self.dispatcher.stats()
            assert stats.balanced, stats
            assert stats.pending == 0


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
