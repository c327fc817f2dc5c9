"""The adapter as an app sees it: nothing changes, whatever the API or the webhook does."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import threading
import time
import traceback

import pytest
import requests
import responses
from requests.adapters import HTTPAdapter
from support import receiver as replies
from support.receiver import Authority, Receiver
from urllib3.util import Retry

import curl_interceptor
from curl_interceptor import (
    UNREDACTED,
    BatchPolicy,
    CaptureMixin,
    CapturePolicy,
    ConfigurationError,
    Cooldown,
    CurlInterceptor,
    Match,
    Pipeline,
    RateLimit,
    Redaction,
    RetryPolicy,
    TransportPolicy,
    WebhookInspector,
    mount,
    testing,
)


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory):
    """A server whose certificate nobody knows."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with Receiver(tls=authority.server()) as server:
        yield server


@pytest.fixture
def recording(session, pipeline):
    """A session whose failures are kept in a list."""
    inspector = testing.RecordingInspector()
    mount(session, inspector, pipeline=pipeline, cooldown=None)
    return session, inspector


def chain(error: BaseException | None) -> list[tuple[type, str]]:
    """An exception with all that hangs on it, as types and texts without addresses."""
    found = []
    while error is not None:
        found.append((type(error), str(error).partition(" object at")[0].partition("<")[0]))
        error = error.__cause__ or error.__context__
    return found


# -- the main job -----------------------------------------------------------------------------------------------------


def test_a_failed_request_arrives_as_a_curl_command(api, receiver, session, pipeline):
    """
    The receiver gets the command, redacted, beside the facts of the exchange.
    """
    adapter = mount(session, receiver.url("/hook"), pipeline=pipeline)
    response = session.post(api.url("/status/503?token=hidden&page=2"), json={"a": 1}, headers={"X-Api-Key": "hidden"})

    assert response.status_code == 503
    assert adapter.flush(5)
    record = json.loads(receiver.bodies("/hook")[0])
    assert record["curl"].startswith("curl -q")
    assert "token=REDACTED&page=2" in record["curl"]
    assert "X-Api-Key: REDACTED" in record["curl"]
    assert "hidden" not in json.dumps(record)
    assert (record["method"], record["status"], record["error"]) == ("POST", 503, None)
    assert record["request"]["body"] == '{"a": 1}'
    assert record["response"]["body"] == response.text
    assert record["id"]
    assert adapter.stats().delivered == 1


def test_what_succeeds_is_not_captured(api, recording):
    """
    By default only failures are wanted.
    """
    session, inspector = recording
    assert session.get(api.url("/status/200")).status_code == 200
    assert inspector.records == []


@pytest.mark.parametrize("code", [400, 404, 429, 500, 599])
def test_failures_are_captured_by_default(api, recording, code):
    """
    Statuses from 400 to 599 are failures.
    """
    session, inspector = recording
    session.get(api.url(f"/status/{code}"))
    assert [record.status for record in inspector.records] == [code]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("refused", requests.ConnectionError),
        ("/reset", requests.ConnectionError),
        ("/hang", requests.ReadTimeout),
        ("tls", requests.exceptions.SSLError),
        ("unknown name", requests.ConnectionError),
        ("no url", requests.exceptions.InvalidURL),
    ],
)
def test_the_app_gets_its_own_exception(api, untrusted, recording, path, kind):
    """
    A failing call raises exactly what it raises without us, chain and request included, and is captured.
    """
    session, inspector = recording
    url = {
        "refused": replies.refused_url("/x?token=hidden"),
        "tls": untrusted.url("/"),
        "unknown name": "http://nowhere.invalid/",
        "no url": "http://[",
    }.get(path) or api.url(path)
    plain = requests.Session()
    with pytest.raises(kind) as expected:
        plain.get(url, timeout=(2, 0.3))
    with pytest.raises(kind) as caught:
        session.get(url, timeout=(2, 0.3))

    assert chain(caught.value) == chain(expected.value)
    assert type(caught.value.request) is type(expected.value.request)
    assert caught.value.response is None
    if path == "no url":
        assert inspector.records == []  # never reached an adapter
        return
    (record,) = inspector.records
    assert record.error == f"{type(caught.value).__module__}.{type(caught.value).__qualname__}"
    assert record.status is None
    assert "hidden" not in str(record)


def test_our_frames_do_not_hide_the_apps(api, recording):
    """
    The traceback still ends where requests raised.
    """
    session, _ = recording
    with pytest.raises(requests.ConnectionError) as caught:
        session.get(replies.refused_url())
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert files[-1].endswith("requests/adapters.py")


def test_the_response_is_requests_own(api, recording):
    """
    Type, raw, elapsed, history and content are those of a plain session.
    """
    session, _ = recording
    plain = requests.get(api.url("/redirect/2"))
    ours = session.get(api.url("/redirect/2"))
    assert type(ours) is requests.Response
    assert type(ours.raw) is type(plain.raw)
    assert ours.content == plain.content
    assert [hop.status_code for hop in ours.history] == [hop.status_code for hop in plain.history]
    failed = session.get(api.url("/status/500"))
    assert type(failed.raw) is type(plain.raw)
    assert vars(failed.raw).keys() == vars(plain.raw).keys()


def test_a_stream_stays_a_stream(receiver, recording):
    """
    The first piece comes before the last was sent, and the record follows when the body has ended.
    """
    session, inspector = recording
    mount(
        session, inspector, pipeline=session.get_adapter("http://x").pipeline, match=Match(statuses=200), cooldown=None
    )
    go_on = threading.Event()
    receiver.script("/", [replies.held(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\na", go_on, b"bcdefgh")])
    with session.get(receiver.url(), stream=True) as response:
        pieces = response.iter_content(1)
        first = next(pieces)
        assert response.elapsed.total_seconds() < 5
        assert inspector.records == []
        time.sleep(0.1)
        go_on.set()
        body = first + b"".join(pieces)
    (record,) = inspector.records
    assert record.response_body == body
    assert record.response_body_state == "complete"
    assert record.duration is not None
    assert record.duration >= record.elapsed + 0.1


def test_a_body_that_breaks_is_captured_though_its_status_was_fine(api, recording):
    """
    The app gets requests' own exception, and the record tells of it.
    """
    session, inspector = recording
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(api.url("/broken-body"))
    (record,) = inspector.records
    assert record.response_body_state == "broken"
    assert record.error is not None
    assert record.status == 200


def test_a_body_closed_early_and_one_never_read(api, recording):
    """
    An app that does not read a failure's body is told from one that read all of it.
    """
    session, inspector = recording
    session.get(api.url("/status/500"), stream=True).close()
    response = session.get(api.url("/status/501"), stream=True)
    del response
    gc.collect()
    states = {record.status: record.response_body_state for record in inspector.records}
    assert set(states) == {500, 501}
    assert set(states.values()) == {"abandoned"}


def test_bodies_that_are_not_text_and_bodies_that_are_not_there(api, receiver, session, pipeline):
    """
    Binary bodies, empty bodies and no bodies are delivered.
    """
    adapter = mount(session, receiver.url("/hook"), pipeline=pipeline, cooldown=None, batch=BatchPolicy(1, 0))
    session.post(api.url("/status/500"), data=bytes(range(256)))
    session.post(api.url("/status/500"), data=b"")
    session.head(api.url("/status/500"))
    session.put(api.url("/status/500"), data=iter([b"\xff", b"\0"]))
    assert adapter.flush(5)
    records = [json.loads(body) for body in receiver.bodies()]
    assert len(records) == 4
    by_method = {record["method"]: record for record in records[2:]}
    assert by_method["HEAD"]["response"]["body"] is None
    assert by_method["PUT"]["request"]["body_base64"] == "/wA="
    assert "body_base64" in records[0]["request"]


def test_the_head_of_a_body_is_kept_and_the_rest_is_not(api, session, pipeline):
    """
    Bodies are cut at the cap, and say so.
    """
    inspector = testing.RecordingInspector()
    policy = CapturePolicy(request_body=10, response_body=20)
    mount(session, inspector, pipeline=pipeline, cooldown=None, capture=policy, match=Match(statuses="2xx"))
    session.post(api.url("/echo"), data=b"x" * 100)
    (record,) = inspector.records
    assert (record.request_body, record.request_body_state, record.request_body_size) == (b"x" * 10, "cut", 100)
    assert (record.response_body, record.response_body_state, record.response_body_size) == (b"x" * 20, "cut", 100)


@pytest.mark.parametrize("trouble", ["hang", "garbage", "reset", "endless", "truncated"])
def test_no_webhook_trouble_reaches_the_app(api, receiver, session, pipeline, trouble):
    """
    Whatever the webhook does, the app sees what plain requests shows, at once.
    """
    receiver.script("/hook", then=getattr(replies, trouble)())
    adapter = mount(
        session,
        receiver.url("/hook"),
        pipeline=pipeline,
        cooldown=None,
        batch=BatchPolicy(1, 0),
        transport=TransportPolicy(total=5),
    )
    for _ in range(5):
        response = session.get(api.url("/status/500"))
        assert response.status_code == 500
        assert response.elapsed.total_seconds() < 2
    adapter.flush(0.1)
    assert adapter.stats().balanced


# -- users' tests -----------------------------------------------------------------------------------------------------


@responses.activate
def test_an_app_mocked_by_responses_goes_on_working():
    """
    Mocked calls return what the mock says, failures are captured, and nothing leaves.
    """
    responses.get("https://api.example.com/fails", json={"error": "no"}, status=500)
    responses.get("https://api.example.com/breaks", body=requests.ConnectionError("mocked"))
    with testing.captured() as captured:
        session = requests.Session()
        mount(session, "https://hooks.example.com/abc")
        assert session.get("https://api.example.com/fails").json() == {"error": "no"}
        with pytest.raises(requests.ConnectionError, match="mocked"):
            session.get("https://api.example.com/breaks")
        assert [record.outcome for record in captured.records] == ["500", "ConnectionError"]
        assert all(command.startswith("curl ") for command in captured.commands)
    assert len(responses.calls) == 2


# -- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inspectors": ["not a url"]}, ["webhook URL"]),
        ({"inspectors": ["ftp://x/y"]}, ["http://"]),
        ({"inspectors": ["http://"]}, ["no host"]),
        ({"inspectors": ["http://x:99999/"]}, ["port"]),
        ({"inspectors": ["http://x/a b"]}, ["white space"]),
        ({"inspectors": ["https://hooks.slack.com/workflows/T0/xyz"]}, ["SlackInspector", "incoming webhook"]),
        ({"inspectors": ["https://discord.com/channels/1/abc"]}, ["DiscordInspector", "Copy Webhook URL"]),
        ({"inspectors": [42]}, ["inspectors", "int"]),
        ({"inspectors": 42}, ["inspectors", "int"]),
        ({"match": "5xx"}, ["match", "Match", "'5xx'"]),
        ({"capture": 5}, ["capture", "CapturePolicy"]),
        ({"redaction": None}, ["redaction", "UNREDACTED"]),
        ({"batch": 5}, ["batch", "BatchPolicy"]),
        ({"batch": None}, ["batch", "BatchPolicy"]),
        ({"retry": 3}, ["retry", "RetryPolicy", "max_retries="]),
        ({"retry": Retry(3)}, ["retry", "RetryPolicy", "max_retries="]),
        ({"fallbacks": [3]}, ["fallbacks"]),
        ({"fallback_after": -1}, ["fallback_after", "-1"]),
        ({"enabled": "yes"}, ["enabled", "True or False"]),
        ({"queue_size": 0}, ["queue_size", "1"]),
        ({"overflow": "random"}, ["overflow", "newest"]),
        ({"workers": True}, ["workers"]),
        ({"exit_timeout": float("nan")}, ["exit_timeout"]),
        ({"pipeline": "mine"}, ["pipeline", "Pipeline"]),
        ({"pipeline": Pipeline(), "workers": 3}, ["workers", "Pipeline(workers=3)"]),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_with_its_remedy(options, words):
    """
    A `ConfigurationError` names the argument, what is wrong with it, and what would be right.
    """
    with pytest.raises(ConfigurationError) as caught:
        CurlInterceptor(**options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BatchPolicy(size=0),
        lambda: BatchPolicy(seconds=-1),
        lambda: Cooldown(seconds=0),
        lambda: RateLimit(0, 1),
        lambda: RetryPolicy(retries=-1),
        lambda: RetryPolicy(wait=10, max_wait=5),
        lambda: RetryPolicy(jitter="full"),
        lambda: TransportPolicy(total=float("inf")),
        lambda: TransportPolicy(proxy="nonsense"),
        lambda: TransportPolicy(ca_bundle="/no/such/file"),
        lambda: CapturePolicy(content_types="json"),
        lambda: CapturePolicy(content_types=5),
        lambda: Match(statuses="5yy"),
        lambda: Match(statuses=99),
        lambda: Match(errors=[int]),
        lambda: Match(hosts="https://x/"),
        lambda: Match(sample=2),
        lambda: Match(predicate=3),
        lambda: Match(slower_than="2s"),
        lambda: Redaction(names="one text"),
        lambda: WebhookInspector(""),
        lambda: WebhookInspector("http://x/", label="https://x/secret"),
    ],
)
def test_an_impossible_number_is_refused(make):
    """
    Every policy checks itself.
    """
    with pytest.raises(ConfigurationError):
        make()


def test_an_unknown_keyword_names_its_neighbour():
    """
    A typing mistake is an error, not a setting that does nothing.
    """
    with pytest.raises(TypeError, match="did you mean 'cooldown'"):
        CurlInterceptor(cooldwon=None)
    with pytest.raises(TypeError, match="unknown keyword 'colour'"):
        CurlInterceptor(inspectors=WebhookInspector("http://x/", colour="red"))


def test_no_message_repeats_a_webhook_url():
    """
    Webhook URLs are secrets, also when they are wrong.
    """
    for url in [
        "https://discord.com/api/webhooks/1/s3cr3t/slack",
        "https://hooks.slack.com/services/T0/s3cr3t",
        "ftp://x/s3cr3t",
        "https://x:bad/s3cr3t",
        "https://x/s3cr3t\n",
    ]:
        with pytest.raises(ConfigurationError) as caught:
            CurlInterceptor(inspectors=url)
        assert "s3cr3t" not in str(caught.value)
    adapter = CurlInterceptor(inspectors="https://x/s3cr3t")
    assert "s3cr3t" not in repr(adapter) + repr(adapter.pipeline) + repr(adapter.stats())
    assert "s3cr3t" not in repr(WebhookInspector("https://x/s3cr3t"))


def test_keywords_of_the_adapter_pass_through():
    """
    Everything that `HTTPAdapter` takes, ours takes.
    """
    adapter = CurlInterceptor(max_retries=Retry(7), pool_connections=3, pool_maxsize=4, pool_block=True)
    assert adapter.max_retries.total == 7
    assert (adapter._pool_connections, adapter._pool_maxsize, adapter._pool_block) == (3, 4, True)
    assert CurlInterceptor(3, inspectors="http://x/")._pool_connections == 3


def test_off_is_off(api, session, receiver, monkeypatch):
    """
    Disabled by keyword, by the environment or by having no inspector left, it is a plain adapter.
    """
    url = receiver.url("/hook")
    monkeypatch.setenv("CURL_INTERCEPTOR_ENABLED", "0")
    by_environment = CurlInterceptor(inspectors=url)
    monkeypatch.delenv("CURL_INTERCEPTOR_ENABLED")
    for adapter in (
        by_environment,
        CurlInterceptor(inspectors=url, enabled=False),
        CurlInterceptor(inspectors=[None, ""]),
    ):
        session.mount("http://", adapter)
        assert session.get(api.url("/status/500")).status_code == 500
        assert adapter.flush(1)
        assert adapter.stats().accepted == 0
        assert adapter.pipeline.close()
    assert receiver.requests == []


def test_off_still_checks_its_keywords():
    """
    A mistake shows in development too, where it is switched off.
    """
    with pytest.raises(ConfigurationError):
        CurlInterceptor(inspectors="nonsense", enabled=False)


# -- mounting, copying ------------------------------------------------------------------------------------------------


def test_mount_takes_over_the_old_adapters_numbers(session):
    """
    Retries and pool sizes of each plain adapter are kept, unless said otherwise; a part of the web is not forgotten.
    """
    plain = mount(requests.Session(), "http://x/hook")
    session.mount("https://", HTTPAdapter(max_retries=5, pool_maxsize=7))
    session.mount("https://api.example.com/", HTTPAdapter(max_retries=9))
    adapter = mount(session, "http://x/hook", pool_maxsize=8)
    assert adapter.max_retries.total == 5
    assert adapter._pool_maxsize == 8
    assert session.get_adapter("https://a") is adapter
    assert session.get_adapter("http://a").max_retries.total == plain.max_retries.total == 0
    of_one_api = session.get_adapter("https://api.example.com/x")
    assert of_one_api.max_retries.total == 9
    assert of_one_api.pipeline is adapter.pipeline

    same = requests.Session()
    adapter = mount(same, "http://x/hook")
    assert same.get_adapter("https://a") is same.get_adapter("http://a") is adapter


def test_mount_refuses_to_replace_an_adapter_it_does_not_know(session):
    """
    Somebody's own adapter is not thrown away; the message says how to combine the two.
    """

    class Theirs(HTTPAdapter):
        pass

    session.mount("https://", Theirs())
    with pytest.raises(ConfigurationError, match=r"Mine\(CaptureMixin, Theirs\)"):
        mount(session, "http://x/hook")
    with pytest.raises(ConfigurationError, match="session"):
        mount("session", "http://x/hook")


def test_the_mixin_captures_for_another_adapter(api, session, pipeline):
    """
    `CaptureMixin` before another adapter's class leaves that adapter's doings as they are.
    """

    class Theirs(HTTPAdapter):
        def __init__(self, *args, greeting, **kwargs):
            self.greeting = greeting
            super().__init__(*args, **kwargs)

        def send(self, request, **kwargs):
            request.headers["X-Greeting"] = self.greeting
            return super().send(request, **kwargs)

    class Mine(CaptureMixin, Theirs):
        pass

    inspector = testing.RecordingInspector()
    session.mount("http://", Mine(greeting="hello", inspectors=inspector, pipeline=pipeline))
    assert session.get(api.url("/status/500")).request.headers["X-Greeting"] == "hello"
    assert ("X-Greeting", "hello") in inspector.records[0].request_headers


def test_a_copy_captures_and_a_foreign_pickle_is_plain(api, session, pipeline):
    """
    In its own process a copy or pickle is the same adapter; it carries no webhook URL, and elsewhere it just sends.
    """
    inspector = testing.RecordingInspector()
    hook = WebhookInspector("http://127.0.0.1:9/s3cr3t", match=Match(statuses=418))
    adapter = CurlInterceptor(inspectors=[inspector, hook], pipeline=pipeline, cooldown=None)
    data = pickle.dumps(adapter)
    assert b"s3cr3t" not in data
    for twin in (copy.copy(adapter), copy.deepcopy(adapter), pickle.loads(data)):
        session.mount("http://", twin)
        session.get(api.url("/status/500"))
    assert len(inspector.records) == 3

    del adapter, twin
    session.close()
    session.adapters.clear()
    gc.collect()
    orphan = pickle.loads(data)
    session.mount("http://", orphan)
    assert session.get(api.url("/status/500")).status_code == 500
    assert orphan.stats().accepted == 0
    assert len(inspector.records) == 3


def test_a_session_pickles(api):
    """
    Sessions are pickled by caches and by multiprocessing.
    """
    session = requests.Session()
    adapter = mount(session, testing.RecordingInspector(), max_retries=2)
    twin = pickle.loads(pickle.dumps(session))
    assert twin.get_adapter("http://x").max_retries.total == 2
    assert twin.get(api.url("/status/200")).status_code == 200
    assert twin.get_adapter("http://x").pipeline is adapter.pipeline


def test_nothing_of_the_app_is_kept(api, recording):
    """
    A record keeps no response, no raw object, no request and no exception alive.
    """
    import weakref

    session, inspector = recording
    response = session.get(api.url("/status/500"))
    kept = [weakref.ref(thing) for thing in (response, response.raw, response.request)]
    try:
        session.get(replies.refused_url())
    except requests.ConnectionError as error:
        kept.append(weakref.ref(error))
    assert len(inspector.records) == 2
    del response
    gc.collect()
    assert [ref() for ref in kept] == [None] * 4


def test_the_default_writes_redacted_commands_to_a_logger(api, session, caplog):
    """
    Without an inspector, failures are logged.
    """
    adapter = mount(session, cooldown=None)
    session.get(api.url("/status/500?token=hidden"))
    assert adapter.flush(5)
    (line,) = [entry for entry in caplog.records if entry.name == "curl_interceptor"]
    assert line.levelname == "WARNING"
    assert "curl -q" in line.getMessage()
    assert "hidden" not in line.getMessage()


def test_to_curl_by_hand(api):
    """
    A request, a prepared one, a response and a record give the command; secrets are hidden unless one says otherwise.
    """
    request = requests.Request("GET", api.url("/status/200?token=s3cr3t"))
    response = requests.get(request.url)
    for source in (request, request.prepare(), response, response.request):
        assert curl_interceptor.to_curl(source).startswith("curl ")
        assert "s3cr3t" not in curl_interceptor.to_curl(source)
        assert "s3cr3t" in curl_interceptor.to_curl(source, redaction=UNREDACTED)
    with pytest.raises(ConfigurationError, match="str"):
        curl_interceptor.to_curl("http://x/")
    with pytest.raises(ConfigurationError, match="posix"):
        curl_interceptor.to_curl(request, dialect="klingon")


# -- what reviews found -----------------------------------------------------------------------------------------------


def test_a_url_by_position_is_no_pool_size():
    """
    The most natural mistake is an error that names the keyword, not an adapter that breaks later.
    """
    for wrong in ("http://x/hook", ["http://x/hook"], WebhookInspector("http://x/hook")):
        with pytest.raises(ConfigurationError, match="say inspectors="):
            CurlInterceptor(wrong)
    with pytest.raises(ConfigurationError, match=r"retry=RetryPolicy"):
        CurlInterceptor(max_retries=RetryPolicy())
    with pytest.raises(ConfigurationError, match="pool_maxsize"):
        CurlInterceptor(pool_maxsize="x")


@pytest.mark.parametrize(
    ("keyword", "words"),
    [("retries", "retry=RetryPolicy"), ("timeout", "transport=TransportPolicy"), ("webhook_url", "inspectors=")],
)
def test_other_peoples_names_are_translated(keyword, words):
    """
    What is called otherwise elsewhere is named with what it is called here.
    """
    with pytest.raises(TypeError, match=words):
        CurlInterceptor(**{keyword: 3})


def test_an_inspector_checks_its_keywords_when_it_is_made():
    """
    A typing mistake in an inspector shows where it was made.
    """
    with pytest.raises(TypeError, match="did you mean 'batch'"):
        WebhookInspector("http://x/", bacth=3)
    with pytest.raises(ConfigurationError, match=r"say batch=BatchPolicy\(size=10"):
        WebhookInspector("http://x/", batch=10)
    with pytest.raises(ConfigurationError, match="name them all in one list"):
        CurlInterceptor(inspectors="http://x/", fallbacks=WebhookInspector("http://y/", fallbacks=print))


def test_no_message_or_repr_shows_a_secret_by_accident():
    """
    A webhook URL in the wrong place is not repeated, and an inspector is not pickled.
    """
    url = "https://hooks.example.com/s3cr3t"
    for options in (
        {"match": url},
        {"fallbacks": {url: 1}},
        {"batch": url},
        {"pipeline": url},
        {"inspectors": {1: url}},
    ):
        with pytest.raises((ConfigurationError, TypeError)) as caught:
            CurlInterceptor(**{"inspectors": "http://x/", **options})
        assert "s3cr3t" not in str(caught.value)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(WebhookInspector(url))
    inspector = WebhookInspector(url)
    assert copy.deepcopy([inspector])[0] is inspector
    adapter = CurlInterceptor(inspectors=url, fallbacks=WebhookInspector(url + "2"))
    assert "s3cr3t" not in repr(adapter._curl_interceptor.route)
    assert "s3cr3t" not in repr(TransportPolicy(proxy="http://user:s3cr3t@proxy:3128"))


def test_a_switch_in_the_environment_does_not_guess(monkeypatch):
    """
    Off is off in many words, and a word that is none of them is an error.
    """
    for word in ("0", "false", "NO", "off", "n", "disabled"):
        monkeypatch.setenv("CURL_INTERCEPTOR_ENABLED", word)
        assert CurlInterceptor(inspectors="http://x/")._capture is None
    monkeypatch.setenv("CURL_INTERCEPTOR_ENABLED", "perhaps")
    with pytest.raises(ConfigurationError, match="CURL_INTERCEPTOR_ENABLED"):
        CurlInterceptor(inspectors="http://x/")


def test_a_disabled_adapter_leaves_the_pipeline_of_the_process_alone(monkeypatch):
    """
    Its numbers are checked and not used.
    """
    monkeypatch.setattr("curl_interceptor.delivery.pipeline._default", None)
    CurlInterceptor(inspectors="http://x/", enabled=False, queue_size=5)
    assert CurlInterceptor(inspectors="http://x/", queue_size=6).pipeline.policy.queue_size == 6


def test_a_closed_pipeline_is_refused():
    """
    An adapter that could deliver nothing is a mistake.
    """
    closed = Pipeline()
    closed.close()
    with pytest.raises(ConfigurationError, match="closed"):
        CurlInterceptor(inspectors="http://x/", pipeline=closed)


def test_the_mixin_sends_by_the_class_behind_it(session, pipeline):
    """
    Also by one that is no `HTTPAdapter` and takes keywords of its own.
    """

    class Canned(requests.adapters.BaseAdapter):
        def __init__(self, **options):
            self.status = options.pop("status")
            super().__init__()

        def send(self, request, **kwargs):
            response = requests.Response()
            response.status_code, response.request, response.url = self.status, request, request.url
            return response

        def close(self):
            pass

    class Mine(CaptureMixin, Canned):
        pass

    inspector = testing.RecordingInspector()
    session.mount("canned://", Mine(status=503, inspectors=inspector, pipeline=pipeline))
    assert session.get("canned://x/").status_code == 503
    assert [record.status for record in inspector.records] == [503]


@pytest.mark.parametrize(
    "errors", [requests.RequestException, requests.exceptions.ChunkedEncodingError, "RequestException"]
)
def test_a_broken_body_is_matched_as_what_the_app_gets(api, session, pipeline, errors):
    """
    The exception classes of a match are those that the app can catch.
    """
    inspector = testing.RecordingInspector()
    mount(session, inspector, pipeline=pipeline, match=Match(errors=errors))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(api.url("/broken-body"))
    assert [record.outcome for record in inspector.records] == ["ChunkedEncodingError"]


def test_a_body_read_to_its_end_by_hand_is_over(api, session, pipeline):
    """
    Nobody waits five seconds for the end of a body that was read by `raw.read(n)`.
    """
    inspector = testing.RecordingInspector()
    mount(session, inspector, pipeline=pipeline, match=Match(statuses=200))
    response = session.get(api.url("/bytes/100"), stream=True)
    assert len(response.raw.read(100)) == 100
    (record,) = inspector.records
    assert (record.response_body_state, record.response_body_size) == ("complete", 100)


def test_one_unread_stream_keeps_nothing_else_alive(api, session, pipeline):
    """
    What is handed over is not kept beside a body that is still open.
    """
    adapter = mount(session, testing.RecordingInspector(), pipeline=pipeline, cooldown=None)
    open_one = session.get(api.url("/status/500"), stream=True)
    for _ in range(50):
        session.get(api.url("/status/500"))
    assert len(pipeline._dispatcher.open) == 1
    open_one.close()
    assert not pipeline._dispatcher.open
    assert adapter.flush(5)
    assert adapter.stats().accepted == 51


def test_a_stream_of_a_recording_is_recorded_whenever_it_ends(api, receiver, session, pipeline):
    """
    Who records is decided when the call is made.
    """
    adapter = mount(session, receiver.url("/hook"), pipeline=pipeline)
    with testing.captured() as captured:
        response = session.get(api.url("/status/500"), stream=True)
    response.close()
    assert adapter.flush(5)
    assert receiver.requests == []
    assert len(captured.records) == 1


def test_critical_is_not_sampled(api, session, pipeline):
    """
    What is critical is left to no chance.
    """
    critical, other = testing.RecordingInspector(critical=True), testing.RecordingInspector()
    mount(session, critical, other, pipeline=pipeline, match=Match(sample=0), cooldown=None)
    session.get(api.url("/status/500"))
    assert (len(critical.records), len(other.records)) == (1, 0)


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        (Match(include="/status/*"), True),
        (Match(include="/other/*"), False),
        (Match(exclude="/status/500"), False),
        (Match(exclude="*/other"), True),
        (Match(methods="GET,POST"), True),
        (Match(methods="PUT POST"), False),
        (Match(hosts="127.0.0.1"), True),
        (Match(hosts="127.0.0.1:1"), False),
        (Match(hosts=["*.example.com", "127.0.*"]), True),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_match_narrows_by_its_headline(api, session, pipeline, match, wanted):
    """
    Globs over the URL or its path, methods and hosts, one or several.
    """
    inspector = testing.RecordingInspector()
    mount(session, inspector, pipeline=pipeline, match=match)
    session.get(api.url("/status/500?x=1"))
    assert len(inspector.records) == wanted


@pytest.mark.parametrize(
    "make",
    [
        lambda: Match(include="api.example.com"),
        lambda: Match(exclude="health"),
        lambda: Match(statuses="500-400"),
        lambda: Match(statuses=[]),
        lambda: Match(errors=False),
        lambda: Match(methods="GET,P OST/"),
        lambda: Match(predicate=lambda: True),
        lambda: CapturePolicy(content_types=["json"]),
        lambda: CapturePolicy(content_types=[]),
        lambda: TransportPolicy(ca_bundle=False),
        lambda: Redaction(names=None),
        lambda: curl_interceptor.LoggingInspector("https://hooks.example.com/s3cr3t"),
        lambda: WebhookInspector("https://$HOOK/x"),
        lambda: WebhookInspector("https://<your-webhook-here>"),
    ],
)
def test_a_value_that_would_do_nothing_is_refused(make):
    """
    What could never match, keep or reach anything is a mistake.
    """
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "secret_url",
    [
        "http://h/?password=ab)cd'ef",
        "http://h/?token=" + "x" * 9_000 + "-tail",
        "http://h/?" + "n" * 300 + "_token=tail",
        "http://h/?token=abc;tail",
        "http://h/?a=1;token=tail",
    ],
)
def test_a_secret_of_a_query_is_hidden_whole(secret_url):
    """
    Quotes, brackets, semicolons and lengths end no secret early.
    """
    shown = curl_interceptor.to_curl(requests.Request("GET", secret_url))
    assert "tail" not in shown
    assert "cd" not in shown
    assert "REDACTED" in shown


def test_an_authorization_of_no_known_scheme_is_hidden_whole():
    """
    The first word may be the key.
    """
    for value in ("sk-live-SECRET extra", "SECRET"):
        request = requests.Request("GET", "http://h/", headers={"Authorization": value})
        assert "SECRET" not in curl_interceptor.to_curl(request)
    bearer = requests.Request("GET", "http://h/", headers={"Authorization": "Bearer SECRET"})
    assert "'Authorization: Bearer REDACTED'" in curl_interceptor.to_curl(bearer)


def test_a_password_of_a_proxy_without_scheme_is_hidden(session, pipeline):
    """
    requests takes such proxies, and so do environments.
    """
    inspector = testing.RecordingInspector()
    mount(session, inspector, pipeline=pipeline)
    with pytest.raises(requests.RequestException):
        session.get("http://h.invalid/", proxies={"http": "user:SECRET@127.0.0.1:9"})
    (record,) = inspector.records
    assert "SECRET" not in str(record)
    assert record.proxies == (("http", "http://127.0.0.1:9/"),)


def test_a_predicate_is_asked_once_for_a_record(api, session, pipeline):
    """
    However many inspectors share it and their redaction; with another redaction it sees another record.
    """
    asked = []

    def server_error(record):
        asked.append(record)
        return record.status == 500

    match = Match(statuses="4xx") | (Match(predicate=server_error) & ~Match(methods="POST"))
    inspectors = [testing.RecordingInspector(match=match) for _ in range(3)]
    stranger = testing.RecordingInspector(match=match, redaction=Redaction(names=["colour"]))
    adapter = mount(session, *inspectors, stranger, pipeline=pipeline, cooldown=None)
    for path in ("/status/500", "/status/404", "/status/200"):
        session.get(api.url(path))
    session.post(api.url("/status/500"))
    assert adapter.flush(2)

    for inspector in (*inspectors, stranger):
        assert [record.status for record in inspector.records] == [500, 404]
    assert [record.status for record in asked] == [500, 500, 200, 200]


def test_a_match_of_the_users_own_is_asked_about_every_call(api, session, pipeline):
    """
    Any object with a method `wants(record)`, for an adapter or an inspector, alone or joined with others.
    """

    class Mine:
        def wants(self, record):
            return record.url.endswith("/200")

    by_adapter, joined = testing.RecordingInspector(), testing.RecordingInspector(match=~Match() & Mine())
    mount(session, by_adapter, joined, pipeline=pipeline, match=Mine())
    for path in ("/status/200", "/status/204", "/status/500"):
        session.get(api.url(path))
    assert [record.status for record in by_adapter.records] == [200]
    assert [record.status for record in joined.records] == [200]


@pytest.mark.parametrize(
    "answer", [lambda record: waiting(), lambda record: Undecided()], ids=["awaitable", "no truth"]
)
def test_a_predicate_that_answers_nonsense_is_counted(api, session, pipeline, answer):
    """
    Neither something to wait for nor something without a truth value is a yes.
    """
    inspector = testing.RecordingInspector(match=Match(predicate=answer))
    adapter = mount(session, inspector, pipeline=pipeline)
    session.get(api.url("/status/500"))
    assert adapter.flush(2)
    assert inspector.records == []
    assert adapter.stats().errors == {"match": 1}


async def waiting() -> bool:
    return True


class Undecided:
    def __bool__(self) -> bool:
        raise ValueError
