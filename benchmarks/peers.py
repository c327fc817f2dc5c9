"""
What else a user could pick, set up as its documentation says; what is not installed is left out.

Two of them patch requests or `http.client` for the whole process. So that plain sessions stay plain, OpenTelemetry's
patched `send` is given to a class of sessions of its own, and Sentry's client is bound only while its own request runs.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import requests


class Variant(NamedTuple):
    """One row of the table: a session, the path that it asks for, and what surrounds each request, untimed."""

    session: requests.Session
    path: str
    around: Callable[[], AbstractContextManager[object]] = nullcontext


def peers(path: str, hook: str) -> dict[str, Variant]:
    """Return those that are installed."""
    found = {"hook and executor": Variant(_executor(hook), path)}
    for name, make in (("curlify in a hook", _curlify), ("OpenTelemetry", _opentelemetry), ("Sentry", _sentry)):
        with contextlib.suppress(ImportError):
            found[name] = make(path, hook)
    return found


def _plain() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _executor(hook: str) -> requests.Session:
    """A response hook that hands a POST for each failure to a `ThreadPoolExecutor`."""
    executor, own, session = ThreadPoolExecutor(4), _plain(), _plain()

    def failed(response: requests.Response, *_: object, **__: object) -> None:
        if response.status_code >= 400:
            executor.submit(own.post, hook, json={"method": response.request.method, "url": response.request.url})

    session.hooks["response"].append(failed)
    return session


def _curlify(path: str, _: str) -> Variant:
    """A response hook that makes a command of each failure, for a thread that takes it from a queue."""
    import curlify

    made: queue.Queue[str] = queue.Queue(10_000)
    session = _plain()

    def drain() -> None:
        while True:
            made.get()

    def failed(response: requests.Response, *_: object, **__: object) -> None:
        if response.status_code >= 400:
            made.put_nowait(curlify.to_curl(response.request))

    threading.Thread(target=drain, daemon=True).start()
    session.hooks["response"].append(failed)
    return Variant(session, path)


def _opentelemetry(path: str, hook: str) -> Variant:
    """Its instrumentation of requests, with batches sent by OTLP."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(hook)))
    RequestsInstrumentor().instrument(tracer_provider=provider)
    patched = requests.Session.send
    RequestsInstrumentor().uninstrument()
    session = type("Traced", (requests.Session,), {"send": patched})()
    session.trust_env = False
    return Variant(session, path)


def _sentry(path: str, hook: str) -> Variant:
    """Its breadcrumb and span of each call, in a transaction whose own cost is left out."""
    import sentry_sdk

    base = hook.split("//", 1)[1].split("/", 1)[0]
    sentry_sdk.init(f"http://key@{base}/1", traces_sample_rate=1.0)
    client = sentry_sdk.get_client()
    scope = sentry_sdk.get_global_scope()
    nobody = sentry_sdk.client.NonRecordingClient()
    scope.set_client(nobody)

    @contextmanager
    def around() -> Iterator[None]:
        scope.set_client(client)
        try:
            with sentry_sdk.start_transaction(name="benchmark"):
                yield
        finally:
            scope.set_client(nobody)

    return Variant(_plain(), path, around)
