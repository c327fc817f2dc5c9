"""From a `PreparedRequest` to plain facts: a few references and at most one slice, since the caller waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from ..policies import CapturePolicy
from ..records.exchange import BodyState, RawHeaders, RequestFacts
from .versions import URLLIB3_USER_AGENT

__all__ = ["request_facts", "snapshot"]

_ARGUMENTS = ("stream", "timeout", "verify", "cert", "proxies")


def request_facts(
    request: PreparedRequest, args: tuple[Any, ...], kwargs: Mapping[str, Any], policy: CapturePolicy
) -> RequestFacts:
    """Return the facts of a request.

    Parameters
    ----------
    request: What is sent.
    args, kwargs: What `HTTPAdapter.send` was called with besides the request.
    policy: How much of the body is kept.
    """
    options = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs} if args else kwargs
    body, state, size = _body(request, policy)
    proxies = options.get("proxies")
    return RequestFacts(
        request.method or "",
        request.url or "",
        snapshot(request.headers),
        body,
        state,
        size,
        None,
        None,
        options.get("timeout"),
        options.get("verify", True),
        options.get("cert"),
        tuple(proxies.items()) if proxies else (),
        URLLIB3_USER_AGENT,
    )


def snapshot(headers: Any) -> RawHeaders:
    """Return the headers as they are now: the same request may be sent again with others."""
    if type(headers) is CaseInsensitiveDict:
        store = getattr(headers, "_store", None)
        if store is not None:  # its values are the pairs that `items` would make anew, ten times as slowly
            return tuple(store.values())
    return tuple(headers.items()) if headers else ()


def _body(request: PreparedRequest, policy: CapturePolicy) -> tuple[bytes | str | None, BodyState, int | None]:
    body: Any = request.body
    if body is None:
        return None, "none", 0
    if not isinstance(body, (bytes, str, bytearray)):
        return None, "missing", None
    size = len(body) if not isinstance(body, str) or body.isascii() else None
    most = policy.request_body
    if not most or not _kept(request.headers, policy):
        return None, "missing" if body else "complete", size
    if len(body) > most:
        # A slice: a reference would keep a whole upload alive for as long as the exchange waits.
        body, state = body[:most], "cut"
    else:
        state = "complete"
    return bytes(body) if isinstance(body, bytearray) else body, state, size  # type: ignore[return-value]


def _kept(headers: Any, policy: CapturePolicy) -> bool:
    return policy.content_types is None or wanted_type(headers.get("Content-Type"), policy)


def wanted_type(content_type: Any, policy: CapturePolicy) -> bool:
    """Whether the policy wants bodies of this content type."""
    if policy.content_types is None or not content_type:
        return True
    if isinstance(content_type, bytes):
        content_type = content_type.decode("latin-1")
    return str(content_type).strip().lower().startswith(tuple(policy.content_types))
