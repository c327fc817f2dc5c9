"""The way to a target: straight, or through the proxy that the policy or the environment names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from ..policies import TransportPolicy
from .http import AnswerReader, Header, Target, basic, head
from .stream import Deadline, Stream, TlsStream, dial
from .tls import context_for
from .trouble import Trouble

__all__ = ["Connection", "connect"]


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """An HTTP proxy; without a `repr`, for its headers hold credentials."""

    secure: bool
    host: str
    port: int
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """An open way to an origin.

    `via` are the headers for a proxy that forwards each request; None where there is no such proxy.
    """

    stream: Stream
    origin: tuple[str, str, int]
    via: Iterable[Header] | None


def connect(target: Target, policy: TransportPolicy, deadline: Deadline) -> Connection:
    """Return a fresh connection to the target's origin."""
    proxy = _proxy_for(target, policy)
    next_stop = proxy or target
    # Before the first byte, so that certificates that cannot be loaded cost no connection.
    context = context_for(policy) if target.secure or next_stop.secure else None
    stream: Stream = dial(next_stop.host, next_stop.port, policy.connect, deadline)
    try:
        if proxy and proxy.secure and context:
            stream = TlsStream(stream, context, proxy.host)
        if proxy and target.secure:
            _tunnel(stream, target, proxy)
        if target.secure and context:
            stream = TlsStream(stream, context, target.host)
    except BaseException:
        stream.close()
        raise
    return Connection(stream, target.origin, proxy.headers if proxy and not target.secure else None)


def _tunnel(stream: Stream, target: Target, proxy: Proxy) -> None:
    headers = (("Host", target.endpoint), *proxy.headers)
    stream.send(head(f"CONNECT {target.endpoint} HTTP/1.1", headers))
    # In TLS we have the first word, so nothing of it can have been read along with the head.
    status, _ = AnswerReader(stream.receive).head()
    if not 200 <= status < 300:
        raise Trouble(f"the proxy refuses the tunnel: HTTP {status}")


def _proxy_for(target: Target, policy: TransportPolicy) -> Proxy | None:
    url = policy.proxy or (_environment_proxy(target) if policy.trust_env else None)
    if not url:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        scheme, host = parts.scheme.lower(), parts.hostname or ""
        port = parts.port or {"http": 80, "https": 443}.get(scheme, 0)
    except ValueError:
        raise Trouble("the proxy's URL cannot be used") from None
    if scheme.startswith("socks"):
        raise Trouble(
            "SOCKS proxies are not supported for deliveries: name an HTTP proxy, or exempt the host in NO_PROXY"
        )
    if not host or not port:
        raise Trouble("the proxy's URL cannot be used")
    credentials = basic(parts.username, parts.password)
    return Proxy(scheme == "https", host, port, (("Proxy-Authorization", credentials),) if credentials else ())


def _environment_proxy(target: Target) -> str | None:
    # Without path and userinfo: the rules only look at scheme, host and port.
    origin = f"{target.scheme}://{target.endpoint}/"
    return select_proxy(origin, get_environ_proxies(origin, no_proxy=None))
