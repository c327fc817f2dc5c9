"""An attempt to deliver one payload to an address; the address's scheme chooses how.

Nothing else opens a socket for us. What an attempt needs is imported up front, here and in the modules below: an import
in a thread at the moment of a fork would leave the child with a module that is locked for ever.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Protocol

from ..errors import BadPayload, ConfigurationError, DeliveryError, Transient
from ..inspectors.base import Answer, Payload
from ..policies import TransportPolicy
from . import guard
from .apprise import AppriseTransport
from .console import ConsoleTransport
from .file import FileTransport
from .http import AnswerReader, Target, post_request
from .route import Connection, connect
from .stream import Deadline, is_quiet
from .tls import forget_after_fork
from .trouble import Elapsed, Silence, Trouble, Unusable, describe

__all__ = [
    "HttpTransport",
    "LoggerTransport",
    "NoTransport",
    "Transport",
    "check_scheme",
    "forget_after_fork",
    "open_transport",
    "register_scheme",
]


class Transport(Protocol):
    """Delivers payloads to one address. One thread at a time may post."""

    idle_since: float | None
    """Monotonic time of the last use if a connection is kept open, else None."""

    @property
    def abandoned(self) -> bool:
        """Whether nobody looks at the address any more, so that its lane may go at once."""

    def post(self, payload: Payload, timeout: float) -> Answer:
        """Make one attempt that ends within `timeout` seconds, and return the answer, whatever it says.

        Raises
        ------
        Transient
            If there is no answer. The text is safe to show.
        """

    def close(self) -> None:
        """Close a kept connection; the next attempt opens another one. Never blocks, and may be called at any time."""


Factory = Callable[[str, TransportPolicy], Transport]


class HttpTransport:
    """Posts to an `http` or `https` URL over one kept connection; nothing of it passes through requests or urllib3.

    The one thing that the timeout does not cut is the look-up of a name, which cannot be interrupted.
    """

    def __init__(self, address: str, policy: TransportPolicy) -> None:
        self._address = address
        self._policy = policy
        self._kept: Connection | None = None
        self.abandoned = False
        self.idle_since: float | None = None

    def post(self, payload: Payload, timeout: float) -> Answer:
        """Make one attempt; see `Transport`. A redirect is an answer like any other and is not followed."""
        kind: type[DeliveryError] = Transient
        try:
            return self._attempt(payload, Deadline(time.monotonic() + timeout))
        except Elapsed:
            trouble = f"timed out after {timeout:g} s"
        except Unusable as error:
            trouble, kind = str(error), BadPayload
        except Exception as error:  # tests of others replace sockets, and what those raise is anybody's
            trouble = describe(error)
        # Raised out here so that no context hangs on it, whose frames and texts know the address and the payload.
        raise kind(trouble)

    def close(self) -> None:
        """Close the kept connection, if there is one."""
        connection, self._kept, self.idle_since = self._kept, None, None
        if connection:
            connection.stream.close()

    def __del__(self) -> None:
        # A forked child drops its parent's transports; its copies of the sockets close without a word to the webhook.
        self.close()

    def _attempt(self, payload: Payload, deadline: Deadline) -> Answer:
        target = Target.of(payload.url or self._address)
        if connection := self._take(target):
            connection.stream.deadline.at = deadline.at
            try:
                return self._exchange(connection, target, payload)
            except Silence:
                pass  # It was closed while the request was on its way; that is nobody's failure.
        return self._exchange(connect(target, self._policy, deadline), target, payload)

    def _take(self, target: Target) -> Connection | None:
        connection, self._kept, self.idle_since = self._kept, None, None
        if connection and (connection.origin != target.origin or not is_quiet(connection.stream)):
            connection.stream.close()
            return None
        return connection

    def _exchange(self, connection: Connection, target: Target, payload: Payload) -> Answer:
        stream, reusable = connection.stream, False
        try:
            sent = self._send(connection, target, payload)
            reader = AnswerReader(stream.receive)
            answer = reader.answer()
            if connection.via is not None and answer.status == 407:
                raise Trouble("the proxy wants other credentials: HTTP 407")
            reusable = sent and reader.reusable
            return answer
        finally:
            if reusable:
                self._kept, self.idle_since = connection, time.monotonic()
            else:
                stream.close()

    def _send(self, connection: Connection, target: Target, payload: Payload) -> bool:
        """Send the request; False if the other side hung up before its end."""
        request = post_request(target, payload.body, payload.content_type, payload.headers, via=connection.via)
        try:
            connection.stream.send(request)
        except OSError:
            return False  # It may have said why, such as 413; where it has not, reading finds out.
        return True


class LoggerTransport:
    """Writes each payload as one line to the logger of an address such as `logging:my_app.calls:30`.

    The payload's headers may say another level, and what stands beside the text; see `LoggingInspector`.
    """

    abandoned = False
    idle_since: float | None = None

    def __init__(self, address: str, policy: TransportPolicy) -> None:
        # A name may hold colons; the level behind it, and the word for fields, do not.
        name, _, level = address.partition(":")[2].removesuffix(":fields").rpartition(":")
        self._logger = logging.getLogger(name)
        self._level = int(level) if level.isdigit() else logging.WARNING

    def post(self, payload: Payload, timeout: float) -> Answer:
        """Write the body and answer 200.

        Where no handler listens `logging` writes warnings to stderr, but not any more while the process ends.
        """
        if guard.exiting and not self._logger.hasHandlers():
            return Answer(410, {})
        try:
            beside = dict(payload.headers)
            fields = {"call": json.loads(beside["call"])} if "call" in beside else None
            line = payload.body.decode("utf-8", "backslashreplace")
            self._logger.log(int(beside.get("level", self._level)), "%s", line, extra=fields)
            return Answer(200, {})
        except Exception as error:  # a handler's or a filter's
            trouble = type(error).__name__
        raise Transient(trouble)

    def close(self) -> None:
        """Nothing is open."""


class NoTransport:
    """What the lane of an inspector has that is not made yet: nothing is ever posted by it."""

    abandoned = False
    idle_since: float | None = None

    def post(self, payload: Payload, timeout: float) -> Answer:
        """Refuse."""
        raise BadPayload("there is no inspector yet")

    def close(self) -> None:
        """Nothing is open."""


_factories: dict[str, Factory] = {
    "http": HttpTransport,
    "https": HttpTransport,
    "logging": LoggerTransport,
    "file": FileTransport,
    "console": ConsoleTransport,
    "apprise": AppriseTransport,
}


def register_scheme(scheme: str, factory: Factory) -> None:
    """Let `factory` make the transports of all addresses with this scheme."""
    _factories[scheme.lower()] = factory


def check_scheme(address: str) -> None:
    """Refuse an address for which there is no transport."""
    scheme = address.partition(":")[0].lower()
    if scheme not in _factories:
        raise ConfigurationError(f"addresses cannot begin with {scheme!r}: expected one of {sorted(_factories)}")


def open_transport(address: str, policy: TransportPolicy) -> Transport:
    """Return the transport of an address; it connects when it is first used."""
    check_scheme(address)
    return _factories[address.partition(":")[0].lower()](address, policy)
