"""Curl commands by hand: capture, redaction and dialect in one call, without an adapter."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import cast

import requests

from .capture.draft import Draft, Sink
from .dialects import Style, refuse, render
from .errors import ConfigurationError
from .policies import CapturePolicy, check_policy
from .records.record import Record
from .records.redaction import Redaction, redact

__all__ = ["to_curl"]

_WHOLE = CapturePolicy(request_body=16 * 1024 * 1024)
_DEFAULT = Redaction()
_NOWHERE = cast("Sink", None)  # the draft is used at once and never handed over


def to_curl(
    source: requests.PreparedRequest | requests.Request | requests.Response | Record,
    *,
    dialect: str = "posix",
    style: Style = "exact",
    redaction: Redaction = _DEFAULT,
) -> str:
    """Return the command that sends a request again.

    An adapter sees more than a request shows by itself: certificates, proxies, timeouts, and bodies that are consumed
    by the sending. A record of an adapter has been redacted already. What cannot be sent again gives a comment that
    says why.

    Parameters
    ----------
    source: A request, prepared or not, a response (its request is taken), or a record.
    dialect: Name of the dialect, as for `render`. Default `"posix"`.
    style: `"exact"` (the default), `"readable"` or `"compact"`.
    redaction: What is hidden. Default `Redaction()`. To hide nothing say `UNREDACTED`.

    Raises
    ------
    ConfigurationError
        If an argument cannot be used.
    """
    check_policy("redaction", redaction, Redaction, hint="to hide nothing say UNREDACTED")
    if isinstance(source, Record):
        return render(source, dialect=dialect, style=style)
    if isinstance(source, requests.Response):
        source = source.request
    if not isinstance(source, (requests.Request, requests.PreparedRequest)):
        raise ConfigurationError(f"to_curl() takes a request, a response or a record, got a {type(source).__name__}")
    try:
        record = _record(source, redaction)
    except Exception as error:  # anything may have been put into a request by hand
        return refuse(f"requests could not send this request ({type(error).__name__})", dialect=dialect, style=style)
    return render(record, dialect=dialect, style=style)


def _record(request: requests.Request | requests.PreparedRequest, redaction: Redaction) -> Record:
    prepared = request.prepare() if isinstance(request, requests.Request) else request
    if not isinstance(prepared.headers, Mapping):
        raise TypeError(prepared.headers)
    draft = Draft(_NOWHERE, _WHOLE, prepared, ((), {}), time.perf_counter(), 0.0)
    return redact(draft.exchange(), redaction, id="")
