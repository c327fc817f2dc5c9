"""A webhook that is away for a while: everything arrives once it is back, with the numbers that nobody changed."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from support import receiver as replies
from support.process import run
from support.receiver import HOST, Authority, Nonsense, Receiver
from support.records import in_body, names
from support.scenario import heard

# Two seconds after the first failing call the webhook recovers; the scenario ends when all have arrived.
OUTAGE = """
    from support.scenario import App
    app = App(url, hook)
    app.fail(50)
    app.fail(50)
    took = app.until(lambda: app.delivered == 100, limit)
    lane = app.lane
    app.tell(took=took, failed=lane.failed, dropped=lane.dropped, attempts=lane.attempts)
"""


class Away:
    """Answers with a trouble until it recovers, so many seconds after the first post."""

    def __init__(self, receiver: Receiver, trouble: replies.Reply, seconds: float, path: str = "/hook") -> None:
        self.trouble, self.seconds = trouble, seconds
        self.recovers = float("inf")
        self.taken: list[bytes] = []
        """Bodies of the posts since then."""
        receiver.script(path, then=replies.Reply(self._play))

    def _play(self, connection: replies.Connection) -> bool:
        now = time.monotonic()
        if self.recovers == float("inf"):
            self.recovers = now + self.seconds
        if now < self.recovers:
            return self.trouble.play(connection)
        assert connection.request is not None
        self.taken.append(connection.request.body)
        return replies.status(200).play(connection)


def every_number_of(receiver: Receiver, count: int) -> bool:
    """Whether each of so many calls is among the records that arrived, failed posts included."""
    return set(names(receiver)) == {str(number) for number in range(count)}


@pytest.mark.parametrize(
    "code", [503, pytest.param(500, marks=pytest.mark.thorough), pytest.param(408, marks=pytest.mark.thorough)]
)
def test_two_seconds_of_a_bad_status(api, receiver, code):
    """
    A hundred of a hundred arrive within 20 s of recovery.
    """
    away = Away(receiver, replies.status(code), 2.0)
    told = heard(run(OUTAGE, url=api.url("/status/500"), hook=receiver.url("/hook"), limit=30, timeout=60))

    assert (told["failed"], told["dropped"]) == (0, {})
    assert receiver.requests[-1].time - away.recovers < 20
    assert every_number_of(receiver, 100)
    assert told["attempts"] < 60


@pytest.mark.thorough
def test_two_seconds_of_refused_connections(api):
    """
    Nobody listens at first; a hundred of a hundred arrive within 20 s once somebody does.
    """
    late = Late()
    opened = []

    def open_later() -> None:
        time.sleep(3.5)  # the process takes a second to start
        late.__enter__()
        opened.append(time.monotonic())

    threading.Thread(target=open_later).start()
    try:
        told = heard(run(OUTAGE, url=api.url("/status/500"), hook=late.url("/hook"), limit=30, timeout=60))
        assert late.requests[-1].time - opened[0] < 20
        assert (told["failed"], told["dropped"]) == (0, {})
        assert every_number_of(late, 100)
    finally:
        late.__exit__(None, None, None)


class Late(Receiver):
    """Has its port from the beginning, and listens when it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self._listener = socket.socket()
        self._listener.bind((HOST, 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Late:
        self._listener.listen(64)
        self._start(self._accept)
        return self


@pytest.mark.thorough
@pytest.mark.parametrize("trouble", ["garbage", "reset", "close", "truncated", "hang", "drip_head", "drip_body"])
def test_two_seconds_of_dreadful_answers(api, receiver, trouble):
    """
    Whatever stood in the place of answers, afterwards everything arrives.
    """
    Away(receiver, getattr(replies, trouble)(), 2.0)
    told = heard(run(OUTAGE, url=api.url("/status/500"), hook=receiver.url("/hook"), limit=40, timeout=60))

    assert (told["failed"], told["dropped"]) == (0, {})
    assert every_number_of(receiver, 100)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_a_flaky_webhook_gets_everything(api, receiver, seed):
    """
    Every other answer is one trouble or another, for as long as it takes.
    """
    troubles = [replies.status(503), replies.status(500), replies.garbage(), replies.reset(), replies.truncated()]
    receiver.script("/hook", replies.flaky(seed, *troubles, *[replies.status(200)] * len(troubles)))
    told = heard(
        run(
            """
    from support.scenario import App
    from curl_interceptor import BatchPolicy
    app = App(url, hook, batch=BatchPolicy(5, 0.1))
    app.fail(60)
    took = app.until(lambda: app.delivered == 60, 150)
    app.tell(took=took, failed=app.lane.failed, dropped=app.lane.dropped)
""",
            url=api.url("/status/500"),
            hook=receiver.url("/hook"),
            timeout=180,
        )
    )

    assert (told["failed"], told["dropped"]) == (0, {})
    assert every_number_of(receiver, 60)


@pytest.mark.thorough
def test_a_minute_of_outage_costs_only_what_the_lane_cannot_hold(api, receiver):
    """
    Of failures that differ, the lane's newest arrive and the oldest beyond its bounds are dropped and counted. Equals
    are told by a count before that, so that none is missing. Nothing is failed.
    """
    Away(receiver, replies.status(503), 60.0, "/different")
    away = Away(receiver, replies.status(503), 60.0, "/equal")
    told = heard(
        run(
            """
    from support.scenario import App
    from curl_interceptor import LanePolicy, WebhookInspector
    different = App(url, WebhookInspector(hook + "/different", label="different"), lane=LanePolicy(records=300))
    equal = App(url, WebhookInspector(hook + "/equal", label="equal"), lane=LanePolicy(records=300))
    for number in range(400):
        different.session.get(url + "/" + "".join("abcdefghij"[int(digit)] for digit in str(number)))
    equal.fail(400)
    lanes = lambda: {lane.label: lane for lane in equal.stats.inspectors}
    equal.until(lambda: len(lanes()) == 2 and not any(lane.pending for lane in lanes().values()), 170)
    equal.tell(**{name: [lane.delivered, lane.suppressed, lane.failed, lane.dropped] for name, lane in lanes().items()})
""",
            url=api.url("/no-such-path"),
            hook=receiver.url(""),
            timeout=200,
        )
    )

    assert told["different"] == [300, 0, 0, {"lane_full": 100}]
    delivered, suppressed, *lost = told["equal"]
    assert (delivered + suppressed, lost) == (400, [0, {}])
    taken = [record for body in away.taken for record in in_body(body)]
    assert len(taken) == delivered
    assert sum(1 + record["suppressed"] for record in taken) == 400


def test_tls_that_breaks_is_an_outage_like_another(api):
    """
    Nonsense in the place of a handshake: the records wait, and the error names the TLS and no host.
    """
    with Nonsense() as nonsense:
        told = heard(
            run(
                """
    from support.scenario import App
    from curl_interceptor import BatchPolicy, RetryPolicy
    app = App(url, hook, batch=BatchPolicy(1, 0), retry=RetryPolicy(0))
    app.fail(3)
    app.until(lambda: app.lane.breaker == "open", 5)
    app.tell(pending=app.lane.pending, error=app.lane.last_error)
""",
                url=api.url("/status/500"),
                hook=nonsense.url("/hook").replace("http:", "https:"),
            )
        )

    assert told["pending"] == 3
    assert told["error"].startswith("TLS: ")


@pytest.mark.thorough
def test_a_certificate_of_nobody_known_is_an_outage_too(api, tmp_path):
    """
    Nothing is posted to a server whose certificate is not trusted, and with the right bundle everything is.
    """
    authority = Authority(tmp_path)
    script = """
    from support.scenario import App
    from curl_interceptor import BatchPolicy, RetryPolicy, TransportPolicy
    app = App(url, hook, batch=BatchPolicy(1, 0), retry=RetryPolicy(0), transport=TransportPolicy(ca_bundle=bundle))
    app.fail(3)
    app.until(lambda: app.delivered == 3 or app.lane.breaker == "open", 5)
    app.tell(delivered=app.delivered, error=app.lane.last_error)
"""
    with Receiver(tls=authority.server()) as receiver:
        values = {"url": api.url("/status/500"), "hook": receiver.url("/hook")}
        untrusted = heard(run(script, bundle=None, **values))
        assert receiver.requests == []
        trusted = heard(run(script, bundle=authority.bundle, **values))

    assert untrusted["delivered"] == 0
    assert untrusted["error"].startswith("TLS: certificate verify failed")
    assert trusted["delivered"] == 3
