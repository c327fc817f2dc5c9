"""The world around: clocks that jump, descriptors that run out, and code of the user's that raises or blocks."""

from __future__ import annotations

import json

import pytest
from support import receiver as replies
from support.process import run
from support.records import documents, names
from support.scenario import heard


@pytest.mark.parametrize(
    "jump", [-365 * 86_400, pytest.param(86_400, marks=pytest.mark.thorough)], ids=["back", "forward"]
)
def test_a_clock_that_jumps_changes_nothing(api, receiver, jump):
    """
    In the middle of an outage the wall clock is set: the caller is unharmed, everything arrives as soon as it would.
    """
    receiver.script("/hook", [replies.status(503)] * 6)
    told = heard(
        run(
            """
    import datetime, time
    import pybreaker
    from support.scenario import App
    from curl_interceptor import BatchPolicy, BreakerPolicy, RetryPolicy
    real, shift = time.time, [0.0]
    time.time = lambda: real() + shift[0]
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=shift[0])
    pybreaker.datetime = Clock                         # what it calls lives in C, below time.time
    app = App(url, hook, batch=BatchPolicy(1, 0), retry=RetryPolicy(1, 0.1), breaker=BreakerPolicy(3, 0.3, 0.5))
    app.fail(5)
    app.until(lambda: app.lane.breaker == "open", 5)
    shift[0] = jump
    slowest = app.fail(5)
    took = app.until(lambda: app.delivered == 10, 15)
    app.fail(5)
    healthy = app.until(lambda: app.delivered == 15, 5)
    app.tell(slowest=slowest, took=took, healthy=healthy, failed=app.lane.failed, dropped=app.lane.dropped)
""",
            url=api.url("/status/500"),
            hook=receiver.url("/hook"),
            jump=jump,
        )
    )

    assert told["slowest"] < 1
    assert told["took"] < 8
    assert (told["failed"], told["dropped"]) == (0, {})


def test_a_cooldown_is_not_touched_by_the_clock(api, receiver):
    """
    Set forward by a day in the middle of a window, equal failures stay held back, and are told when it ends.
    """
    told = heard(
        run(
            """
    import time
    from support.scenario import App
    from curl_interceptor import BatchPolicy, Cooldown
    app = App(url, hook, batch=BatchPolicy(1, 0), cooldown=Cooldown(0.8))
    app.fail()
    app.until(lambda: app.delivered == 1, 5)
    real = time.time
    time.time = lambda: real() + 86_400
    app.fail(10)
    app.until(lambda: app.stats.queued == 0 and app.stats.routed == 11, 5)
    at_once = app.delivered
    later = app.until(lambda: app.delivered == 2, 5)
    app.tell(at_once=at_once, later=later)
""",
            url=api.url("/status/500"),
            hook=receiver.url("/hook"),
        )
    )

    assert told["at_once"] == 1
    assert told["later"] < 3
    assert sum(1 + record["suppressed"] for record in documents(receiver)) == 11


def test_without_descriptors_the_caller_gets_its_own_errors_and_all_is_well_afterwards(api, receiver):
    """
    While no socket can be opened records wait; once there are descriptors again, they arrive.
    """
    told = heard(
        run(
            """
    import os, resource, time
    from support.scenario import App
    from curl_interceptor import BatchPolicy, BreakerPolicy, RetryPolicy
    app = App(url, hook, batch=BatchPolicy(1, 0), retry=RetryPolicy(2, 0.1), breaker=BreakerPolicy(5, 0.2, 0.5))
    app.session.get(url.replace("/status/500", "/status/200"))    # opens the app's connection
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    slowest = app.fail(10)
    time.sleep(0.5)
    during = app.delivered
    error = app.lane.last_error
    for descriptor in taken:
        os.close(descriptor)
    took = app.until(lambda: app.delivered == 10, 10)
    app.tell(slowest=slowest, during=during, error=error, took=took)
""",
            url=api.url("/status/500"),
            hook=receiver.url("/hook"),
        )
    )

    assert told["during"] == 0
    assert told["error"] == "OSError: EMFILE"
    assert sorted(names(receiver), key=int) == [str(number) for number in range(10)]


@pytest.mark.parametrize("error", ["KeyError('x')", "SystemExit(3)", "KeyboardInterrupt()", "Timeout()"])
def test_code_of_the_users_that_raises_costs_its_record_at_most(api, receiver, error):
    """
    A predicate, a redactor, a fallback: whatever they raise, no caller hears of it and deliveries go on.
    """
    ended = run(
        """
    from support.scenario import App
    from curl_interceptor import BatchPolicy, Match, Redaction, WebhookInspector
    class Timeout(BaseException): pass
    def broken(*_): raise EVAL
    batch = BatchPolicy(1, 0)
    app = App(
        url,
        WebhookInspector(hook + "/predicate", match=Match(predicate=broken), batch=batch),
        WebhookInspector(hook + "/redaction", redaction=Redaction(also=broken), batch=batch),
        WebhookInspector(hook + "/fine", batch=batch),
        WebhookInspector(gone, fallbacks=[broken], batch=batch),
    )
    for number in range(5):
        app.session.post(url + f"?{number}", json={"name": "visible-in-the-body"})
    app.until(lambda: app.adapter.flush(1) or True, 5)
    app.until(lambda: app.stats.pending == 0 or app.stats.delivered >= 10, 5)
    app.tell(errors=dict(app.stats.errors), alive=app.stats.threads)
""".replace("EVAL", error),
        url=api.url("/status/500"),
        hook=receiver.url("/hook"),
        gone=receiver.url("/gone"),
    )
    told = heard(ended)

    assert told["alive"] >= 1
    assert names(receiver, "/hook/fine") == [str(number) for number in range(5)]
    assert "/hook/predicate" not in {request.target for request in receiver.requests}
    assert "visible-in-the-body" not in json.dumps(documents(receiver, "/hook/redaction"))
    assert told["errors"]["match"] == 5


@pytest.mark.parametrize("how", ["every session is ours", "every adapter is ours"])
def test_deliveries_are_never_captured(receiver, how):
    """
    Though all of requests is instrumented, everything is wanted, and the webhook lives on the app's own host and fails
    at first.
    """
    receiver.script("/app", then=replies.status(500))
    receiver.script("/hook", [replies.status(500)] * 3)
    told = heard(
        run(
            """
    import requests
    import curl_interceptor
    from curl_interceptor import BatchPolicy, CurlInterceptor, Match, RetryPolicy
    adapter = CurlInterceptor(
        inspectors=[hook], cooldown=None, batch=BatchPolicy(1, 0), retry=RetryPolicy(3, 0.05),
        match=Match(statuses=range(100, 600), errors=True),
    )
    if how == "every session is ours":
        made = requests.Session.__init__
        def init(self):
            made(self)
            self.mount("http://", adapter)
            self.mount("https://", adapter)
        requests.Session.__init__ = init
    else:
        requests.sessions.HTTPAdapter = requests.adapters.HTTPAdapter = lambda *_, **__: adapter
    from support.scenario import App
    for number in range(20):
        requests.get(app + f"?{number}")
    assert adapter.flush(20), adapter.stats()
    assert adapter.stats().balanced
    import json
    print(json.dumps([adapter.stats().accepted, adapter.stats().delivered]))
""",
            app=receiver.url("/app"),
            hook=receiver.url("/hook"),
            how=how,
        )
    )

    assert told == [20, 20]
    assert len([request for request in receiver.requests if request.target.startswith("/app")]) == 20
    assert set(names(receiver, "/hook")) == {str(number) for number in range(20)}
