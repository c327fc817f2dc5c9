"""Calls of several requests: redirects, with bodies that have to be rewound, and urllib3's own retries."""

from __future__ import annotations

import io
import tempfile

import pytest
from support import receiver as replies
from support.side_by_side import look
from urllib3.util import Retry


class Unseekable(io.BytesIO):
    """A stream, as a pipe is."""

    def seekable(self):
        return False

    def seek(self, *args):
        raise OSError("no seek")

    def tell(self):
        raise OSError("no tell")


def a_file():
    made = tempfile.TemporaryFile()  # noqa: SIM115
    made.write(b"xxcontent")
    made.seek(2)
    return made


STREAMS = {
    "bytes": lambda: b"content",
    "a file in its middle": a_file,
    "BytesIO": lambda: io.BytesIO(b"content"),
    "a stream that cannot be rewound": lambda: Unseekable(b"content"),
    "a generator": lambda: (piece for piece in (b"con", b"tent")),
}


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", STREAMS)
def test_redirects_lead_where_they_led(side_by_side, code, name):
    """
    With the method and the body that requests makes of them, or its own error where a body cannot be rewound.
    """

    def scenario(session, server):
        server.script("/a", [replies.redirect("/b", code)])
        body = STREAMS[name]()
        try:
            return look(session.post(server.url("/a"), data=body))
        finally:
            if hasattr(body, "close"):
                body.close()

    records = side_by_side(scenario)
    assert [record.status for record in records][:1] == [code]
    assert records[0].request_body == b"content"
    if code in (307, 308) and len(records) == 2:  # requests sends a generator again, which has nothing left
        assert records[1].request_body == (b"" if name == "a generator" else b"content")


@pytest.mark.parametrize(
    "location", ["/b?x=1#y", "b", "//127.0.0.1:{port}/b", "http://localhost:{port}/b", "http://[", "ftp://x/"]
)
def test_every_kind_of_location_is_followed_as_it_was(side_by_side, location):
    """
    To another host too, where the authorization is left behind.
    """

    def scenario(session, server):
        server.script("/a/", [replies.redirect(location.format(port=server.port))])
        return look(session.get(server.url("/a/"), auth=("user", "password")))

    side_by_side(scenario)


def test_an_end_without_end_is_the_same_end(side_by_side):
    """
    Too many redirects, and one that is not followed.
    """

    def scenario(session, server):
        server.script("/", then=replies.redirect("/"))
        session.max_redirects = 3
        unfollowed = session.get(server.url("/"), allow_redirects=False)
        return look(unfollowed), unfollowed.next.url, session.get(server.url("/"))

    records = side_by_side(scenario)
    assert len(records) == 5


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("trouble", ["a status", "a reset", "no answer"])
def test_urllib3_retries_as_it_did(side_by_side, name, trouble):
    """
    Every attempt sends what it sent, and the last one is what counts.
    """

    def scenario(session, server):
        bad = {
            "a status": replies.status(503, body=b"later"),
            "a reset": replies.reset(),
            "no answer": replies.raw(b""),
        }[trouble]
        server.script("/", [bad, bad])
        body = STREAMS[name]()
        try:
            return look(session.post(server.url("/"), data=body))
        finally:
            if hasattr(body, "close"):
                body.close()

    retries = Retry(3, status_forcelist=[503], backoff_factor=0, allowed_methods=None)
    (record,) = side_by_side(scenario, max_retries=retries)
    if name in ("bytes", "BytesIO", "a file in its middle"):
        assert (record.status, record.request_body) == (200, b"content")
        assert record.retried == (("503",) * 2 if trouble == "a status" else ("ProtocolError",) * 2)
    elif name == "a generator":  # the second attempt has nothing left to send
        assert record.request_body == b""


@pytest.mark.parametrize("raises", [True, False])
def test_urllib3_gives_up_as_it_did(side_by_side, raises):
    """
    With an exception, or with the last answer.
    """

    def scenario(session, server):
        server.script("/", then=replies.status(503, headers={"Retry-After": "0"}))
        return look(session.put(server.url("/"), data=io.BytesIO(b"abc")))

    (record,) = side_by_side(scenario, max_retries=Retry(2, status_forcelist=[503], raise_on_status=raises))
    assert record.retried == ("503", "503")
    assert record.request_body == b"abc"
    assert record.outcome == ("RetryError" if raises else "503")


def test_a_number_of_retries_is_for_connecting(side_by_side):
    """
    As requests says.
    """

    def scenario(session, server):
        return look(session.get(replies.refused_url()))

    (record,) = side_by_side(scenario, max_retries=2)
    assert record.retried == ("NewConnectionError", "NewConnectionError")
