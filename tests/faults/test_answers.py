"""What an answer means: how long to wait, when to stop, what it may cost."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest
from support import receiver as replies
from support.process import run
from support.records import names
from support.scenario import heard

WAIT = 2.0


def told_to_wait(form: str, code: int) -> replies.Reply:
    """An answer that asks for a wait of two seconds, in one of the forms that services use."""

    def play(connection: replies.Connection) -> bool:
        if form == "json":
            return replies.status(
                code, headers={"Content-Type": "application/json"}, body=json.dumps({"retry_after": WAIT}).encode()
            ).play(connection)
        # A date has whole seconds, and says no less than is meant.
        value = {"seconds": "2", "float": "2.0", "date": formatdate(time.time() + WAIT + 1, usegmt=True)}[form]
        return replies.status(code, headers={"Retry-After": value}).play(connection)

    return replies.Reply(play)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "float", "date", "json"])
@pytest.mark.thorough
def test_no_post_is_too_early_and_none_much_too_late(api, receiver, form, code):
    """
    In every form: new records, a flush and retries wait for it; a second after it everything is on its way.
    """
    receiver.script("/hook", [told_to_wait(form, code)])
    told = heard(
        run(
            """
    import time
    from support.scenario import App
    from curl_interceptor import BatchPolicy
    app = App(url, hook, batch=BatchPolicy(1, 0))
    app.fail()
    app.until(lambda: app.lane.last_error, 5)
    app.fail(3)
    began = time.monotonic()
    flushed = app.adapter.flush(0.5)
    took = time.monotonic() - began
    app.until(lambda: app.delivered == 4, 10)
    app.tell(flushed=flushed, took=took)
""",
            url=api.url("/status/500"),
            hook=receiver.url("/hook"),
        )
    )

    first, second, *_, last = receiver.requests
    assert second.time - first.time >= (WAIT if form != "date" else WAIT - 0.01)
    assert last.time - first.time < WAIT + 1 + (form == "date")
    assert not told["flushed"]
    assert told["took"] < 1.0


@pytest.mark.parametrize("ending", ["close", "exit"])
@pytest.mark.parametrize("wait", ["60", "0.5"])
@pytest.mark.thorough
def test_the_end_obeys_a_retry_after_too(api, receiver, ending, wait):
    """
    One that ends in time is waited for and not a moment less; one that does not costs no time, and nothing is posted.
    """
    receiver.script("/hook", [replies.status(503, headers={"Retry-After": wait})])
    ended = run(
        """
    import atexit, json, time
    began = [0.0]
    atexit.register(lambda: print(json.dumps({"took": time.monotonic() - began[0]})))
    from support.scenario import App
    from curl_interceptor import BatchPolicy
    app = App(url, hook, batch=BatchPolicy(1, 0))
    app.fail()
    app.until(lambda: app.lane.last_error, 5)
    app.fail(3)
    began[0] = time.monotonic()
    if ending == "close":
        app.adapter.pipeline.close(2)
        assert app.stats.balanced
""",
        url=api.url("/status/500"),
        hook=receiver.url("/hook"),
        ending=ending,
    )
    told = heard(ended)
    first, *others = receiver.requests

    if wait == "60":
        assert others == []
        assert told["took"] < 0.7
    else:
        assert sorted(names(receiver))[1:] == ["0", "1", "2", "3"]
        assert min(request.time for request in others) - first.time >= 0.5
        assert told["took"] < 2.0


@pytest.mark.parametrize(
    ("code", "posts", "failed", "dropped"),
    [(410, 1, 0, 10), *((code, 1, 5, 0) for code in (401, 403, 404, 301, 302, 307, 308))],
)
@pytest.mark.thorough
def test_an_endpoint_that_takes_nothing_is_left_alone(api, receiver, code, posts, failed, dropped):
    """
    410: one post for ever. Others: the batch is given up, then a trial of one entry after a second, and after two.
    """
    receiver.script("/hook", then=replies.status(code, headers={"Location": receiver.url("/elsewhere")}))
    told = heard(
        run(
            """
    import time
    from support.scenario import App
    from curl_interceptor import BatchPolicy
    app = App(url, hook, batch=BatchPolicy(5, 0.2))
    app.fail(5)
    app.until(lambda: app.lane.attempts == 1 and app.lane.last_error, 5)
    app.fail(5)
    time.sleep(0.6)
    early = app.lane.attempts
    time.sleep(3.2)
    lane = app.lane
    app.tell(early=early, attempts=lane.attempts, failed=lane.failed, dropped=sum(lane.dropped.values()))
""",
            url=api.url("/status/500"),
            hook=receiver.url("/hook"),
        )
    )
    requests = receiver.requests

    assert told["early"] == 1
    assert (told["failed"], told["dropped"]) == (failed, dropped)
    assert {request.target for request in requests} == {"/hook"}
    if code == 410:
        assert told["attempts"] == len(requests) == posts
    else:
        assert told["attempts"] == 3
        assert 1.0 <= requests[1].time - requests[0].time < 1.6
        assert 2.0 <= requests[2].time - requests[1].time < 2.6
        assert [isinstance(json.loads(request.body), list) for request in requests[:3]] == [True, False, False]


@pytest.mark.parametrize("code", [400, 413, 422, 500])
@pytest.mark.thorough
def test_a_poison_record_costs_only_itself(api, receiver, code):
    """
    One of forty that the service never takes: thirty-nine arrive, and the one is failed.
    """

    def decide(connection: replies.Connection) -> bool:
        assert connection.request
        poisoned = b'?7"' in connection.request.body
        return replies.status(code if poisoned else 200).play(connection)

    receiver.script("/hook", then=replies.Reply(decide))
    told = heard(
        run(
            """
    import time
    from support.scenario import App
    from curl_interceptor import BatchPolicy, RetryPolicy
    app = App(url, hook, batch=BatchPolicy(10, 0.1), retry=RetryPolicy(2, 0.1))
    app.fail(40)
    app.until(lambda: app.delivered >= 39, 20)
    for _ in range(200):                               # others go on
        if app.lane.failed:
            break
        app.fail()
        time.sleep(0.05)
    assert app.adapter.flush(10)
    app.tell(failed=app.lane.failed, delivered=app.delivered, calls=app.calls)
""",
            url=api.url("/status/500"),
            hook=receiver.url("/hook"),
            timeout=60,
        )
    )

    assert told["failed"] == 1
    assert told["delivered"] == told["calls"] - 1


@pytest.mark.parametrize(
    "answer",
    [replies.endless(), replies.endless(0.01), replies.huge(200_000_000), replies.endless_1xx(0.005)],
    ids=["endless", "slow endless", "200 MB", "endless 1xx"],
)
def test_an_answer_without_end_costs_one_deadline_and_64_kb(api, receiver, answer):
    """
    The attempt ends in time, memory does not grow, and the record arrives at the next attempt at the latest.
    """
    receiver.script("/hook", [answer])
    told = heard(
        run(
            """
    import resource
    from support.scenario import App
    from curl_interceptor import BatchPolicy, RetryPolicy, TransportPolicy
    app = App(url, hook, batch=BatchPolicy(1, 0), retry=RetryPolicy(3, 0.1), transport=TransportPolicy(total=1.0))
    app.session.get(url.replace("/status/500", "/status/200"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    app.fail()
    took = app.until(lambda: app.delivered == 1, 5)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    app.tell(took=took, grown=grown)
""",
            url=api.url("/status/500"),
            hook=receiver.url("/hook"),
        )
    )

    assert told["took"] < 2.5
    assert told["grown"] < 8
