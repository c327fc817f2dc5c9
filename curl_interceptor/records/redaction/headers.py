"""Hiding what is secret in headers: schemes of authorization, and names and attributes of cookies, stay."""

from __future__ import annotations

from ..patterns import lazy
from .markers import is_marker
from .scan import Scan, is_harmless

__all__ = ["cookies", "secret_header", "set_cookies"]

_NEXT_COOKIE = lazy(r",\s{0,8}(?=[^\s;,=]{1,200}=)")


def secret_header(name: str, value: str, scan: Scan) -> str | None:
    """Return what may be shown of a header with a secret name; None if it is to be left out."""
    lower = name.lower()
    if lower in ("set-cookie", "set-cookie2"):
        shown = set_cookies(value, scan)
    elif lower.rpartition("-")[2] in ("cookie", "cookie2"):
        shown = cookies(value, scan)
    else:
        shown = scan.hidden(name, value)
    return None if scan.drops() and shown != value and not (shown and "cookie" in lower) else shown


def cookies(value: str, scan: Scan) -> str:
    """Hide the values of cookies."""
    pieces = [_cookie(part, scan) for part in value.split(";")]
    if scan.drops():
        return ";".join(piece for piece, part in zip(pieces, value.split(";"), strict=True) if piece == part).strip()
    return ";".join(pieces)


def set_cookies(value: str, scan: Scan) -> str:
    """Hide the values of cookies that are set; several may have been joined by commas."""
    if scan.drops():
        return ""
    if "," not in value:
        return _set_cookie(value, scan)
    found = _NEXT_COOKIE.split(value)
    joints = _NEXT_COOKIE.findall(value)
    shown = [_set_cookie(cookie, scan) for cookie in found]
    return "".join(piece + joint for piece, joint in zip(shown, [*joints, ""], strict=True))


def _set_cookie(cookie: str, scan: Scan) -> str:
    first, semicolon, attributes = cookie.partition(";")
    return f"{_cookie(first, scan)}{semicolon}{attributes}"


def _cookie(part: str, scan: Scan) -> str:
    name, mark, value = part.partition("=")
    if not mark:
        return part if is_harmless(part) else f"{part[: len(part) - len(part.lstrip())]}{scan.rules.mark(part.strip())}"
    bare = value.strip('" ')
    return part if not bare or is_marker(bare) else f"{name}={scan.rules.mark(bare)}"
