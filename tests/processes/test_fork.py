"""Forked children: none hangs, each tells of its own failures once, and none repeats its parent's."""

from __future__ import annotations

import pytest
from support import receiver as replies
from support.process import run
from support.records import documents, names


@pytest.mark.parametrize("forks", [50, pytest.param(1_000, marks=pytest.mark.thorough)])
def test_forks_under_load(api, receiver, forks):
    """
    While threads of the parent send failing requests, each child's own record arrives exactly once, and none hangs.
    """
    ended = run(
        """
    import os, sys, threading, time
    import requests, curl_interceptor
    from curl_interceptor import BatchPolicy
    session = requests.Session()
    adapter = curl_interceptor.mount(session, hook, cooldown=None, batch=BatchPolicy(50, 0.01))
    stop = threading.Event()
    def load(number):
        own = requests.Session()
        own.mount("http://", adapter)
        count = 0
        while not stop.is_set():
            own.get(url + f"?parent-{number}-{count}")
            count += 1
    threads = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    children = []
    for number in range(forks):
        child = os.fork()
        if child == 0:
            mine = requests.Session()    # of its own: a pool of connections must not be shared with the parent
            adapter = curl_interceptor.mount(mine, hook, cooldown=None, batch=BatchPolicy(50, 0.01))
            mine.get(url + f"?child-{number}")
            done = adapter.flush(20)
            os._exit(0 if done and adapter.stats().balanced else 1)
        children.append(child)
        time.sleep(0.005)
    deadline = time.monotonic() + 40 + forks / 10
    failed = 0
    for child in children:
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                failed += status != 0
                break
            if time.monotonic() > deadline:
                os.kill(child, 9)
            time.sleep(0.005)
    stop.set()
    for thread in threads:
        thread.join()
    assert adapter.flush(10), adapter.stats()
    stats = adapter.stats()
    assert stats.balanced, stats
    print(failed, stats.accepted, stats.delivered)
""",
        timeout=60 + forks / 5,
        forks=forks,
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    failed, accepted, delivered = map(int, ended.out.split())
    assert failed == 0
    assert accepted == delivered
    arrived = names(receiver)
    assert sorted(name for name in arrived if name.startswith("child")) == sorted(f"child-{n}" for n in range(forks))
    assert len(arrived) == len(set(arrived))
    assert sum(name.startswith("parent") for name in arrived) == delivered


def test_a_child_does_not_repeat_the_backlog_of_its_parent(api, receiver):
    """
    What waits in the parent at the fork is delivered by the parent alone.
    """
    ended = run(
        """
    import os
    import requests, curl_interceptor
    session = requests.Session()
    adapter = curl_interceptor.mount(session, hook, cooldown=None)
    for number in range(5):
        session.get(url + f"?parent-{number}")
    session.close()                                    # a kept connection must not be shared with the child
    child = os.fork()
    session.get(url + ("?child" if child == 0 else "?parent-5"))
    if child:
        os.waitpid(child, 0)
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert sorted(names(receiver)) == ["child", *(f"parent-{number}" for number in range(6))]


def test_a_fork_in_the_middle_of_the_first_start(api, receiver):
    """
    Whatever the thread was doing that starts ours: the child starts one of its own, and the parent's comes to life.
    """
    ended = run(
        """
    import os, random, threading, time
    import requests, curl_interceptor
    from curl_interceptor import Pipeline
    session = requests.Session()
    start = threading.Thread.start
    def slow_start(thread):
        pause = thread.name == "curl-interceptor-dispatcher" and os.getpid() == parent
        time.sleep(random.choice([0, 0.001, 0.003]) if pause else 0)
        start(thread)
        time.sleep(random.choice([0, 0.001]) if pause else 0)
    threading.Thread.start = slow_start
    parent = os.getpid()
    for number in range(20):
        pipeline = Pipeline()
        adapter = curl_interceptor.mount(session, hook, cooldown=None, pipeline=pipeline)
        session.get(url + f"?parent-{number}")
        session.close()
        time.sleep(random.choice([0, 0, 0.001, 0.002]))
        child = os.fork()
        if child == 0:
            session.get(url + f"?child-{number}")
            os._exit(0 if adapter.flush(5) and pipeline.stats().threads else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert adapter.flush(5) and pipeline.close()
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
        timeout=60,
    )

    assert ended.status == 0, ended.err
    told = [f"{whose}-{number}" for whose in ("child", "parent") for number in range(20)]
    assert sorted(names(receiver)) == sorted(told)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver_what_they_captured(api, receiver, tmp_path, method):
    """
    They end without `atexit`; their last record arrives all the same.
    """
    script = tmp_path / "app.py"
    script.write_text(
        f"""
import multiprocessing, sys
import requests, curl_interceptor

def work(number):
    session = requests.Session()
    curl_interceptor.mount(session, {receiver.url("/hook")!r}, cooldown=None)
    session.get({api.url("/status/500")!r} + f"?child-{{number}}")

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=work, args=(number,)) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    sys.exit(max(child.exitcode for child in children))
""",
        encoding="utf-8",
    )
    ended = run("import runpy\nrunpy.run_path(path, run_name='__main__')", path=str(script))

    assert (ended.status, ended.err) == (0, "")
    assert sorted(names(receiver)) == ["child-0", "child-1", "child-2"]


@pytest.mark.thorough
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(
    "pool",
    ["context.Pool(2)", "context.Pool(2, maxtasksperchild=1)", "ProcessPoolExecutor(2, mp_context=context)"],
    ids=["Pool", "Pool, one task a child", "ProcessPoolExecutor"],
)
def test_workers_of_a_pool_deliver_what_they_captured(api, receiver, tmp_path, method, pool):
    """
    A pool that is left to finish loses no record, however many calls its children made before they ended.
    """
    script = tmp_path / "app.py"
    script.write_text(
        f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import requests, curl_interceptor

session = requests.Session()
curl_interceptor.mount(session, {receiver.url("/hook")!r}, cooldown=None)

def work(number):
    session.get({api.url("/status/500")!r} + f"?{{number}}")

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    pool = {pool}
    list(pool.map(work, range(6)))
    if hasattr(pool, "shutdown"):
        pool.shutdown()
    else:
        pool.close()
        pool.join()
""",
        encoding="utf-8",
    )
    ended = run(
        "import runpy, sys\nsys.path.insert(0, folder)\nimport app\nrunpy.run_path(path, run_name='__main__')",
        path=str(script),
        folder=str(tmp_path),
    )

    assert (ended.status, ended.err) == (0, "")
    assert sorted(names(receiver)) == [str(number) for number in range(6)]


def test_a_signal_of_celery_ends_a_child_in_time(api, receiver):
    """
    Its children end by `os._exit` after `worker_process_shutdown`, and have half a second from there.
    """
    receiver.script("/hung", then=replies.hang())
    ended = run(
        """
    import os, sys, time, types
    class Signal:
        receivers = {}
        def connect(self, receiver, weak=True, dispatch_uid=None):
            assert not weak
            self.receivers[dispatch_uid] = receiver
    signals = sys.modules["celery.signals"] = types.ModuleType("celery.signals")
    signals.worker_process_shutdown = Signal()
    import requests, curl_interceptor
    session = requests.Session()
    curl_interceptor.mount(session, hook, hung, cooldown=None)
    child = os.fork()
    if child == 0:
        session.get(url + "?child")
        session.get(url + "?again")
        began = time.monotonic()
        for receiver in Signal.receivers.values():
            receiver(sender=None, pid=os.getpid(), exitcode=0)
        took = time.monotonic() - began
        os._exit(0 if took < 0.6 and len(Signal.receivers) == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
""",
        hook=receiver.url("/hook"),
        hung=receiver.url("/hung"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert sorted(names(receiver, "/hook")) == ["again", "child"]


def test_a_closed_pipeline_stays_closed_in_a_child(api, receiver):
    """
    A fork does not bring back what was closed.
    """
    ended = run(
        """
    import os
    import requests, curl_interceptor
    session = requests.Session()
    adapter = curl_interceptor.mount(session, hook, cooldown=None, pipeline=curl_interceptor.Pipeline())
    session.get(url + "?before")
    adapter.pipeline.close()
    session.close()
    child = os.fork()
    session.get(url + "?after")
    stats = adapter.stats()
    ok = stats.balanced and stats.dropped == {"shutdown": 1}
    if child == 0:
        os._exit(0 if ok else 1)
    assert ok, stats
    assert os.waitpid(child, 0)[1] == 0
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err) == (0, "")
    assert names(receiver) == ["before"]


def test_our_threads_import_nothing(api, receiver):
    """
    A first import in a thread, at the moment of a fork, would hang the child.
    """
    ended = run(
        """
    import sys
    import requests, curl_interceptor
    session = requests.Session()
    adapter = curl_interceptor.mount(session, hook, fallbacks=print)
    requests.Session().get(url)
    before = set(sys.modules)
    session.get(url)
    adapter.flush(5)
    try:
        session.get("http://127.0.0.1:9/")
    except requests.ConnectionError:
        pass
    assert adapter.flush(5)
    print(sorted(set(sys.modules) - before))
""",
        hook=receiver.url("/hook"),
        url=api.url("/status/500"),
    )

    assert (ended.status, ended.err, ended.out) == (0, "", "[]\n")


def test_a_message_is_sent_by_the_process_that_sent_it(receiver):
    """
    A child's message arrives once, from the child, and the parent's from the parent.
    """
    ended = run(
        """
    import os
    import curl_interceptor
    adapter = curl_interceptor.CurlInterceptor(inspectors=hook, cooldown=None)
    adapter.send_message("before the fork")
    child = os.fork()
    adapter.pipeline.send_message("from the child" if child == 0 else "from the parent")
    if child:
        os.waitpid(child, 0)
""",
        hook=receiver.url("/hook"),
    )

    assert (ended.status, ended.err) == (0, "")
    texts = sorted(document["text"] for document in documents(receiver))
    assert texts == ["before the fork", "from the child", "from the parent"]
