"""Which names hide their values: the defaults, and the value by which a user changes them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

from ...errors import ConfigurationError

__all__ = ["MARKER", "UNREDACTED", "Redaction"]

MARKER = "REDACTED"
"""Letters only: it needs no escaping in a URL, a header, JSON or a shell."""

# A name is split into words (camelCase, `_`, `-`, `.`, `[]`), and these are sequences of words. A name is secret if it
# ends with one of them, so that `author`, `keyboard` and `max_tokens` are not.
_SECRET_ENDINGS: tuple[tuple[str, ...], ...] = tuple(
    tuple(line.split())
    for line in (
        "authorization",
        "cookie",
        "set cookie",
        "api key",
        "apikey",
        "access key",
        "access key id",
        "accesskeyid",
        "awsaccesskeyid",
        "account key",
        "private key",
        "secret key",
        "auth key",
        "authkey",
        "subscription key",
        "token",
        "secret",
        "signature",
        "sig",
        "credential",
        "credentials",
        "password",
        "passwd",
        "passphrase",
        "passcode",
        "pwd",
        "session",
        "session id",
        "sessionid",
        "sid",
        "csrf",
        "xsrf",
        "jwt",
        "otp",
        "auth",
        "bearer",
        "accesstoken",
        "refreshtoken",
        "clientsecret",
    )
)
_SECRET_IN_URLS: tuple[tuple[str, ...], ...] = (("key",), ("code",))
_BOUNDARY = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=4_096)
def words(name: str) -> tuple[str, ...]:
    """Split a name into its words, in lower case."""
    return tuple(word.lower() for word in _BOUNDARY.split(name[-200:]) if word)


@dataclass(frozen=True)
class Redaction:
    """What is hidden before anything leaves the process.

    Parameters
    ----------
    names:
        More names whose values are hidden, such as `"internal-id"`; compared word by word with the end of a header's,
        a query parameter's or a field's name. Default none.
    keep:
        Names whose values stay although the default hides them. Default none.

    Raises
    ------
    ConfigurationError
        If something is no name.
    """

    names: Collection[str] = ()
    keep: Collection[str] = ()
    _endings: frozenset[tuple[str, ...]] = field(init=False, repr=False, compare=False, default=frozenset())
    _kept: frozenset[tuple[str, ...]] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        for title in ("names", "keep"):
            value = getattr(self, title)
            listed = isinstance(value, Collection) and not isinstance(value, (str, bytes, dict))
            if not listed or not all(isinstance(item, str) and words(item) for item in value):
                raise ConfigurationError(
                    f"redaction: {title} must be a list of names such as ['internal-id'], got {value!r}"
                )
            object.__setattr__(self, title, tuple(value))
        object.__setattr__(self, "_endings", frozenset((*_SECRET_ENDINGS, *(words(name) for name in self.names))))
        object.__setattr__(self, "_kept", frozenset(words(name) for name in self.keep))

    def hides(self, name: str, *, in_url: bool = False) -> bool:
        """Whether the value that stands under this name is a secret."""
        parts = words(name)
        if not parts or parts in self._kept:
            return False
        endings = (parts[start:] for start in range(len(parts)))
        return any(ending in self._endings or (in_url and ending in _SECRET_IN_URLS) for ending in endings)


@dataclass(frozen=True)
class _Unredacted(Redaction):
    """Hides nothing."""

    def hides(self, name: str, *, in_url: bool = False) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNREDACTED"


UNREDACTED: Redaction = _Unredacted()
"""Hides nothing: secrets leave the process. For your own terminal and for tests."""
