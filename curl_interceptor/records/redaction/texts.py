"""Hiding secrets in URLs, headers and free text, and nothing else in them."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from ..url import split
from .rules import MARKER, UNREDACTED, Redaction

__all__ = ["header", "text", "url"]

# In free text a value ends at white space or a quote; an apostrophe in the middle of it belongs to it. Each run begins
# behind a separator that it cannot contain, so the time is linear.
_PAIR = re.compile(r"""([?&;])([^=&;?\s"'<>]+)=((?:[^&;\s"'<>]|'(?=[^\s),\]}]))+)""")
_USERINFO = re.compile(r"""(\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://)[^\s/?#"'<>]{1,1000}@""")
# Anything else that stands first may be the secret itself.
_SCHEMES = frozenset(
    [
        "basic",
        "bearer",
        "digest",
        "negotiate",
        "ntlm",
        "token",
        "apikey",
        "aws4-hmac-sha256",
        "hawk",
        "oauth",
        "dpop",
        "hoba",
        "mutual",
        "vapid",
    ]
)


def query(value: str, rules: Redaction) -> str:
    """Hide the values of secret parameters in a query, with its question mark; everything else stays as it is."""
    return "&".join(_parameter(part, rules) for part in value.split("&"))


def _parameter(part: str, rules: Redaction) -> str:
    name, mark, value = part.partition("=")
    if not mark or not value:
        return part
    if rules.hides(unquote_plus(name.lstrip("?")), in_url=True):
        return f"{name}={MARKER}"
    first, semicolon, rest = value.partition(";")  # some servers take a semicolon for an ampersand
    return f"{name}={first};{_parameter(rest, rules)}" if semicolon else part


def url(value: str, rules: Redaction) -> str:
    """Return the URL without userinfo and fragment, with the values of secret parameters hidden."""
    parts = split(value)
    return parts._replace(query=query(parts.query, rules)).join()


def text(value: str, rules: Redaction) -> str:
    """Hide userinfo and secret parameters wherever they stand in free text."""
    if rules is UNREDACTED:
        return value

    def hide(pair: re.Match[str]) -> str:
        return f"{pair[1]}{pair[2]}={MARKER}" if rules.hides(unquote_plus(pair[2]), in_url=True) else pair[0]

    return _PAIR.sub(hide, _USERINFO.sub(rf"\1{MARKER}@", value))


def header(name: str, value: str, rules: Redaction) -> str:
    """Return the value of a header without its secret: schemes of authorization and names of cookies stay."""
    lower = name.lower()
    if not rules.hides(name):
        return text(value, rules)
    if lower in ("authorization", "proxy-authorization"):
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {MARKER}" if space and scheme.lower() in _SCHEMES else MARKER
    if lower == "cookie":
        return "; ".join(_hide_cookie(part) for part in value.split(";"))
    if lower == "set-cookie":
        first, *attributes = value.split(";")
        return ";".join((_hide_cookie(first), *attributes))
    return MARKER if value else value


def _hide_cookie(part: str) -> str:
    name, mark, _ = part.strip().partition("=")
    return f"{name}={MARKER}" if mark else MARKER
