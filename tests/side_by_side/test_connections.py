"""Connections, copies, threads and memory: what is kept, what is given back, and what is let go."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import time
import weakref

import pytest
import requests
from requests.adapters import HTTPAdapter
from support import receiver as replies
from support.side_by_side import attempt, look

from curl_interceptor import CaptureMixin


def pools(session):
    """Return the connection pools that a session has by now."""
    found = session.get_adapter("http://x").poolmanager.pools
    return [found[key] for key in found.keys()]  # noqa: SIM118


def _drained(session, server):
    for _ in range(3):
        session.get(server.url("/"))


def _unread(session, server):
    for _ in range(3):
        session.get(server.url("/"), stream=True)
        gc.collect()


def _closed(session, server):
    for _ in range(3):
        session.get(server.url("/"), stream=True).close()


def _with_blocks(session, server):
    for _ in range(3):
        with session.get(server.url("/"), stream=True) as response:
            response.raw.read(1)


def _heads(session, server):
    server.script("/", then=replies.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", keep=True))
    for _ in range(3):
        session.head(server.url("/"))


def _without_bodies(session, server):
    server.script("/", then=replies.status(204))
    for _ in range(3):
        session.get(server.url("/"), stream=True)


def _uploads(session, server):
    for _ in range(3):
        session.put(server.url("/"), data=iter([b"a", b"b"]))


def _closing_servers(session, server):
    server.script("/", then=replies.status(200, headers={"Connection": "close"}, body=b"ok"))
    for _ in range(3):
        attempt(session.get, server.url("/"))


def _dropped_by_the_server(session, server):
    for _ in range(3):
        session.get(server.url("/"))
        server.drop_connections()
        time.sleep(0.02)


def _failures(session, server):
    server.script("/", then=replies.reset())
    for _ in range(3):
        attempt(session.get, server.url("/"))


def _closed_sessions(session, server):
    for _ in range(3):
        session.get(server.url("/"))
        session.close()


USES = [
    _drained,
    _unread,
    _closed,
    _with_blocks,
    _heads,
    _without_bodies,
    _uploads,
    _closing_servers,
    _dropped_by_the_server,
    _failures,
    _closed_sessions,
]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__.strip("_"))
def test_connections_are_used_again_as_they_were(side_by_side, use):
    """
    As often, and no more.
    """

    def scenario(session, server):
        use(session, server)
        counts = [(pool.num_connections, pool.num_requests, pool.pool.qsize()) for pool in pools(session)]
        return counts, session.get(server.url("/last")).status_code

    side_by_side(scenario)


def test_a_pool_that_blocks_gets_its_connection_back(side_by_side):
    """
    One connection, and a stream at a time.
    """

    def scenario(session, server):
        seen = []
        for body in (None, iter([b"a"]), b"x"):
            response = session.post(server.url("/"), data=body, stream=True)
            seen.append(response.content)
        first = session.get(server.url("/"), stream=True)
        second = attempt(pools(session)[0].urlopen, "GET", "/", pool_timeout=0.05)
        return seen, second, first.content, session.get(server.url("/")).content

    side_by_side(scenario, pool_maxsize=1, pool_block=True)


def test_the_pool_is_the_adapters_own(side_by_side):
    """
    A response leads back to the pool, the adapter and the session's settings that it came from.
    """

    def scenario(session, server):
        adapter = session.get_adapter("http://x")
        response = session.post(server.url("/"), data=iter([b"a"]), stream=True)
        (pool,) = pools(session)
        return response.raw._pool is pool, response.connection is adapter, response.content

    side_by_side(scenario)


@pytest.mark.parametrize("read", [True, False])
def test_nothing_is_kept(side_by_side, read):
    """
    No response, raw, request, body, pool or exception outlives the app's own reference, without the help of `gc`.
    """

    class Body:
        def __iter__(self):
            return iter([b"abc"])

    def scenario(session, server):
        gc.collect()
        gc.disable()
        try:
            body = Body()
            response = session.post(server.url("/"), data=body, stream=not read)
            (pool,) = pools(session)
            kept = [weakref.ref(thing) for thing in (response, response.raw, response.request, body, pool)]
            del response, body, pool
            try:
                session.post(replies.refused_url(), data=Body())
            except requests.ConnectionError as error:
                kept.append(weakref.ref(error))
            session.close()
            alive = [ref() is not None for ref in kept]
        finally:
            gc.enable()
        gc.collect()
        return alive[:5], [ref() is not None for ref in kept]

    side_by_side(scenario)


def test_the_socket_of_a_dropped_stream_closes(side_by_side):
    """
    At once, without the help of `gc`; the server sees it.
    """

    def scenario(session, server):
        gone = threading.Event()

        def play(connection):
            connection.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
            while connection.sock.recv(100):
                pass
            gone.set()
            return False

        server.script("/", [replies.Reply(play)])
        gc.disable()
        try:
            response = session.get(server.url("/"), stream=True)
            response.raw.read(3)
            del response
            return gone.wait(2)
        finally:
            gc.enable()

    (record,) = side_by_side(scenario)
    assert record.response_body_state == "abandoned"
    assert record.response_body == b"abc"


def _copied(session):
    return copy.copy(session)


def _deep(session):
    del session.request  # a partial of the judge
    return copy.deepcopy(session)


def _pickled(session):
    del session.request
    return pickle.loads(pickle.dumps(session))


@pytest.mark.parametrize("duplicate", [_copied, _deep, _pickled], ids=["copied", "deep", "pickled"])
def test_sessions_and_responses_are_duplicated_as_they_were(side_by_side, duplicate):
    """
    The twin sends, and its adapter has the numbers of the first.
    """

    def scenario(session, server):
        first = session.get(server.url("/"))
        twin = duplicate(session)
        second = twin.post(server.url("/"), data=iter([b"ab"]))
        adapter = twin.get_adapter("http://x")
        seen = (adapter.max_retries.total, adapter._pool_maxsize, adapter.config)
        again = pickle.loads(pickle.dumps(first))
        twin.close()
        return look(second), seen, (again.content, again.status_code, again.headers, again.raw)

    records = side_by_side(scenario, max_retries=3, pool_maxsize=4)
    assert [record.request_body for record in records] == [None, b"ab"]


def test_mounting_and_unmounting_work_as_they_did(side_by_side):
    """
    The longest prefix wins, and an adapter that is taken away is gone.
    """

    def scenario(session, server):
        ours = session.get_adapter("http://x")
        session.mount("http://other.example.com", HTTPAdapter())
        order = list(session.adapters)
        session.get(server.url("/1"))
        session.adapters.pop("http://")
        gone = attempt(session.get, server.url("/2"))
        session.mount("http://", ours)
        return order, gone, session.get(server.url("/3")).status_code

    records = side_by_side(scenario)
    assert len(records) == 2


def test_a_subclass_does_what_it_did(pipeline):
    """
    One that changes headers, finds its own connection, builds its own response, and sends twice.
    """
    from support.side_by_side import run

    from curl_interceptor import Match, testing

    class Theirs(HTTPAdapter):
        def __init__(self, *args, pools=None, **kwargs):
            self.log = []
            super().__init__(*args, **kwargs)

        def add_headers(self, request, **kwargs):
            request.headers["X-Theirs"] = str(sorted(kwargs))

        def build_response(self, req, resp):
            response = super().build_response(req, resp)
            response.theirs = type(resp).__name__
            return response

        def cert_verify(self, conn, url, verify, cert):
            self.log.append((type(conn).__name__, conn.host, conn.num_requests))
            super().cert_verify(conn, url, verify, cert)
            conn.mark = len(self.log)

        def send(self, request, *args, **kwargs):
            super().send(request, *args, **kwargs).close()
            return super().send(request, *args, **kwargs)

    class Ours(CaptureMixin, Theirs):
        pass

    def scenario(session, server):
        response = session.post(server.url("/"), data=iter([b"a"]))
        return look(response), response.theirs, session.get_adapter("http://x").log, pools(session)[0].mark

    inspector = testing.RecordingInspector()
    ours = {"inspectors": inspector, "match": Match(statuses="2xx"), "cooldown": None, "pipeline": pipeline}
    assert run(scenario, Ours, ours, {}) == run(scenario, Theirs, {}, {})
    assert len(inspector.records) == 1


def test_many_threads_share_a_session(side_by_side):
    """
    Every thread gets its own answer, and its own record.
    """

    def scenario(session, server):
        found = []

        def work(number):
            for step in range(10):
                name = f"{number}-{step}".encode()
                session.post(server.url("/"), data=iter([name, b"!"]))
                found.append(name)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bodies = sorted(server.bodies())
        server.forget()
        server.accepted = 0  # how many connections it takes is chance
        return sorted(found), bodies

    records = side_by_side(scenario, pool_maxsize=10)
    assert sorted(record.request_body for record in records) == sorted(
        f"{number}-{step}!".encode() for number in range(8) for step in range(10)
    )
