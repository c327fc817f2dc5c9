"""Where in the app's code a call was made, for those who ask."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import responses

from curl_interceptor import CapturePolicy, CapturePoolManager, ConfigurationError, CurlInterceptor, render, to_curl
from curl_interceptor.inspectors.document import document
from curl_interceptor.inspectors.message import describe
from curl_interceptor.records.place import shown_file
from curl_interceptor.testing import RecordingInspector

ASKED = CapturePolicy(caller=True)


@pytest.fixture
def inspector():
    return RecordingInspector()


@pytest.fixture
def app(session, inspector, pipeline):
    """A session that is watched, with the place of each call."""
    session.mount("http://", CurlInterceptor(inspectors=[inspector], pipeline=pipeline, capture=ASKED, cooldown=None))
    return session


def charge(call, *arguments):
    """A function of an app."""
    return call(*arguments)


def test_the_place_is_that_of_the_app(app, inspector, api):
    """
    However requests is called, it is the line and the function of the app.
    """
    charge(app.get, api.url("/status/500"))
    prepared = app.prepare_request(requests.Request("GET", api.url("/status/500")))
    app.send(prepared)
    app.post(api.url("/status/503"), data=b"a" * 9)

    places = [record.caller for record in inspector.records]
    assert places[0].startswith("capture/test_caller.py:")
    assert places[0].endswith(" in charge")
    assert [place.rpartition(" in ")[2] for place in places[1:]] == ["test_the_place_is_that_of_the_app"] * 2


def test_it_is_told_in_message_document_and_har(app, inspector, api):
    """
    Whoever reads of the failure reads where it was made.
    """
    charge(app.get, api.url("/status/500"))
    (record,) = inspector.records

    assert ("Where", record.caller) in describe(record).facts
    assert document(record)["caller"] == record.caller
    assert json.loads(render(record, dialect="har"))["comment"] == f"called at {record.caller}"


def test_exceptions_have_a_place_too(inspector, pipeline, api):
    """
    A call that failed without an answer was made somewhere as well.
    """
    with requests.Session() as session:
        session.mount("http://", CurlInterceptor(inspectors=[inspector], pipeline=pipeline, capture=ASKED))
        with pytest.raises(requests.ReadTimeout):
            charge(lambda: session.get(api.url("/slow/500"), timeout=0.05))

    assert inspector.records[0].caller.endswith(" in <lambda>")


def library(tmp_path, monkeypatch, name):
    """Return a module as it lies among the installed packages."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / f"{name}.py").write_text("def fetch(get, url):\n    return get(url)\n")
    monkeypatch.syspath_prepend(str(folder))
    module = __import__(name)
    monkeypatch.delitem(sys.modules, name)
    return module


def test_a_library_in_between_is_passed_by(app, inspector, api, tmp_path, monkeypatch):
    """
    Of an SDK that calls requests the app's own line is told; where there is none, the SDK's.
    """
    sdk = library(tmp_path, monkeypatch, "some_sdk")
    charge(sdk.fetch, app.get, api.url("/status/500"))
    with ThreadPoolExecutor(1) as executor:
        executor.submit(sdk.fetch, app.get, api.url("/status/503")).result()
        executor.submit(app.get, api.url("/status/502")).result()

    first, second, third = (record.caller for record in inspector.records)
    assert first.endswith(" in charge")
    assert second == "some_sdk.py:2 in fetch"
    assert third is None


def test_pool_managers_tell_it_too(inspector, pipeline, api):
    """
    urllib3 without requests knows its caller as well.
    """
    manager = CapturePoolManager(inspectors=[inspector], pipeline=pipeline, capture=ASKED, retries=False)
    charge(lambda: manager.request("GET", api.url("/status/500")))

    assert inspector.records[0].caller.endswith(" in <lambda>")


@responses.activate
def test_a_mocked_call_has_a_place(session, inspector, pipeline):
    """
    Libraries that stand in for the network change nothing of it.
    """
    responses.get("http://api.example.com/orders", status=500)
    session.mount("http://", CurlInterceptor(inspectors=[inspector], pipeline=pipeline, capture=ASKED))
    charge(session.get, "http://api.example.com/orders")

    assert [record.caller.endswith(" in charge") for record in inspector.records] == [True]


def test_nobody_looks_unless_asked(session, inspector, pipeline, api):
    """
    Without the keyword there is no place, in no message and no document.
    """
    session.mount("http://", CurlInterceptor(inspectors=[inspector], pipeline=pipeline))
    response = charge(session.get, api.url("/status/500"))
    (record,) = inspector.records

    assert record.caller is None
    assert "caller" not in document(record)
    assert "Where" not in dict(describe(record).facts)
    assert to_curl(response)


def test_code_without_a_file_has_a_name(app, inspector, api):
    """
    What was typed or made by `exec` is told as Python names it.
    """
    exec(compile("get(url)", "<typed>", "exec"), {"get": app.get, "url": api.url("/status/500")})

    assert inspector.records[0].caller == "<typed>:1 in <module>"


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("/srv/shop/views.py", "shop/views.py"),
        ("/home/ann/.venv/lib/python3.11/site-packages/sdk/http.py", "sdk/http.py"),
        ("/usr/lib/python3/dist-packages/sdk.py", "sdk.py"),
        ("relative/views.py", "relative/views.py"),
        (os.__file__, "os.py"),
        ("<stdin>", "<stdin>"),
        ("/views.py", "/views.py"),
        ("/" + "a/" * 1_000 + "views.py", "a/views.py"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="paths of POSIX")
def test_a_path_tells_no_more_than_it_has_to(file, shown):
    """
    It begins where the file is imported from; of any other the last two names are told.
    """
    assert shown_file(file) == shown


def test_what_is_no_flag_is_refused():
    """
    The message names it.
    """
    with pytest.raises(ConfigurationError, match="capture: caller must be True or False"):
        CapturePolicy(caller="yes")
