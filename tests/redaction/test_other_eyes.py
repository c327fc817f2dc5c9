"""
Other people's instrumentation of the process sees nothing of our deliveries, and does not stand in their way.

Each test has the real library at work. The calls of the app stay visible to it: only ours do not exist.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.api import Api
from support.receiver import Receiver

import curl_interceptor
from curl_interceptor import BatchPolicy, RetryPolicy, WebhookInspector
from curl_interceptor.delivery.pipeline import Pipeline

PATH = "services-T0-very-secret-path"
SECRET = "s3cr3t-of-the-app-4711"


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


class Delivery:
    """An app's failing call, and the delivery of its record, also to a webhook that is down."""

    def __init__(self, api: Api, receiver: Receiver, pipeline: Pipeline, session: requests.Session) -> None:
        self.api, self.receiver, self.session = api, receiver, session
        self.url = receiver.url(f"/{PATH}")
        options: dict[str, Any] = {"batch": BatchPolicy(1, 0), "cooldown": None, "retry": RetryPolicy(retries=0)}
        dead = WebhookInspector(f"http://127.0.0.1:9/{PATH}", label="dead")
        self.adapter = curl_interceptor.mount(session, WebhookInspector(self.url), dead, pipeline=pipeline, **options)

    @property
    def port(self) -> str:
        """The port of the webhook, by which its connections would be known."""
        return self.receiver.url().rpartition(":")[2].strip("/")

    def run(self) -> None:
        """Call and deliver; what arrived is checked, what was seen is up to the test."""
        headers = {"Authorization": f"Bearer {SECRET}"}
        assert self.session.get(self.api.url("/status/500"), headers=headers).status_code == 500
        self.adapter.flush(0.7)  # the dead one stays pending
        delivered = {lane.label: lane.delivered for lane in self.adapter.stats().inspectors}
        assert sum(delivered.values()) >= 1, delivered


@pytest.fixture
def delivery(api: Api, receiver: Receiver, pipeline: Pipeline, session: requests.Session) -> Delivery:
    return Delivery(api, receiver, pipeline, session)


def assert_unseen(seen: str) -> None:
    assert PATH not in seen
    assert "127.0.0.1:9/" not in seen
    assert '"fingerprint"' not in seen


def test_root_logging_at_debug_shows_no_delivery(delivery: Delivery, caplog: pytest.LogCaptureFixture) -> None:
    """
    With everything logged at DEBUG, neither a webhook's URL nor a payload is in a log line.
    """
    caplog.set_level(logging.DEBUG)
    delivery.run()
    seen = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "/status/500" in seen, "the app's own call is in urllib3's log"
    assert_unseen(seen)
    assert SECRET not in seen


def test_sentry_sees_no_delivery(delivery: Delivery) -> None:
    """
    No event, breadcrumb or span of Sentry's knows a webhook, also within a transaction and with local variables.
    """
    sentry_sdk = pytest.importorskip("sentry_sdk")
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.integrations.socket import SocketIntegration
    from sentry_sdk.transport import Transport

    seen: list[str] = []

    class Kept(Transport):  # type: ignore[misc, valid-type]
        def capture_envelope(self, envelope: Any) -> None:
            seen.extend(item.get_bytes().decode() for item in envelope.items)

    sentry_sdk.init(
        dsn="https://key@sentry.example.com/1",
        transport=Kept,
        traces_sample_rate=1.0,
        attach_stacktrace=True,
        include_local_variables=True,
        max_request_body_size="always",
        integrations=[LoggingIntegration(level=logging.DEBUG, event_level=logging.WARNING), SocketIntegration()],
    )
    try:
        with sentry_sdk.start_transaction(op="test", name="app"):
            delivery.run()
            logging.getLogger("app").error("an error of the app")
        sentry_sdk.capture_message("afterwards")
        sentry_sdk.flush()
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.init()
    text = "\n".join(seen)
    assert "/status/500" in text, "the app's own call is a span"
    assert_unseen(text)
    transactions = [json.loads(item) for item in seen if '"type":"transaction"' in item.replace(" ", "")]
    port = delivery.port
    assert transactions
    assert not any(port in json.dumps(one.get("spans")) for one in transactions), "not even a connection is a span"


def test_opentelemetry_sees_no_delivery(delivery: Delivery) -> None:
    """
    No span of OpenTelemetry's is about a delivery, with requests and urllib3 instrumented.
    """
    pytest.importorskip("opentelemetry.instrumentation.requests")
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentors = (RequestsInstrumentor(), URLLib3Instrumentor())
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    try:
        with provider.get_tracer("app").start_as_current_span("app"):
            delivery.run()
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
    spans = "\n".join(span.to_json() for span in exporter.get_finished_spans())
    assert "/status/500" in spans, "the app's own call is a span"
    assert_unseen(spans)
    assert delivery.port not in spans


def test_an_app_with_responses_gets_its_deliveries(delivery: Delivery) -> None:
    """
    While `responses` answers the app's calls, deliveries are neither blocked nor recorded.
    """
    responses = pytest.importorskip("responses")
    with responses.RequestsMock() as mock:
        mock.add(responses.GET, delivery.api.url("/status/500"), status=500)
        delivery.run()
        urls = [call.request.url for call in mock.calls]
    assert urls == [delivery.api.url("/status/500")]


def test_a_cassette_of_vcrpy_holds_no_delivery(delivery: Delivery, tmp_path: Path) -> None:
    """
    While vcrpy records the app's calls, deliveries are neither blocked nor on its cassette.
    """
    vcr = pytest.importorskip("vcr")
    cassette = tmp_path / "cassette.yaml"
    with vcr.use_cassette(str(cassette), record_mode="all"):
        delivery.run()
    text = cassette.read_text()
    assert "/status/500" in text, "the app's own call is recorded"
    assert_unseen(text)
    assert delivery.port not in text
