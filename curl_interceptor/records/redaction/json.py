"""
Hiding what stands under secret names in JSON, at any depth, without writing anything else anew.

A sound document in which few words tell of secrets is searched around those words only. Everything else, such as one
that is cut in the middle, is read token by token; no step depends on the document being sound.
"""

from __future__ import annotations

import json
import re

from ..patterns import lazy
from .names import words
from .scan import Edit, Scan, apply
from .texts import anchors

__all__ = ["document", "is_json"]

_START = lazy(r"\s*[\[{\"]")
# A string that is cut goes to the end, so that no quote is ever tried twice.
_TOKEN = lazy(r'"([^"\\]*(?:\\.[^"\\]*)*)("|\\?\Z)(\s*:)?|[{}\[\],:\s]+|[^\s"{}\[\],:]+', re.DOTALL)
# A string, and if it is a name its value: a string, another scalar, or the beginning of something larger.
_STRING = lazy(r'([^"]*)"(?:\s*:\s*(?:"([^"]*)"|([^\s"{}\[\],:]+)|([{\[])))?')
# A quote, a slash, or a letter that would show another way.
_ESCAPED = lazy(r'\\(?:["/\\]|u00[2-7])')
_NAMES = frozenset(["name", "key", "header", "field", "param", "parameter", "property", "attribute", "id", "k", "n"])
_VALUES = frozenset(["value", "values", "val", "v", "content", "data", "default", "current", "old", "new"])
# What stays inside of an object that is secret by its name: it says what kind of secret it is, and until when.
_TELLING = frozenset(["type", "kind", "at", "in", "alg", "scope", "scopes", "expires", "expiry", "issued"])
_PARENT = lazy(r'"([^"\\]{1,60})"\s{0,8}:\s{0,8}\{\Z')
_LITERALS = frozenset(["true", "false", "null"])


def is_json(text: str) -> bool:
    """Whether the text begins as a JSON document does."""
    return _START.match(text) is not None


def document(text: str, scan: Scan) -> tuple[str, bool]:
    """Redact JSON, or several documents in a row; the second answer is whether no other room need look at it."""
    escaped = scan.rules.is_open or ("\\" in text and _ESCAPED.search(text) is not None)
    found = [] if escaped else anchors(text, scan.rules)
    if not escaped and not found:
        return text, True
    try:
        json.loads(text)
        sound = True
    except (ValueError, RecursionError):
        sound = False
    edits = _around(found, text, scan) if sound and not escaped and "\\" not in "".join(found) else None
    return apply(text, _by_tokens(text, scan) if edits is None else edits), sound


# -- around the words that tell of secrets ----------------------------------------------------------------------------


def _around(found: list[str], text: str, scan: Scan) -> list[Edit] | None:
    """Return the edits of a sound document; None if it has to be read token by token.

    Without an escaped quote, the nearest quotes around a word are those of its string.
    """
    lower = text.lower()
    if len(lower) != len(text):
        return None
    edits: dict[int, Edit] = {}
    seen: set[int] = set()
    match = _STRING.match
    for word in found:
        subject = lower if word.islower() else text
        place = subject.find(word)
        while place >= 0:
            start = text.rfind('"', 0, place) + 1
            string = match(text, start)
            if string is None:
                break
            if start not in seen:
                seen.add(start)
                if not _edit_around(text, string, scan, edits):
                    return None
            place = subject.find(word, string.end(1))
    return list(edits.values())


def _edit_around(text: str, string: re.Match[str], scan: Scan, edits: dict[int, Edit]) -> bool:
    """Look at one string, which may be a name; False if the tokens around it have to be known."""
    content, value, scalar, opener = string.groups()
    start = string.start(1)
    hides = scan.rules.hides
    if value is not None or scalar is not None:
        secret: bool | None = hides(content)
        if not secret and content.lower() == "key":
            secret = _is_key_of_secret(text, start, scan)
        if secret is None:
            return False
        if secret:
            first, end = string.span(string.lastindex or 0)
            if scalar is None and "\\" not in value:  # as in _scalar_edit: nearly always
                edits[first] = (first, end, scan.hidden(content, value))
            else:
                edits[first] = _scalar_edit(text, first, end, content, scan, quoted=scalar is None)
        return True
    if opener is not None:
        return not hides(content)
    if len(content) < 100 and hides(content):
        return False  # {"name": "db_password", "value": …}
    if start not in edits:
        shown = _content(content, scan)
        if shown != content:
            edits[start] = (start, string.end(1), shown)
    return True


def _is_key_of_secret(text: str, start: int, scan: Scan) -> bool | None:
    """Whether the object in which this `key` stands makes it one, as in {"api": {"key": …}}; None if it is too far."""
    place = text.rfind("{", max(0, start - 2_000), start)
    if place < 0 or "}" in text[place:start]:
        return None
    parent = _PARENT.search(text, max(0, place - 80), place + 1)
    return parent is not None and scan.rules.hides(f"{parent[1]} key")


def _scalar_edit(text: str, start: int, end: int, name: str, scan: Scan, *, quoted: bool) -> Edit:
    raw = text[start:end]
    if not quoted:
        shown = raw if raw in _LITERALS else scan.hidden(name, raw)
        return (start, end, raw if shown == raw else f'"{shown}"')
    if "\\" not in raw:
        return (start, end, scan.hidden(name, raw))  # a part of it, at most, beside a marker
    plain = _unescaped(raw)
    shown = scan.hidden(name, plain)
    return (start, end, raw if shown == plain else _escaped(shown, raw))


def _content(raw: str, scan: Scan) -> str:
    """Look into a string that has no secret name."""
    plain = _unescaped(raw)
    shown = scan.inside(plain)
    return raw if shown == plain else _escaped(shown, raw)


def _unescaped(raw: str) -> str:
    if "\\" not in raw:
        return raw
    try:
        plain: str = json.loads(f'"{raw}"', strict=False)
    except ValueError:
        return raw
    return plain


def _escaped(plain: str, raw: str) -> str:
    """Write a string as it was written before."""
    if plain.isalnum():
        return plain  # a marker, nearly always
    made = json.dumps(plain, ensure_ascii=raw.isascii())[1:-1]
    return made.replace("/", "\\/") if "\\/" in raw else made


# -- token by token ---------------------------------------------------------------------------------------------------


class _Frame:
    """An object or an array that is open."""

    __slots__ = ("hidden", "is_array", "is_object", "items", "key", "named", "own", "values")

    def __init__(self, opener: str, hidden: str | None, own: str = "") -> None:
        self.is_object = opener == "{"
        self.is_array = opener == "["
        self.hidden = hidden
        """The secret name that it stands under, in any distance."""
        self.own = own
        """The name that it stands under itself."""
        self.key = ""
        self.items = 0
        self.named: str | None = None
        """The secret name that it gives to its own value."""
        self.values: list[tuple[int, int, bool]] = []


def _by_tokens(text: str, scan: Scan) -> list[Edit]:
    edits: list[Edit] = []
    frame = _Frame("", None)
    stack = [frame]
    for token in _TOKEN.finditer(text):
        start, end = token.span()
        if token.lastindex is None:
            if text[start] in "{}[],: \t\r\n":
                frame = _punctuate(token[0], stack, scan, text, edits)
            else:
                _scalar(text, start, end, False, frame, scan, edits)
        elif token[3]:
            frame.key = _unescaped(token[1])
        else:
            first, last = token.span(1)
            _scalar(text, first, last, True, frame, scan, edits)
    while stack:
        _close(stack.pop(), scan, text, edits)
    return edits


def _punctuate(run: str, stack: list[_Frame], scan: Scan, text: str, edits: list[Edit]) -> _Frame:
    frame = stack[-1]
    for letter in run:
        if letter in "{[":
            hidden, own = _hidden_by(frame, scan), frame.key
            frame.key = ""
            frame = _Frame(letter, hidden, own)
            stack.append(frame)
        elif letter in "}]" and len(stack) > 1:
            _close(stack.pop(), scan, text, edits)
            frame = stack[-1]
    return frame


def _hidden_by(frame: _Frame, scan: Scan) -> str | None:
    """The secret name under which the next value of a frame stands."""
    if frame.hidden is not None:
        return None if frame.is_object and (words(frame.key)[-1:] or ("",))[0] in _TELLING else frame.hidden
    if frame.is_object:
        if frame.named is not None and frame.key.lower() in _VALUES:
            return frame.named
        if frame.own and frame.key.lower() == "key" and scan.rules.hides(f"{frame.own} key"):
            return frame.key
        return frame.key if frame.key and scan.rules.hides(frame.key) else None
    return frame.named if frame.items == 1 and frame.is_array else None


def _scalar(text: str, start: int, end: int, quoted: bool, frame: _Frame, scan: Scan, edits: list[Edit]) -> None:
    name = _hidden_by(frame, scan)
    if name is not None and (quoted or frame.hidden is None or not frame.is_object or scan.rules.hides(frame.key)):
        edits.append(_scalar_edit(text, start, end, name, scan, quoted=quoted))
    else:
        _remember(text, start, end, quoted, frame, scan)
        if quoted and end - start >= 8:
            raw = text[start:end]
            shown = _content(raw, scan)
            if shown != raw:
                edits.append((start, end, shown))
    frame.key = ""
    frame.items += 1


def _remember(text: str, start: int, end: int, quoted: bool, frame: _Frame, scan: Scan) -> None:
    """Note down a value that is secret if its neighbour names a secret: {"name": …, "value": …} and [name, value]."""
    key = frame.key.lower()
    if frame.is_object and (key in _VALUES or key.endswith("value")):
        frame.values.append((start, end, quoted))
    elif quoted and end - start <= 100 and (key in _NAMES if frame.is_object else frame.items == 0):
        name = _unescaped(text[start:end])
        if scan.rules.hides(name):
            frame.named = name


def _close(frame: _Frame, scan: Scan, text: str, edits: list[Edit]) -> None:
    if frame.named is not None and frame.is_object:
        for start, end, quoted in frame.values:
            edits.append(_scalar_edit(text, start, end, frame.named, scan, quoted=quoted))
