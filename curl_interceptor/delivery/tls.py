"""Which certificates are trusted: one TLS context for each source of them, made on first use."""

from __future__ import annotations

import os
import ssl
import threading

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ..policies import TransportPolicy
from .trouble import Trouble

__all__ = ["context_for", "forget_after_fork"]


class _Contexts:
    """The contexts of this process. Making one takes 10 ms and more, so workers wait instead of making one each."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._made: dict[str, ssl.SSLContext] = {}

    def get(self, bundle: str) -> ssl.SSLContext:
        """Return the context that trusts the certificates of a file or directory."""
        with self._guard:
            if bundle not in self._made:
                self._made[bundle] = _make(bundle)
            return self._made[bundle]


# Empty until a worker needs it: a lock made at import would be gevent's or not, as the order of imports has it.
_process: dict[str, _Contexts] = {}
_inherited: list[_Contexts] = []


def context_for(policy: TransportPolicy) -> ssl.SSLContext:
    """Return the context that the policy, or the environment if it may speak, asks for."""
    contexts = _process.get("contexts") or _process.setdefault("contexts", _Contexts())
    return contexts.get(
        policy.ca_bundle or (_environment_bundle() if policy.trust_env else "") or DEFAULT_CA_BUNDLE_PATH
    )


def forget_after_fork() -> None:
    """Begin anew in a forked child; takes no lock.

    The parent's contexts are put aside, not freed: OpenSSL would lock them for that, and a thread that does not exist
    here may hold the lock.
    """
    _inherited.extend(_process.values())
    _process.clear()


def _environment_bundle() -> str:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""


def _make(bundle: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificates and host names unless told otherwise
    # As urllib3 and curl have it: an intermediate certificate in the bundle is trust enough.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["http/1.1"])
    is_directory = os.path.isdir(bundle)
    try:
        context.load_verify_locations(None if is_directory else bundle, bundle if is_directory else None)
    except OSError as error:
        raise Trouble(f"TLS: the CA bundle cannot be loaded: {type(error).__name__}") from None
    return context
