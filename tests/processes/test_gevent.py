"""gevent: everything arrives, and its loop goes on while webhooks are in trouble."""

from __future__ import annotations

import json

import pytest
from support import receiver as replies
from support.process import run
from support.records import names
from support.server import needs

pytestmark = [needs("gevent"), pytest.mark.thorough]

# How long the loop stood still at most, seen by a greenlet that wants to run every 5 ms.
APP = """
    if not late:
        from gevent import monkey; monkey.patch_all()
    import json, sys, threading, time
    import requests, curl_interceptor
    from curl_interceptor import BatchPolicy, TransportPolicy
    if late:
        import warnings; warnings.simplefilter("ignore")
        adapter = curl_interceptor.CurlInterceptor(inspectors=hooks, cooldown=None, batch=BatchPolicy(20, 0.1))
        from gevent import monkey; monkey.patch_all()
    import gevent
    worst = {}
    def watched(name, work):
        longest, going = 0.0, True
        def watch():
            nonlocal longest
            before = time.monotonic()
            while going:
                gevent.sleep(0.005)
                now = time.monotonic()
                longest, before = max(longest, now - before - 0.005), now
        watcher = gevent.spawn(watch)
        gevent.sleep(0)
        work()
        going = False
        watcher.join()
        worst[name] = longest
    def calls(session, start):
        def call(number):
            for step in range(10):
                session.get(url + f"?{start + number * 10 + step}")
        return lambda: gevent.joinall([gevent.spawn(call, number) for number in range(20)])
    plain = requests.Session()
    plain.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=20))
    ours = requests.Session()
    if not late:
        adapter = curl_interceptor.CurlInterceptor(
            inspectors=hooks, cooldown=None, pool_maxsize=20, batch=BatchPolicy(20, 0.1),
            transport=TransportPolicy(total=1.0),
        )
    ours.mount("http://", adapter)
    watched("plain", calls(plain, 0))
    watched("first", calls(ours, 0))
    watched("ours", lambda: (calls(ours, 200)(), adapter.flush(3)))
    stats = adapter.stats()
    assert stats.balanced, stats
    assert stats.accepted == 400, stats
    print(json.dumps(worst))
"""


@pytest.mark.parametrize("late", [False, True], ids=["patched first", "patched after the import"])
@pytest.mark.parametrize("trouble", [None, "hang", "drip_body", "refused"])
def test_everything_arrives_and_the_loop_goes_on(api, receiver, trouble, late):
    """
    The loop is never held up for over 100 ms more than by plain requests, whatever another webhook does.
    """
    hooks = [receiver.url("/hook")]
    if trouble == "refused":
        hooks.append(replies.refused_url())
    elif trouble:
        receiver.script("/trouble", then=getattr(replies, trouble)())
        hooks.append(receiver.url("/trouble"))
    ended = run(APP, hooks=hooks, url=api.url("/status/500"), late=late, timeout=60)

    assert (ended.status, ended.err) == (0, "")
    assert sorted(names(receiver, "/hook"), key=int) == [str(number) for number in range(400)]
    worst = json.loads(ended.out)
    assert max(worst["first"], worst["ours"]) < worst["plain"] + 0.1, worst


def test_a_timeout_of_gevent_passes_through(api, receiver):
    """
    The very timeout that the app set ends its call, wherever it strikes; nothing stays locked, what follows arrives.
    """
    ended = run(
        """
    from gevent import monkey; monkey.patch_all()
    import gevent, requests, curl_interceptor
    from curl_interceptor import BatchPolicy
    session = requests.Session()
    adapter = curl_interceptor.mount(session, hook, cooldown=None, batch=BatchPolicy(1, 0))
    struck = 0
    def call(number):
        global struck
        own = requests.Session()
        own.mount("http://", adapter)
        for step in range(40):
            timeout = gevent.Timeout((number * 40 + step) * 0.00002)
            timeout.start()
            try:
                own.get(slow)
                own.get(url)
            except gevent.Timeout as caught:
                assert caught is timeout
                struck += 1
            finally:
                timeout.close()
    gevent.joinall([gevent.spawn(call, number) for number in range(10)], raise_error=True)
    session.get(url + "?after")
    assert adapter.flush(5), adapter.stats()
    assert adapter.stats().balanced, adapter.stats()
    assert struck > 100, struck
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
        slow=api.url("/slow/5"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert names(receiver)[-1] == "after"
