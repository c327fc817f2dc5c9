"""One search through one text: the rules, and how to look into a text inside of it."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..patterns import lazy
from .markers import MARKER, is_marker, numbered
from .names import counts

if TYPE_CHECKING:
    from .rules import Redaction

__all__ = ["Edit", "Scan", "apply", "is_harmless"]

Edit = tuple[int, int, str]
"""What is to stand between two positions of a text."""

_DEEPEST = 12


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The word before a credential, which says how to use it. Anything else that stands first may be the secret itself.
_SCHEMES = _listed(
    """
    basic bearer digest negotiate ntlm token apikey api-key aws4-hmac-sha256 hawk oauth dpop hoba mutual vapid gnap
    privatetoken sentry signature sso-key sharedaccesssignature sharedkey scram-sha-256 genie-key bot
    """
)
_CARRIERS = ("authorization", "auth", "authentication", "bearer", "token")
_HARMLESS = frozenset(["true", "false", "null", "none", "nil", "undefined", "yes", "no", '""', "''", "[]", "{}"])
_LONGEST_HARMLESS = max(map(len, _HARMLESS))
_DIGITS = "-0123456789"
_NUMBER = lazy(r"-?[0-9]{1,9}(?:\.[0-9]{1,20})?")
# What stands for a secret already: a variable of a shell, a template or GraphQL.
_PLACEHOLDER = lazy(r"\$\{?[A-Z][A-Z0-9_]{0,80}\}?|\{\{ ?[\w.]{1,80} ?\}\}|%\([A-Za-z_]{1,80}\)s|\*{3,100}")
# Letters with which nothing harmless begins.
_BEGINNINGS = frozenset(string.ascii_letters) - {MARKER[0]}
_BEGINNINGS -= {letter for word in _HARMLESS for letter in word[0] + word[0].upper()}


def is_harmless(value: str) -> bool:
    """Whether there is nothing to hide: an empty value, a boolean, a placeholder, or a marker of ours."""
    if value[:1] in _BEGINNINGS:
        return False
    bare = value.strip()
    if not bare or is_marker(bare) or (len(bare) <= _LONGEST_HARMLESS and bare.lower() in _HARMLESS):
        return True
    return bare[0] in "${%*" and _PLACEHOLDER.fullmatch(bare) is not None


def apply(text: str, edits: list[Edit]) -> str:
    """Return the text with edits made that do not overlap; everything else stays as it is."""
    if not edits:
        return text
    edits.sort()
    pieces: list[str] = []
    end = 0
    for start, stop, new in edits:
        if start < end:
            continue
        pieces += text[end:start], new
        end = stop
    return "".join((*pieces, text[end:]))


class Scan:
    """What the rooms of one search share.

    Parameters
    ----------
    rules: What is hidden.
    look: Redacts a text of an unknown kind; a value inside of a value is given to it.
    depth: How many texts lie around this one.
    """

    __slots__ = ("_look", "depth", "rules")

    def __init__(self, rules: Redaction, look: Callable[[str, Scan], str], depth: int = 0) -> None:
        self.rules = rules
        self._look = look
        self.depth = depth

    def inside(self, text: str) -> str:
        """Redact a text that was a value of this one. Each level at least doubles the escapes, so few are honest."""
        if not text:
            return text
        if self.depth >= _DEEPEST:
            return text if is_harmless(text) else self.rules.mark(text)
        return self._look(text, Scan(self.rules, self._look, self.depth + 1))

    def hidden(self, name: str, value: str) -> str:
        """Return what may be shown of a value that stands under a secret name."""
        if value[:1] in _BEGINNINGS and " " not in value:  # most secrets, and no marker begins like them
            return numbered(value) if self.rules.numbered else MARKER
        if is_harmless(value) or (value[0] in _DIGITS and _NUMBER.fullmatch(value) and counts(name)):
            return value
        if " " in value:
            scheme, _, rest = value.partition(" ")
            if scheme.lower() in _SCHEMES and name.lower().endswith(_CARRIERS):
                return value if is_harmless(rest) else f"{scheme} {self.rules.mark(rest)}"
        return self.rules.mark(value)

    def drops(self) -> bool:
        """Whether headers and parameters with a secret are left out."""
        return self.rules.mode == "drop"
