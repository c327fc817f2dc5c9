"""
Who may look: whoever knows the token, or else this machine alone.

Behind a reverse proxy every request comes from the proxy's address, often 127.0.0.1, so an address alone proves little.
Without a token a request is let in only if it comes from loopback, names loopback as its host, and bears no trace of a
proxy. One that leaves no trace cannot be told from a person on the machine: who has one sets a token.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from ..errors import ConfigurationError
from ..policies import shown

__all__ = ["Access"]

# What proxies add: any of these names, or of these beginnings of names, means that the request was passed on.
_TRACES = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_CLIENT_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_X_", "HTTP_CF_", "HTTP_FASTLY_")
_NO_TRACES = frozenset({"HTTP_X_REQUESTED_WITH", "HTTP_X_PROMETHEUS_SCRAPE_TIMEOUT_SECONDS"})


class Access:
    """Lets a request in or not.

    Parameters
    ----------
    token: What to send as `Authorization: Bearer …`; None lets loopback in instead.

    Raises
    ------
    ConfigurationError
        If the token cannot be sent.
    """

    def __init__(self, token: str | None) -> None:
        if token is not None and not (isinstance(token, str) and token.isascii() and token.isprintable()):
            got = "a text with other characters" if isinstance(token, str) else shown(token)
            raise ConfigurationError(f"token must be a text of printable ASCII characters, got {got}")
        if token is not None and (not token or " " in token):
            raise ConfigurationError(
                "token is empty or has a space in it; say token=None to let only this machine in, "
                "or make one with secrets.token_urlsafe()"
            )
        self._token = None if token is None else token.encode("ascii")

    def refusal(self, environ: Mapping[str, Any]) -> str | None:
        """Return the HTTP status with which a request is refused, None if it is let in."""
        if self._token is not None:
            return None if self._knows_token(environ) else "401 Unauthorized"
        return None if _is_from_here(environ) else "403 Forbidden"

    def _knows_token(self, environ: Mapping[str, Any]) -> bool:
        scheme, _, given = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        # The servers' texts stand for bytes; the comparison takes as long for a wrong token as for a right one.
        token = given.strip().encode("utf-8", "replace")
        return hmac.compare_digest(token, self._token or b"") and scheme.lower() == "bearer"

    def __repr__(self) -> str:
        return "Access(by token)" if self._token is not None else "Access(loopback)"


def _is_from_here(environ: Mapping[str, Any]) -> bool:
    traces = (name for name in environ if name.startswith(_TRACES) and name not in _NO_TRACES)
    # Proxies of the old kind speak HTTP/1.0 to what is behind them, and nothing else on the machine does.
    old = environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
    host = environ.get("HTTP_HOST") or "localhost"
    return _is_loopback(environ.get("REMOTE_ADDR", "")) and _names_loopback(host) and not old and not any(traces)


def _is_loopback(address: object) -> bool:
    try:
        found = ip_address(str(address).partition("%")[0])
    except ValueError:  # a socket in the file system has no address
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _names_loopback(host: str) -> bool:
    """Whether a `Host` header names this machine; a page in a browser here, or a proxy, brings another name."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    return name.rstrip(".") == "localhost" or _is_loopback(name)
