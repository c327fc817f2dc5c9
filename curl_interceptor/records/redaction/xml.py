"""Hiding what stands in secret elements and attributes of XML and HTML; the markup stays as it is."""

from __future__ import annotations

import re

from ..patterns import lazy
from .scan import Edit, Scan, apply

__all__ = ["document", "is_xml"]

# A tag ends at the next angle bracket, whatever it is, so no bracket is tried twice.
_TAG = lazy(r"<(/?)([^\W\d][\w:.-]{0,200})([^<>]*)>?")
_ATTRIBUTE = lazy(r"""([\w:.-]{1,200})(\s{0,5}=\s{0,5})(?:"([^"]*)"|'([^']*)')""")
_ENTITY = lazy(r"&(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});")
_START = lazy(r"\s*<(?:[?!]|[^\W\d])")
_NAMING = frozenset(["name", "key", "id", "property", "field", "parameter", "param"])
_NAMED = frozenset(["value", "content", "default"])
_CDATA = ("<![CDATA[", "]]>")


def is_xml(text: str) -> bool:
    """Whether the text begins as XML and HTML do."""
    return _START.match(text) is not None


class _Reader:
    """Where in the document the search stands."""

    def __init__(self, text: str, scan: Scan) -> None:
        self.text = text
        self.scan = scan
        self.edits: list[Edit] = []
        self.inside: str | None = None
        """The secret element that is open, with its name as the markup has it."""
        self.depth = 0
        self.named: str | None = None
        """A secret name that stood as the text of the element before, as in <name>password</name><value>…</value>."""
        self.naming = False

    def read(self) -> list[Edit]:
        """Go from tag to tag."""
        end = 0
        for tag in _TAG.finditer(self.text):
            if tag.start() < end:
                continue
            self._content(end, tag.start())
            self._tag(tag)
            end = tag.end()
        self._content(end, len(self.text))
        return self.edits

    def _tag(self, tag: re.Match[str]) -> None:
        closing, name, rest = tag[1], tag[2], tag[3]
        empty = rest.endswith("/")
        local = name.rpartition(":")[2]
        if not closing and "=" in rest:
            self._attributes(tag)
        if self.inside is not None:
            if name == self.inside and not empty:
                self.depth += -1 if closing else 1
                if self.depth == 0:
                    self.inside = None
        elif not closing and not empty:
            secret = self._secret_of(local, rest)
            if secret:
                self.inside, self.depth, self.named = name, 1, None
        self.naming = not closing and local.lower() in _NAMING

    def _secret_of(self, local: str, rest: str) -> bool:
        if self.scan.rules.hides(local) or (self.named is not None and local.lower() not in _NAMING):
            return True
        return any(
            found[1].lower() in _NAMING and self.scan.rules.hides(found[3] or found[4] or "")
            for found in _ATTRIBUTE.finditer(rest)
        )

    def _attributes(self, tag: re.Match[str]) -> None:
        found = list(_ATTRIBUTE.finditer(self.text, tag.start(3), tag.end(3)))
        hides = self.scan.rules.hides
        element = tag[2].rpartition(":")[2]
        named = next((one[3] or one[4] or "" for one in found if one[1].lower() in _NAMING), element)
        for one in found:
            group = 3 if one[3] is not None else 4
            start, end = one.span(group)
            name = one[1].rpartition(":")[2]
            if hides(name):
                self._hide(start, end, name)
            elif named and name.lower() in _NAMED and hides(named):
                self._hide(start, end, named)
            else:
                self._look(start, end)

    def _content(self, start: int, end: int) -> None:
        raw = self.text[start:end]
        bare = raw.strip()
        if not bare:
            return
        first = start + raw.index(bare)
        last = first + len(bare)
        if bare.startswith(_CDATA[0]):
            first += len(_CDATA[0])
            last -= len(_CDATA[1]) if bare.endswith(_CDATA[1]) else 0
        if self.inside is not None:
            self._hide(first, last, self.inside)
        else:
            self.named = bare if self.naming and self.scan.rules.hides(bare) else None
            self._look(first, last)

    def _hide(self, start: int, end: int, name: str) -> None:
        secret = self.text[start:end]
        shown = self.scan.hidden(name, secret)
        if shown != secret:
            self.edits.append((start, end, shown))

    def _look(self, start: int, end: int) -> None:
        raw = self.text[start:end]
        plain = _unescaped(raw)
        shown = self.scan.inside(plain)
        if shown != plain:
            self.edits.append((start, end, _escaped(shown) if plain != raw else shown))


def document(text: str, scan: Scan) -> str:
    """Redact XML or HTML."""
    return apply(text, _Reader(text, scan).read())


def _unescaped(raw: str) -> str:
    return _ENTITY.sub(_character, raw) if "&" in raw else raw


def _character(entity: re.Match[str]) -> str:
    name = entity[0][1:-1]
    if name.startswith("#"):
        code = int(name[2:], 16) if name[1] == "x" else int(name[1:])
        return chr(code) if code < 0x110000 else entity[0]
    return {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}[name]


def _escaped(plain: str) -> str:
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        plain = plain.replace(letter, entity)
    return plain
