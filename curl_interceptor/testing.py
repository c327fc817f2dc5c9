"""
For the tests of an app that uses this library: look at what would have been delivered, and deliver nothing.

With pytest nothing needs to be set up: the plugin records in every test, unless it is marked
`curl_interceptor_delivers`. `captured()` shows what was recorded.
"""

from __future__ import annotations

import base64
import itertools
import json
import logging
import weakref
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from . import dialects, recording
from .checking import check_inspector
from .delivery.destination import Destination
from .delivery.pipeline import pipelines
from .delivery.transport import Transport, register_scheme
from .dialects import render
from .errors import ConfigurationError
from .inspectors.base import Answer, Entry, Inspector, Payload
from .policies import BatchPolicy, TransportPolicy
from .records.notice import Notice
from .records.record import Record

__all__ = ["Captured", "RecordingInspector", "assert_absent", "captured", "check_inspector", "delivering"]

_SCHEME = "recording"
_numbers = itertools.count(1)
_recordings: weakref.WeakValueDictionary[str, _Recording] = weakref.WeakValueDictionary()


class _Recording:
    """Where the entries of one recording lie."""

    def __init__(self) -> None:
        self.address = f"{_SCHEME}:{next(_numbers)}"
        self.entries: list[Entry] = []
        self.payloads: list[Payload] = []
        _recordings[self.address] = self


class _MemoryTransport:
    """Delivers into a recording; what nobody looks at any more is thrown away."""

    idle_since: float | None = None

    @property
    def abandoned(self) -> bool:
        """Whether the recording is gone."""
        return self._address not in _recordings

    def __init__(self, address: str, policy: TransportPolicy) -> None:
        self._address = ":".join(address.split(":")[:2])

    def post(self, payload: Payload, timeout: float) -> Answer:
        found = _recordings.get(self._address)
        if found is not None:
            found.entries.extend(payload.entries)
            found.payloads.append(payload)
        return Answer(200, {})

    def close(self) -> None:
        """There is nothing to close."""


def _transport(address: str, policy: TransportPolicy) -> Transport:
    return _MemoryTransport(address, policy)


register_scheme(_SCHEME, _transport)


class RecordingInspector(Inspector):
    """Keeps entries in a list instead of sending them anywhere.

    Parameters
    ----------
    options: The keywords of `Inspector`.
    """

    kind = "recording"

    def __init__(self, **options: Any) -> None:
        self._recording = _Recording()
        super().__init__(self._recording.address, **options)

    def check_address(self, address: str) -> str:
        """The address is our own."""
        return address

    def default_label(self) -> str:
        """Return the address: it is no secret."""
        return self.address

    @property
    def entries(self) -> list[Entry]:
        """What was delivered so far, records and notices; waits up to 5 s for what is on its way."""
        _settle()
        return list(self._recording.entries)

    @property
    def records(self) -> list[Record]:
        """The records among them."""
        return [entry for entry in self.entries if isinstance(entry, Record)]

    @property
    def notices(self) -> list[Notice]:
        """The notices among them: what was sent by hand."""
        return [entry for entry in self.entries if isinstance(entry, Notice)]

    @property
    def commands(self) -> list[str]:
        """The curl commands of the records."""
        return [render(record) for record in self.records]

    def clear(self) -> None:
        """Forget what was delivered so far."""
        _settle()
        self._recording.entries.clear()

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return one payload that holds the entries."""
        return [Payload(tuple(entries), b"", "application/octet-stream")]


class Captured:
    """What was captured while the block of `captured()` ran."""

    def __init__(self) -> None:
        self._recording = _Recording()
        self._stand_ins: dict[str, Destination] = {}

    def destination(self, destination: Destination) -> Destination:
        """Return the stand-in of a destination: the same inspector, whose lane ends in this recording."""
        inspector = destination.inspector
        if isinstance(inspector, RecordingInspector):
            return destination  # it records already, where its owner looks
        key = inspector.address
        if key not in self._stand_ins:
            stand_in = _StandIn(inspector, f"{self._recording.address}:{len(self._stand_ins)}")
            policies = replace(destination.policies, batch=BatchPolicy(1, 0), rate_limit=None)
            # without fallbacks: they are other people's channels, too
            self._stand_ins[key] = replace(
                destination, inspector=stand_in, policies=policies, fallbacks=(), making=None
            )
        return self._stand_ins[key]

    @property
    def entries(self) -> list[Entry]:
        """Records and notices, in the order of their delivery; waits up to 5 s for what is on its way."""
        _settle()
        return list(self._recording.entries)

    @property
    def records(self) -> list[Record]:
        """The records among them."""
        return [entry for entry in self.entries if isinstance(entry, Record)]

    @property
    def notices(self) -> list[Notice]:
        """The notices among them: what was sent by hand."""
        return [entry for entry in self.entries if isinstance(entry, Notice)]

    @property
    def commands(self) -> list[str]:
        """The curl commands of the records."""
        return [render(record) for record in self.records]

    @property
    def payloads(self) -> list[Payload]:
        """What would have been posted; waits up to 5 s for what is on its way."""
        _settle()
        return list(self._recording.payloads)

    def clear(self) -> None:
        """Forget what was captured so far."""
        _settle()
        self._recording.entries.clear()
        self._recording.payloads.clear()

    def __len__(self) -> int:
        return len(self.records)


class _StandIn(Inspector):
    """An inspector whose payloads go into a recording. They are rendered all the same, so that a mistake shows."""

    def __init__(self, inspector: Inspector, address: str) -> None:
        self._inspector = inspector
        super().__init__(address, label=inspector.label, critical=inspector.critical)

    def check_address(self, address: str) -> str:
        return address

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        return self._inspector.payloads(entries, plain=plain)


@contextmanager
def captured() -> Iterator[Captured]:
    """Record what every adapter of the process captures while the block runs, and deliver nothing of it.

    Matches, cooldowns and redaction work as they do in earnest; batches and rate limits do not wait.

    Yields
    ------
    Captured
        With the `records` and their `commands`.
    """
    recorder = Captured()
    with _recording_by(recorder):
        yield recorder


@contextmanager
def assert_absent(secrets: Collection[str]) -> Iterator[Captured]:
    """Fail if a secret leaves the process while the block runs, by whatever exit of ours.

    What is captured is recorded as by `captured()`. Looked at are the records and notices, the commands in every
    dialect, the payloads, what this library logs, and what pipelines and their statistics say of themselves. A secret
    is found as it is, and as it would stand in JSON, in a URL and in base64. What the app and other libraries log is
    their own affair.

    Parameters
    ----------
    secrets: What must not be seen, such as the password that the test logs in with.

    Yields
    ------
    Captured
        As `captured()` does.

    Raises
    ------
    AssertionError
        At the end of the block; it says where a secret was seen, and not what it is.
    """
    if isinstance(secrets, (str, bytes)) or not all(isinstance(secret, str) and secret for secret in secrets):
        raise ConfigurationError("secrets must be a list of texts that are not empty, such as ['s3cr3t']")
    with _logged() as lines, captured() as recorder:
        yield recorder
        exits = list(_exits(recorder, lines))
    for number, secret in enumerate(secrets, 1):
        for place, text in exits:
            if any(writing in text for writing in _writings(secret)):
                raise AssertionError(f"secret {number} of {len(secrets)} was seen in {place}")


def _exits(recorder: Captured, lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield everything that leaves, and a name for it."""
    for record in recorder.records:
        title = f"the record of {record.method} {record.host}"
        yield title, repr(record)
        yield from ((title, body.decode("utf-8", "replace")) for body in _bodies(record))
        for dialect in dialects.names():
            yield f"the {dialect} command of {record.method} {record.host}", render(record, dialect=dialect)
    yield from ((f"a {notice.kind}", repr(notice)) for notice in recorder.notices)
    for payload in recorder.payloads:
        yield "a payload", payload.body.decode("utf-8", "replace")
        yield "a payload's headers", repr(payload.headers)
    for pipeline in pipelines():
        yield "the statistics", repr(pipeline.stats())
        yield "the repr of a pipeline", repr(pipeline)
    yield from (("a log record", line) for line in lines)


def _bodies(record: Record) -> Iterator[bytes]:
    for body in (record.request_body, record.response_body):
        if body:
            yield body


def _writings(secret: str) -> set[str]:
    """How a secret may be written down."""
    code = secret.encode("utf-8", "surrogatepass")
    # The end of the base64 depends on what follows, so it is left out.
    whole = base64.b64encode(code[: len(code) // 3 * 3]).decode("ascii")
    writings = {secret, json.dumps(secret)[1:-1], quote(code, safe=""), quote_plus(code)}
    return writings | {whole} if len(whole) > 4 else writings


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect what is logged by us, at every level."""
    lines: list[str] = []
    handler = _Lines(lines)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET + 1)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class _Lines(logging.Handler):
    """Keeps records as text, with the traceback if there is one."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        thread = record.threadName or ""
        if record.name.startswith("curl_interceptor") or thread.startswith("curl-interceptor"):
            self._lines.append(self.format(record))


@contextmanager
def delivering() -> Iterator[None]:
    """Deliver in earnest while the block runs, also inside of `captured()` and under the pytest plugin."""
    with _recording_by(None):
        yield


@contextmanager
def _recording_by(recorder: Captured | None) -> Iterator[None]:
    before, recording.current = recording.current, recorder
    try:
        yield
    finally:
        recording.current = before


def _settle(timeout: float = 5.0) -> None:
    for pipeline in pipelines():
        if not pipeline.closed:
            pipeline.flush(timeout)
