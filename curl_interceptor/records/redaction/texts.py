"""Hiding secrets in URLs, headers and free text, and nothing else in them."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from ..url import split
from .rules import MARKER, UNREDACTED, Redaction

__all__ = ["header", "text", "url"]

_PAIR = re.compile(r"([?&;]|^)([^=&;?\s]{1,200})=([^&;\s\"'<>)]{1,4096})")
_USERINFO = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://)[^\s/?#@\"'<>]{1,1000}@")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,30}(?=\s)")


def query(value: str, rules: Redaction) -> str:
    """Hide the values of secret parameters in a query; everything else stays as it is."""

    def hide(pair: re.Match[str]) -> str:
        secret = rules.hides(unquote_plus(pair[2]), in_url=True)
        return f"{pair[1]}{pair[2]}={MARKER if secret else pair[3]}"

    return _PAIR.sub(hide, value)


def url(value: str, rules: Redaction) -> str:
    """Return the URL without userinfo and fragment, with the values of secret parameters hidden."""
    parts = split(value)
    return parts._replace(query=query(parts.query, rules)).join()


def text(value: str, rules: Redaction) -> str:
    """Hide userinfo and secret parameters wherever they stand in free text."""
    if rules is UNREDACTED:
        return value
    return query(_USERINFO.sub(rf"\1{MARKER}@", value), rules)


def header(name: str, value: str, rules: Redaction) -> str:
    """Return the value of a header without its secret: schemes of authorization and names of cookies stay."""
    lower = name.lower()
    if not rules.hides(name):
        return text(value, rules)
    if lower in ("authorization", "proxy-authorization"):
        scheme = _SCHEME.match(value)
        return f"{scheme[0]} {MARKER}" if scheme else MARKER
    if lower == "cookie":
        return "; ".join(_hide_cookie(part) for part in value.split(";"))
    if lower == "set-cookie":
        first, *attributes = value.split(";")
        return ";".join((_hide_cookie(first), *attributes))
    return MARKER if value else value


def _hide_cookie(part: str) -> str:
    name, mark, _ = part.strip().partition("=")
    return f"{name}={MARKER}" if mark else MARKER
