"""Labels of where a call comes from."""

from __future__ import annotations

import contextlib
import contextvars
import json
import threading

import pytest
import requests

import curl_interceptor
from curl_interceptor import CapturePolicy, context, mount, set_context, set_origin, testing
from curl_interceptor.records.context import labels, with_origin


@pytest.fixture(autouse=True)
def _forget():
    yield
    set_context()
    set_origin()


def test_a_label_arrives_at_the_webhook(api, receiver, session, pipeline):
    """
    Under `context` in the JSON, redacted.
    """
    adapter = mount(session, receiver.url("/hook"), pipeline=pipeline)
    with context(request_id="af31", token="s3cr3t", user=7, note="password=s3cr3t"):
        session.get(api.url("/status/500"))
    assert adapter.flush(5)
    record = json.loads(receiver.bodies("/hook")[0])
    assert record["context"] == {"request_id": "af31", "token": "REDACTED", "user": "7", "note": "password=REDACTED"}


def test_what_is_said_of_the_process_is_told_of_all_that_it_sends(api, session):
    """
    Calls and notices have it, from any thread, before the labels of their own.
    """
    adapter = mount(session, "https://hooks.example.com/failures", cooldown=None)
    set_origin(service="shop", release="1.4.2", request_id="none", password="s3cr3t", host=None)

    def work():
        session.get(api.url("/status/500"))
        adapter.send_message("hello")

    with testing.captured() as captured:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with context(request_id="af31"):
            adapter.send_bug_report(ValueError())

    found = [dict(entry.context) for entry in (*captured.records, *captured.notices)]
    usual = {"service": "shop", "release": "1.4.2", "request_id": "none", "password": "REDACTED"}
    assert found == [usual, usual, {**usual, "request_id": "af31"}]


def test_what_is_said_of_the_process_is_replaced():
    """
    What was said before is forgotten.
    """
    set_origin(service="shop", release=1)
    set_origin(service="till")
    assert with_origin((("a", "1"),)) == (("service", "till"), ("a", "1"))
    set_origin()
    assert with_origin((("a", "1"),)) == (("a", "1"),)


def test_blocks_add_up_and_end():
    """
    An inner block adds, replaces and leaves out; after it things are as before, also after an exception.
    """
    with context(a=1, b=2):
        with contextlib.suppress(KeyError), context(b=3, a=None, c="x"):
            assert dict(labels.get()) == {"b": "3", "c": "x"}
            raise KeyError
        assert dict(labels.get()) == {"a": "1", "b": "2"}
    assert labels.get() == ()


def test_a_function_can_be_decorated():
    """
    Each call has the labels.
    """

    @context(task="nightly")
    def task():
        return dict(labels.get())

    assert task() == task() == {"task": "nightly"}
    assert labels.get() == ()


def test_a_setter_replaces_everything():
    """
    So that a thread may be used for one request after the other.
    """
    set_context(a=1)
    set_context(b=2, c=None)
    assert labels.get() == (("b", "2"),)
    set_context()
    assert labels.get() == ()


def test_threads_have_their_own():
    """
    One that is started has no labels, unless it runs in a copy of the context.
    """
    seen = []
    with context(a=1):
        copied = contextvars.copy_context()
        for target in (lambda: seen.append(labels.get()), lambda: copied.run(lambda: seen.append(labels.get()))):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [(), (("a", "1"),)]


def test_a_label_never_fails_the_app():
    """
    Long texts are cut, many labels are fewer, and a value that cannot be a text is named by its type.
    """

    class Odd:
        def __str__(self):
            raise RuntimeError

    with context(odd=Odd(), long="x" * 10_000, **{f"n{number}": number for number in range(100)}):
        assert len(labels.get()) == 16
    with context(odd=Odd(), long="x" * 10_000):
        assert dict(labels.get()) == {"odd": "(a Odd)", "long": "x" * 200}


def test_the_label_is_that_of_the_call_not_of_its_delivery(api, session, pipeline):
    """
    A stream that is read later keeps the label of its sending.
    """
    inspector = testing.RecordingInspector()
    curl_interceptor.mount(session, inspector, pipeline=pipeline, cooldown=None)
    with context(request_id="1"):
        response = session.get(api.url("/status/500"), stream=True)
    with context(request_id="2"):
        assert response.content
    assert inspector.records[0].context == (("request_id", "1"),)


def test_a_body_that_breaks_later_is_told_with_the_labels_and_the_place_of_its_call(api, session, pipeline):
    """
    Nobody wanted the call before, and by now the app is somewhere else; who records was decided at the call as well.
    """

    def call():
        with context(request_id="af31"):
            return session.get(api.url("/broken-body"), stream=True)

    mount(session, "http://127.0.0.1:9/hook", pipeline=pipeline, capture=CapturePolicy(caller=True))
    with testing.captured() as captured:
        response = call()
    with context(request_id="of another"), pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = response.content
    (record,) = captured.records

    assert record.context == (("request_id", "af31"),)
    assert record.caller.endswith(" in call")
