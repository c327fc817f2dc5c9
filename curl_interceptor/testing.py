"""
For the tests of an app that uses this library: look at what would have been delivered, and deliver nothing.

With pytest nothing needs to be set up: the plugin records in every test, unless it is marked
`curl_interceptor_delivers`. `captured()` shows what was recorded.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from . import recording
from .delivery.destination import Destination
from .delivery.pipeline import pipelines
from .delivery.transport import Transport, register_scheme
from .dialects import render
from .inspectors.base import Answer, Entry, Inspector, Payload
from .policies import BatchPolicy, TransportPolicy
from .records.record import Record

__all__ = ["Captured", "RecordingInspector", "captured", "delivering"]

_SCHEME = "recording"
_numbers = itertools.count(1)
_recordings: weakref.WeakValueDictionary[str, _Recording] = weakref.WeakValueDictionary()


class _Recording:
    """Where the entries of one recording lie."""

    def __init__(self) -> None:
        self.address = f"{_SCHEME}:{next(_numbers)}"
        self.entries: list[Entry] = []
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
        return Answer(200, {})

    def close(self) -> None:
        """There is nothing to close."""


def _transport(address: str, policy: TransportPolicy) -> Transport:
    return _MemoryTransport(address, policy)


register_scheme(_SCHEME, _transport)


class RecordingInspector(Inspector):
    """Keeps records in a list instead of sending them anywhere.

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
    def records(self) -> list[Record]:
        """What was delivered so far; waits up to 5 s for what is on its way."""
        _settle()
        return list(self._recording.entries)

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
            self._stand_ins[key] = replace(destination, inspector=stand_in, policies=policies)
        return self._stand_ins[key]

    @property
    def records(self) -> list[Record]:
        """The records, in the order of their delivery; waits up to 5 s for what is on its way."""
        _settle()
        return list(self._recording.entries)

    @property
    def commands(self) -> list[str]:
        """The curl commands of the records."""
        return [render(record) for record in self.records]

    def clear(self) -> None:
        """Forget what was captured so far."""
        _settle()
        self._recording.entries.clear()

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
