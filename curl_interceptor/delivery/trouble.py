"""What may go wrong on the way to a webhook, in words that are safe to show."""

from __future__ import annotations

import errno
import socket
import ssl

__all__ = ["Elapsed", "Silence", "Trouble", "Unusable", "describe"]


class Trouble(Exception):
    """An attempt failed. The text holds no address, no path and nothing of the payload."""


class Unusable(Trouble):
    """The payload cannot be sent by anybody; the webhook has no part in it."""


class Elapsed(Trouble):
    """The deadline has come."""


class Silence(Trouble):
    """The other side hung up before the first byte of an answer."""


def describe(error: BaseException) -> str:
    """Return what happened without repeating the error's own text, which may name the host or the file.

    Hosts count as secret: services such as tunnels and request bins put their token into the name.
    """
    if isinstance(error, Trouble):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        # The part behind the comma names the host.
        return f"TLS: certificate verify failed: {error.verify_message.partition(',')[0]}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or type(error).__name__).lower().replace('_', ' ')}"
    if isinstance(error, socket.gaierror):
        return f"name look-up failed: {error.strerror}"
    if type(error) is OSError:
        return f"OSError: {errno.errorcode.get(error.errno or 0, 'unknown')}"
    return type(error).__name__
