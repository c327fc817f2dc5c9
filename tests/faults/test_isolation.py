"""A bad webhook is its own problem, threads are few, and what is not used any more goes."""

from __future__ import annotations

import pytest
from support import receiver as replies
from support.process import run
from support.records import documents
from support.scenario import heard


def test_twenty_hung_webhooks_and_a_healthy_one(api, receiver):
    """
    The healthy one gets each record within a second, and there are never more threads than `workers` and one.
    """
    hung = [receiver.url(f"/hung/{number}") for number in range(20)]
    for number in range(20):
        receiver.script(f"/hung/{number}", then=replies.hang())
    told = heard(
        run(
            """
    from support.scenario import App
    from curl_interceptor import BatchPolicy
    app = App(url, *hung, healthy, batch=BatchPolicy(1, 0), exit_timeout=0.2)
    most = delay = 0
    for count in range(1, 11):
        app.fail()
        delay = max(delay, app.until(lambda: app.delivered == count, 15))
        most = max(most, app.stats.threads)
    app.tell(most=most, delay=delay)
""",
            hung=hung,
            healthy=receiver.url("/healthy"),
            url=api.url("/status/500"),
        )
    )

    assert told["delay"] < 1.0, told
    assert told["most"] <= 33
    assert len(documents(receiver, "/healthy")) == 10


@pytest.mark.thorough
def test_threads_are_few_and_fewer_again_when_the_crowd_has_gone(api, receiver):
    """
    Three busy webhooks need four threads at most, twelve on three workers too; a while later only one is there.
    """
    for number in range(12):
        receiver.script(f"/busy/{number}", then=replies.slow(0.02))
    told = heard(
        run(
            """
    import threading
    from support.scenario import App
    from curl_interceptor import BatchPolicy, Pipeline
    def crowd(number, **numbers):
        app = App(url, *hooks[:number], batch=BatchPolicy(1, 0), pipeline=Pipeline(**numbers))
        most = 0
        for _ in range(30):
            app.fail()
            most = max(most, sum("curl-interceptor" in thread.name for thread in threading.enumerate()))
        assert app.adapter.flush(20)
        rest = app.until(lambda: app.stats.threads <= 1, 20)
        left = sum("curl-interceptor" in thread.name for thread in threading.enumerate())
        app.adapter.pipeline.close()
        return most, left
    three, twelve = crowd(3), crowd(12, workers=3)
    app = App(url, hooks[0])
    app.tell(three=three, twelve=twelve)
""",
            hooks=[receiver.url(f"/busy/{number}") for number in range(12)],
            url=api.url("/status/500"),
            timeout=90,
        )
    )

    assert told["three"][0] <= 4, told
    assert told["twelve"][0] <= 4, told
    assert told["three"][1] <= 1, told


@pytest.mark.parametrize(
    "own", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["one pipeline", "pipelines of their own"]
)
def test_a_thousand_adapters_leave_nothing_behind(api, receiver, own):
    """
    Made, used and dropped: neither threads nor descriptors nor much memory remain.
    """
    told = heard(
        run(
            """
    import gc, os, resource, threading
    import requests, curl_interceptor
    from curl_interceptor import BatchPolicy
    from support.scenario import App
    app = App(url, hook, batch=BatchPolicy(50, 0.02))
    app.fail()
    assert app.adapter.flush(5)
    def held():
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))
    before = held()
    for number in range(1_000):
        options = {"pipeline": curl_interceptor.Pipeline()} if own else {}
        with requests.Session() as session:
            adapter = curl_interceptor.mount(
                session, hook, cooldown=None, batch=BatchPolicy(50, 0.02), **options
            )
            if number % 10 == 0:
                session.get(url)
        if own:
            assert adapter.pipeline.close(5)
    assert app.adapter.flush(10)
    del adapter, session
    app.until(lambda: held()[0] <= before[0], 20)
    app.tell(before=before, after=held(), pipelines=len(curl_interceptor.delivery.pipeline.pipelines()))
""",
            hook=receiver.url("/hook"),
            url=api.url("/status/500"),
            own=own,
            timeout=120,
        )
    )

    assert told["after"][0] <= told["before"][0]
    assert told["after"][1] <= told["before"][1] + 1, told
    assert len(documents(receiver)) == 101
    assert told["pipelines"] <= 2
