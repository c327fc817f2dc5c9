"""Signing what is posted, so that a receiver knows from whom it comes: Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from ..errors import ConfigurationError
from .base import Entry

__all__ = ["Signature"]

_PREFIX = "whsec_"


class Signature:
    """Makes the headers of Standard Webhooks (https://www.standardwebhooks.com, symmetric signatures, `v1`).

    Parameters
    ----------
    secret:
        `"whsec_"` and 24 to 64 bytes in base64, as the receiver has it.

    Raises
    ------
    ConfigurationError
        If it is none; the message does not repeat it.
    """

    def __init__(self, secret: object) -> None:
        remedy = "say 'whsec_' and 24 to 64 bytes in base64, as the receiver has it"
        if not isinstance(secret, str) or not secret.startswith(_PREFIX):
            raise ConfigurationError(f"secret must be a text that begins with 'whsec_'; {remedy}")
        try:
            self._key = base64.b64decode(secret[len(_PREFIX) :], validate=True)
        except (binascii.Error, ValueError):
            raise ConfigurationError(f"secret is no base64; {remedy}") from None
        if not 24 <= len(self._key) <= 64:
            raise ConfigurationError(f"secret has {len(self._key)} bytes; {remedy}")

    def headers(self, entries: Sequence[Entry], body: bytes, now: float) -> tuple[tuple[str, str], ...]:
        """Return the headers for a body. The id follows from the entries, so it is the same for each attempt."""
        names = "\n".join(entry.id for entry in entries)
        name = f"msg_{hashlib.sha256(names.encode()).hexdigest()[:32]}"
        stamp = str(int(now))
        signed = hmac.digest(self._key, b".".join((name.encode("ascii"), stamp.encode("ascii"), body)), "sha256")
        return (
            ("webhook-id", name),
            ("webhook-timestamp", stamp),
            ("webhook-signature", f"v1,{base64.b64encode(signed).decode('ascii')}"),
        )
