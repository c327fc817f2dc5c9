"""The addresses where records are delivered: each is a secret, however ordinary its path looks."""

from __future__ import annotations

from collections import OrderedDict

from ..patterns import lazy
from ..url import DEFAULT_PORT, Parts, split

__all__ = ["found_in", "is_ours", "remember"]

_MOST = 10_000
_URL = lazy(r"""//[^\s"'<>`\\#]+""")

# Of the whole process: a call to one adapter's webhook may be captured by another adapter.
_known: OrderedDict[str, None] = OrderedDict()


def remember(address: str) -> None:
    """Let this address be hidden from now on, wherever it stands. What is no URL of HTTP has nothing to hide."""
    parts = split(address)
    if parts.scheme in DEFAULT_PORT and (parts.path != "/" or parts.query):
        _known[_key(parts, parts.query if parts.path == "/" else "")] = None
        while len(_known) > _MOST:
            _known.popitem(last=False)


def is_ours(parts: Parts) -> bool:
    """Whether records are delivered there; a parameter more or less makes no other webhook of it."""
    if not _known or not parts.host:
        return False
    return _key(parts, parts.query if parts.path == "/" else "") in _known


def found_in(text: str) -> list[str]:
    """Return what of a text may be one of them."""
    if not _known or "//" not in text:
        return []
    return [found[0] for found in _URL.finditer(text) if is_ours(split(f"http:{found[0]}"))]


def _key(parts: Parts, query: str) -> str:
    """Without the scheme: the same path is as secret behind the other one."""
    port = "" if parts.port.lstrip(":0") in DEFAULT_PORT.values() else parts.port
    return f"{parts.host}{port}{parts.path.rstrip('/')}{query}"
