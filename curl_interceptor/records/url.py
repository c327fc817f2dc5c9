"""Taking a URL apart the way the wire sees it, without ever raising."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .patterns import lazy

__all__ = ["DEFAULT_PORT", "Parts", "is_kept", "split"]

DEFAULT_PORT = {"http": "80", "https": "443"}
"""The port of each scheme of HTTP where a URL names none."""

_ESCAPE = "%[0-9A-F]{2}"
_LETTERS = "A-Za-z0-9._~!$&'()*+,;=:@/-"
_KEPT = lazy(rf"/(?!/)(?:[{_LETTERS}]|{_ESCAPE})*(?:\?(?:[{_LETTERS}?]|{_ESCAPE})+)?")


class Parts(NamedTuple):
    """The pieces of a URL; joined again they give the URL without its userinfo and fragment."""

    scheme: str
    userinfo: str
    host: str
    """In lower case, with the brackets of an IPv6 address; of a socket in the file system (`http+unix`) as it is."""
    port: str
    """With its colon, or empty."""
    path: str
    query: str
    """With its question mark, or empty."""

    @property
    def authority(self) -> str:
        """Host and port."""
        return self.host + self.port

    def join(self) -> str:
        """Return the URL without userinfo and fragment."""
        return f"{self.scheme}://{self.authority}{self.path}{self.query}" if self.scheme else self.path + self.query


def is_kept(target: str) -> bool:
    """Whether requests and urllib3 send a path and query as they are, and write nothing in them in another way."""
    return _KEPT.fullmatch(target) is not None


@lru_cache(maxsize=16)  # one URL passes several rooms in a row
def split(url: str) -> Parts:
    """Take a URL apart. What is no URL comes back as a path."""
    url = url.partition("#")[0]
    scheme, mark, rest = url.partition("://")
    if not mark or not scheme.isascii() or not scheme.replace("+", "").replace("-", "").replace(".", "").isalnum():
        path, mark, query = url.partition("?")
        return Parts("", "", "", "", path, mark + query)
    end = min((found for found in (rest.find("/"), rest.find("?"), rest.find("\\")) if found >= 0), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    userinfo, _, location = authority.rpartition("@")
    host, colon, port = location.rpartition(":")
    if not colon or not port.isdigit() or (host.startswith("[") and not host.endswith("]")):
        host, port = location.rstrip(":"), ""
    path, mark, query = tail.partition("?")
    if not scheme.lower().endswith("+unix"):
        host = host.lower()
    return Parts(scheme.lower(), userinfo, host, f":{port}" if port else "", path or "/", mark + query)
