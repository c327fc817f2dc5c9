"""Hiding what is secret in a URL: userinfo, parameters, and what looks like a secret in its path."""

from __future__ import annotations

import re

from ..patterns import lazy
from ..url import Parts, split
from . import own
from .forms import parameters
from .scan import Scan, is_harmless
from .shapes import hide, is_plain

__all__ = ["in_text", "reference", "target"]

# A password may hold characters that should have been quoted; a port is a number.
_USERINFO = lazy(r"(?:[^\s/?#@\"'<>]*@){1,20}|[^\s/?#@:\[\"'<>]{0,200}:(?![0-9]{1,5}[/?#])[^\s@\"'<>]{1,400}@")
_IN_TEXT = lazy(r"""(?<![a-zA-Z0-9+.-])([a-zA-Z][a-zA-Z0-9+.-]{0,20}:)?(\\?/\\?/)([^\s"'<>`\\]+)""")
_PATH = ":path"
_MATRIX = lazy(r";([^;=/?]+)=([^;/?]+)")


def reference(url: str, scan: Scan) -> str:
    """Redact a URL, relative or not, with its userinfo and fragment."""
    rest, hash_mark, fragment = url.partition("#")
    head, mark, query = rest.partition("?")
    scheme, slashes, tail = head.partition("//")
    if slashes and (not scheme or scheme.endswith(":")):
        parts = split(f"http://{tail}{mark}{query}")
        if own.is_ours(parts):
            return f"{scheme}//{_hidden(parts, scan)}"
        head = f"{scheme}//{_authority(tail, scan)}"
    return f"{path(head, scan)}{mark}{parameters(query, scan)}{hash_mark}{_fragment(fragment, scan)}"


def target(parts: Parts, scan: Scan) -> str:
    """Redact the URL of a request; it loses userinfo and fragment."""
    if own.is_ours(parts):
        return f"{parts.scheme}://{_hidden(parts, scan)}"
    # With the host in front, which tells whose path it is; a path alone could not be known for a webhook's.
    bare = f"{parts.scheme}://{parts.authority}{parts.path}" if parts.scheme else parts.path
    if (_PATH, bare) not in scan.rules.plain:
        shown = path(bare, scan)
        if shown == bare:
            scan.rules.remember_plain(_PATH, bare)
        bare = shown
    if len(parts.query) < 2:
        return bare + parts.query
    query = parameters(parts.query[1:], scan)
    return f"{bare}?{query}" if query else bare


def path(text: str, scan: Scan) -> str:
    """Redact a path, its parameters behind semicolons included."""
    if ";" in text:
        text = _MATRIX.sub(lambda found: _matrix(found, scan), text)
    if scan.rules.shapes or not is_plain(text):
        text = hide(text, scan.rules.mark, scan.rules.shapes)
    return text


def in_text(text: str, scan: Scan) -> str:
    """Redact every URL that stands in a text."""

    def redacted(found: re.Match[str]) -> str:
        rest = found[3]
        parts = split(f"http://{rest}")
        if own.is_ours(parts):
            return f"{found[1] or ''}{found[2]}{_hidden(parts, scan)}"
        userinfo = _USERINFO.match(rest)
        shown = ""
        if userinfo:
            shown = f"{_secret(userinfo[0][:-1], scan)}@"
            rest = rest[userinfo.end() :]
        if found[1] is None and not userinfo:
            return found[0]
        head, mark, query = rest.partition("?")
        query, hash_mark, fragment = query.partition("#")
        if not mark:
            head, hash_mark, fragment = head.partition("#")
        changed = f"{head}{mark}{_query(query, scan)}{hash_mark}{_fragment(fragment, scan)}"
        return f"{found[1] or ''}{found[2]}{shown}{changed}"

    return _IN_TEXT.sub(redacted, text)


def _hidden(parts: Parts, scan: Scan) -> str:
    """What is shown of an address of ours: where it is, and nothing that opens it."""
    secret = (parts.path + parts.query).removeprefix("/")
    return f"{parts.authority}/{scan.rules.mark(secret)}"


def _query(query: str, scan: Scan) -> str:
    return parameters(query, scan) if "=" in query else query


def _fragment(fragment: str, scan: Scan) -> str:
    """A fragment may hold a query, with or without a route of a page's own in front."""
    route, mark, query = fragment.rpartition("?")
    return f"{route}{mark}{parameters(query, scan)}" if "=" in query else fragment


def _authority(tail: str, scan: Scan) -> str:
    userinfo = _USERINFO.match(tail)
    return f"{_secret(userinfo[0][:-1], scan)}@{tail[userinfo.end() :]}" if userinfo else tail


def _secret(userinfo: str, scan: Scan) -> str:
    return userinfo if is_harmless(userinfo) else scan.rules.mark(userinfo)


def _matrix(found: re.Match[str], scan: Scan) -> str:
    name, value = found[1], found[2]
    return f";{name}={scan.hidden(name, value)}" if scan.rules.hides(name, in_url=True) else found[0]
