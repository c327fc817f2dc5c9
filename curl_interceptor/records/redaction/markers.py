"""What stands in the place of a secret, and tells nothing of it."""

from __future__ import annotations

import hashlib
import os
import threading

from ..patterns import lazy

__all__ = ["MARKER", "is_marker", "numbered"]

MARKER = "REDACTED"
"""Letters only: it needs no escaping in a URL, a header, JSON, XML or a shell."""

_MARKERS = lazy(r"REDACTED(?:-[0-9A-Z][0-9A-Z-]{0,80})?")
_MOST = 10_000

_salt = os.urandom(16)
_numbers: dict[bytes, int] = {}
_lock = threading.Lock()


def is_marker(value: str) -> bool:
    """Whether the value is one of our markers, which stays as it is."""
    return value.startswith(MARKER) and _MARKERS.fullmatch(value) is not None


def numbered(secret: str) -> str:
    """Return a marker that is the same for the same secret for as long as the process lives.

    Only a salted digest is kept, and of no more than ten thousand secrets; those that come later have no number.
    """
    digest = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=_salt, digest_size=16).digest()
    with _lock:
        number = _numbers.get(digest)
        if number is None and len(_numbers) < _MOST:
            number = _numbers[digest] = len(_numbers) + 1
    return MARKER if number is None else f"{MARKER}-{number}"
