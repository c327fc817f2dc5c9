"""What is hidden before anything leaves the process: the value by which a user changes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from ...errors import ConfigurationError
from ...policies import check_callable, check_flag, shown
from .markers import MARKER, is_marker, numbered
from .names import ENDINGS, EXACT, IN_URLS, ends_secret, foreign, stems, words

__all__ = ["MARKER", "UNREDACTED", "Redaction", "StrictRedaction"]

_MODES = ("mask", "env", "drop")
_KNOWN = 4_096  # names whose decision is remembered
_MOST_PLAIN = 1_000
_LONGEST_PLAIN = 500

# What a proof can start from: these say how a message is framed and coded, and nothing of who sent it.
_PLAIN_HEADERS = (
    "accept",
    "accept-encoding",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
    "vary",
)


@dataclass(frozen=True)
class Redaction:
    """What is hidden before anything leaves the process.

    Parameters
    ----------
    names:
        More names whose values are hidden: a text such as `"internal-id"` is compared word by word with the end of a
        header's, a parameter's or a field's name; a compiled `re.Pattern` is searched in it. Default none.
    exact:
        More names that are hidden only as they stand here; case does not count. Default none.
    keep:
        Names whose values stay although the above hides them: a text is compared with the whole name word by word, a
        compiled `re.Pattern` is searched in it. What looks like a token is hidden there all the same. Default none.
    remove:
        Words of the default set that are to mean nothing, such as `"session"`. Default none.
    shapes:
        Compiled patterns of more tokens, hidden wherever they match. They run over text of others: bound what they
        repeat. Default none.
    also:
        A callable that gets each text after the above and returns what may be shown of it. Where it raises, or returns
        anything but a text, a marker takes the place of the text, and a body is left out. Default none.
    mode:
        `"mask"` (the default) puts a marker in the place of a secret. `"env"` puts shell variables into the headers of
        a request, which the record lists, and markers everywhere else. `"drop"` leaves out headers, cookies and
        parameters of queries and forms that hold a secret, and puts markers where something has to stand.
    numbered:
        True numbers the markers, such as `REDACTED-3`: the same secret has the same number for as long as the process
        lives. Default False.

    Raises
    ------
    ConfigurationError
        If a value cannot mean anything.
    """

    names: Collection[str | re.Pattern[str]] = ()
    exact: Collection[str] = ()
    keep: Collection[str | re.Pattern[str]] = ()
    remove: Collection[str] = ()
    shapes: Collection[re.Pattern[str]] = ()
    also: Callable[[str], str] | None = None
    mode: str = "mask"
    numbered: bool = False
    _endings: frozenset[tuple[str, ...]] = field(init=False, repr=False, compare=False, default=frozenset())
    _in_urls: frozenset[tuple[str, ...]] = field(init=False, repr=False, compare=False, default=frozenset())
    _exact: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())
    _kept: frozenset[tuple[str, ...]] = field(init=False, repr=False, compare=False, default=frozenset())
    stems: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())
    """Texts of which at least one stands, in lower case, in every secret name."""
    url_stems: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())
    """The same for names of a query or a form."""
    foreign: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())
    """The stems that are not ASCII, in each way to write them."""
    is_open: bool = field(init=False, repr=False, compare=False, default=False)
    """Whether there are patterns of the user's, so that nothing can be said of a text without searching it."""
    _known: dict[tuple[str, bool], bool] = field(init=False, repr=False, compare=False, default_factory=dict)
    plain: set[tuple[str, str]] = field(init=False, repr=False, compare=False, default_factory=set)
    """Names and values of headers, and paths, in which nothing was found: most of them come again with each call."""

    def __post_init__(self) -> None:
        for title in ("names", "exact", "keep", "remove", "shapes"):
            object.__setattr__(self, title, _listed(title, getattr(self, title)))
        if self.mode not in _MODES:
            raise ConfigurationError(f"redaction: mode must be one of {', '.join(_MODES)}, got {shown(self.mode)}")
        if self.also is not None:
            check_callable("redaction: also", self.also, "a text")
        check_flag("redaction: numbered", self.numbered)
        removed = frozenset(words(name) for name in self.remove)
        for place, name in enumerate(self.remove, start=1):
            if words(name) not in ENDINGS | IN_URLS:
                raise ConfigurationError(
                    f"redaction: remove holds a word (number {place}) that is not in the default set; to keep one name "
                    "use keep"
                )
        added = frozenset(words(name) for name in self.names if isinstance(name, str))
        exact = frozenset(name.casefold() for name in self.exact)
        object.__setattr__(self, "_endings", (ENDINGS - removed) | added)
        object.__setattr__(self, "_in_urls", IN_URLS - removed)
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_kept", frozenset(words(name) for name in self.keep if isinstance(name, str)))
        searched = self._endings | EXACT | frozenset((word,) for name in exact for word in words(name)[-1:])
        object.__setattr__(self, "stems", stems(searched))
        object.__setattr__(self, "url_stems", stems(searched | self._in_urls))
        object.__setattr__(self, "foreign", foreign(self.stems))
        patterns = any(isinstance(name, re.Pattern) for name in self.names)
        object.__setattr__(self, "is_open", patterns or bool(self.shapes))

    @classmethod
    def strict(cls, headers: Collection[str] = _PLAIN_HEADERS) -> Redaction:
        """Return the rules for those who need a proof: what is shown is listed, all else is hidden.

        Of a record remain the method, scheme, host and port, the words of the path, the names of query parameters, the
        status, the exception's class, the times, and the listed headers. No body and no free text is shown.

        Parameters
        ----------
        headers: Names of the headers whose values are shown; the names of the others are.
        """
        return StrictRedaction(headers=headers)

    def hides(self, name: str, *, in_url: bool = False) -> bool:
        """Whether the value that stands under this name is a secret; `in_url` says that it is a query's or a form's."""
        known = self._known.get((name, in_url))
        if known is None:
            known = self._decides(name, in_url)
            if len(self._known) < _KNOWN and len(name) <= 100:
                self._known[name, in_url] = known
        return known

    def _decides(self, name: str, in_url: bool) -> bool:
        parts = words(name)
        if parts in self._kept or any(_matches(kept, name) for kept in self.keep):
            return False
        if name.casefold() in self._exact or any(_matches(added, name) for added in self.names):
            return True
        return (in_url and parts in self._in_urls) or ends_secret(parts, self._endings)

    def remember_plain(self, name: str, value: str) -> None:
        """Note down that nothing is to be hidden in this header, or in the path of this host."""
        if len(self.plain) >= _MOST_PLAIN:
            self.plain.clear()
        if len(value) <= _LONGEST_PLAIN:
            self.plain.add((name, value))

    def mark(self, secret: str) -> str:
        """Return what stands in the place of a secret; a marker stays, so that its number does."""
        if is_marker(secret):
            return secret
        return numbered(secret) if self.numbered else MARKER


def _matches(pattern: object, name: str) -> bool:
    return isinstance(pattern, re.Pattern) and pattern.search(name[-200:]) is not None


def _listed(title: str, value: Any) -> tuple[Any, ...]:
    kinds = {"names": (str, re.Pattern), "keep": (str, re.Pattern), "shapes": (re.Pattern,)}.get(title, (str,))
    example = "[re.compile('acme_[0-9a-f]{32}')]" if title == "shapes" else "['internal-id']"
    good = isinstance(value, Collection) and not isinstance(value, (str, bytes, dict))
    if not good or not all(isinstance(item, kinds) and _means(item) for item in value):
        raise ConfigurationError(f"redaction: {title} must be a list such as {example}, got {shown(value)}")
    return tuple(value)


def _means(item: str | re.Pattern[Any]) -> bool:
    """Whether a name has words; a pattern has to be one of text."""
    return bool(words(item)) if isinstance(item, str) else isinstance(item.pattern, str)


@dataclass(frozen=True)
class StrictRedaction(Redaction):
    """See `Redaction.strict`."""

    headers: Collection[str] = _PLAIN_HEADERS

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "headers", frozenset(name.lower() for name in _listed("headers", self.headers)))

    def hides(self, name: str, *, in_url: bool = False) -> bool:
        """Everything that is not listed."""
        return name.lower() not in self.headers


class _Unredacted(Redaction):
    """Hides nothing."""

    def hides(self, name: str, *, in_url: bool = False) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNREDACTED"

    def __reduce__(self) -> str:
        return "UNREDACTED"


UNREDACTED: Redaction = _Unredacted()
"""Hides nothing: secrets leave the process. For your own terminal and for tests."""
