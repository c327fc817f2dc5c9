"""Hiding the values of secret parameters in queries, fragments and forms; everything else stays as it is."""

from __future__ import annotations

from urllib.parse import quote, unquote, unquote_plus

from ..patterns import lazy
from .markers import is_marker
from .scan import Scan, is_harmless

__all__ = ["form", "is_form", "parameters"]

_FORM = lazy(r"""[^\s=&?/<>{}()"']{1,200}=[^\s<>{}"]*\Z""")
_LEFT_ALONE = "!$'()*,/:;@?{}[]|^`~\"<>"  # beside letters and digits, what some client or other leaves unquoted


def is_form(text: str) -> bool:
    """Whether the text reads as a form: names and values, and no white space."""
    return _FORM.match(text) is not None


def form(text: str, scan: Scan) -> str:
    """Redact a form."""
    return parameters(text, scan)


def parameters(text: str, scan: Scan) -> str:
    """Redact parameters."""
    if "&" not in text:
        return _parameter(text, scan) or ""
    found = (_parameter(part, scan) for part in text.split("&"))
    return "&".join(part for part in found if part is not None)


def _parameter(part: str, scan: Scan) -> str | None:
    """Redact one parameter; None if it is to be left out.

    Some servers take a semicolon for an ampersand, so another parameter may follow one; a secret goes on to the end.
    """
    name, mark, value = part.partition("=")
    if not value:
        return part if mark else _value(part, scan)
    bare = _plain(name)
    if scan.rules.hides(bare, in_url=True):
        plain = _plain(value)
        shown = scan.hidden(bare, plain)
        if shown == plain:
            return part
        return None if scan.drops() else f"{name}={_like(value, shown)}"
    first, semicolon, rest = value.partition(";")
    if not semicolon or "=" not in rest:
        return f"{name}{mark}{_value(value, scan)}"
    following = _parameter(rest, scan)
    return f"{name}={_value(first, scan)}" + ("" if following is None else f";{following}")


def _plain(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def _value(value: str, scan: Scan) -> str:
    """Look into a value: a URL, JSON, or a token may stand there."""
    if len(value) < 8 or is_harmless(value):
        return value
    plain = _plain(value)
    shown = scan.inside(plain)
    return value if shown == plain else _like(value, shown)


def _like(value: str, shown: str) -> str:
    """Quote a changed value as it was quoted before."""
    if is_marker(shown):
        return shown
    safe = "".join(letter for letter in _LEFT_ALONE if letter in value)
    quoted = quote(shown, safe=safe, errors="surrogatepass")
    return quoted.replace("%20", "+") if "+" in value and unquote(value) != unquote_plus(value) else quoted
