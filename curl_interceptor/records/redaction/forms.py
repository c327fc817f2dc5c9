"""Hiding the values of secret parameters in queries, fragments and forms; everything else stays as it is."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_plus

from .scan import Scan, is_harmless

__all__ = ["form", "is_form", "parameters"]

_FORM = re.compile(r"""[^\s=&?/<>{}()"']{1,200}=[^\s<>{}"]*\Z""")
_SEPARATORS = re.compile(r"([&;])")
_LEFT_ALONE = "!$'()*,/:;@?{}[]|^`~\"<>"  # beside letters and digits, what some client or other leaves unquoted


def is_form(text: str) -> bool:
    """Whether the text reads as a form: names and values, and no white space."""
    return _FORM.match(text) is not None


def form(text: str, scan: Scan) -> str:
    """Redact a form."""
    return parameters(text, scan)


def parameters(text: str, scan: Scan) -> str:
    """Redact parameters; some servers take a semicolon for an ampersand."""
    pieces = _SEPARATORS.split(text)
    kept = []
    for index in range(0, len(pieces), 2):
        name, mark, value = pieces[index].partition("=")
        if mark and value and scan.rules.hides(_bare(name), in_url=True):
            shown = scan.hidden(_bare(name), unquote_plus(value))
            if shown != unquote_plus(value):
                if scan.drops():
                    continue
                pieces[index] = f"{name}={_like(value, shown)}"
        elif value or name:
            pieces[index] = f"{name}{mark}{_value(value, scan)}" if mark else _value(name, scan)
        kept.append(index)
    if len(kept) * 2 == len(pieces) + 1:
        return "".join(pieces)
    return "".join(("" if place == 0 else pieces[index - 1]) + pieces[index] for place, index in enumerate(kept))


def _bare(name: str) -> str:
    return unquote_plus(name) if "%" in name or "+" in name else name


def _value(value: str, scan: Scan) -> str:
    """Look into a value: a URL, JSON, or a token may stand there."""
    if len(value) < 8 or is_harmless(value):
        return value
    plain = unquote_plus(value) if "%" in value or "+" in value else value
    shown = scan.inside(plain)
    return value if shown == plain else _like(value, shown)


def _like(value: str, shown: str) -> str:
    """Quote a changed value as it was quoted before."""
    safe = "".join(letter for letter in _LEFT_ALONE if letter in value)
    quoted = quote(shown, safe=safe, errors="surrogatepass")
    return quoted.replace("%20", "+") if "+" in value and unquote(value) != unquote_plus(value) else quoted
