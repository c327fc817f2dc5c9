"""
Letting Apprise deliver: the transport of `apprise:` addresses.

Apprise makes its own requests and blocks for as long as its services do. So each attempt has a thread of its own, which
is left behind when its time is over; while it is still at it, no other one begins.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from contextlib import suppress
from typing import Any

from ..errors import Transient
from ..inspectors.apprise import SAID_NO, hushed
from ..inspectors.base import Answer, Payload
from ..inspectors.held import held
from ..policies import TransportPolicy
from .guard import delivering
from .unseen import unseen

__all__ = ["AppriseTransport"]

_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")


class AppriseTransport:
    """Hands payloads to the service of an address such as `apprise:1f3a…`.

    Parameters
    ----------
    address: Which service; see `AppriseInspector`.
    policy: How long connecting may take.
    """

    abandoned = False
    idle_since: float | None = None

    def __init__(self, address: str, policy: TransportPolicy) -> None:
        self._address = address
        self._policy = policy
        self._thread: threading.Thread | None = None

    def post(self, payload: Payload, timeout: float) -> Answer:
        """Have it delivered, and answer with the status of the service, or 200 and `SAID_NO` where none is told."""
        service = held(self._address)
        if service is None:
            raise Transient("the inspector is gone")
        if self._thread is not None and self._thread.is_alive():
            raise Transient("the attempt before has not come back yet")
        service.socket_connect_timeout = min(self._policy.connect, timeout)
        service.socket_read_timeout = timeout
        attempt = _Attempt(service, payload)
        thread = threading.Thread(target=attempt.run, name="curl-interceptor-apprise", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # at the very end of the process none is started any more
            attempt.run()
        else:
            self._thread = thread
            thread.join(timeout)
        if attempt.trouble:
            raise Transient(attempt.trouble)
        if attempt.status is None:
            raise Transient(f"timed out after {timeout:g} s")
        return Answer(attempt.status, {})

    def close(self) -> None:
        """Nothing is kept open here."""


class _Attempt:
    """One call of Apprise; `status` is None until it has come back."""

    def __init__(self, service: Any, payload: Payload) -> None:
        self._service = service
        self._message = json.loads(payload.body)
        self.status: int | None = None
        self.trouble = ""

    def run(self) -> None:
        """Deliver, unseen by everybody."""
        message = self._message
        try:
            with delivering(), unseen(), hushed() as said:
                taken = self._service.notify(
                    body=message["body"],
                    title=message["title"],
                    notify_type=_type(message["type"]),
                    body_format=message["format"],
                )
        except BaseException as error:  # of anybody's plugin; its text may hold a URL
            self.trouble = type(error).__name__
        else:
            found = [int(status) for text in said for status in _STATUS.findall(text)]
            refused = [status for status in found if status >= 300]
            self.status = 200 if taken else refused[-1] if refused else SAID_NO


def _type(name: str) -> Any:
    """Return Apprise's own value where it has one: newer versions look for attributes of it."""
    with suppress(Exception):
        return sys.modules["apprise"].NotifyType(name)
    return name
