"""Texts of others for human eyes: bodies as text, JSON over lines, and nothing that cannot be seen."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

from ..records.patterns import lazy

__all__ = ["body_text", "fence", "in_code", "is_json", "shorten", "unfenced", "utf16", "visible"]

_ODD = lazy(r"[^ -~]")
_ODD_IN_LINES = lazy(r"[^\n\t -~]")
# Letters and marks that show nothing, though Unicode calls them printable: fillers, joiners, variation selectors.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))))

_ELLIPSIS = "…"
_NO_BACKTICK = "\N{MODIFIER LETTER GRAVE ACCENT}"  # looks like one
_LONGEST_CLUSTER = 16  # steps back from a cut; whoever piles up more marks than this may lose some

_TOKEN = lazy(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_DEEPEST = 24  # levels that are indented; deeper ones stay below each other
_LONGEST_CHECKED = 65_536  # bytes that are parsed to find out whether a text without that content type is JSON


def visible(text: str, *, lines: bool = False) -> str:
    """Return a text in which everything can be seen.

    Escaped are control characters, marks of direction, characters without a width and lone surrogates.

    Parameters
    ----------
    text: Any text.
    lines: True keeps line breaks and tabs; otherwise the result is one line.
    """
    if text.isascii() and text.isprintable():
        return text
    if lines:
        return _ODD_IN_LINES.sub(_shown, text.replace("\r\n", "\n"))
    return _ODD.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    return _escaped(found[0])


@lru_cache(maxsize=4_096)
def _escaped(letter: str) -> str:
    if letter in _UNSEEN or letter in _SELECTORS:
        return ascii(letter)[1:-1]
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    return ascii(letter)[1:-1]


def shorten(text: str, most: int, measure: Callable[[str], int] = len) -> str:
    """Return the text, or the longest head of it that has room together with a `…`; empty where not even that has.

    A cut does not part a letter from its accents.

    Parameters
    ----------
    text: What `visible` gave.
    most: How much there is room for, as `measure` counts.
    measure: Counts a text, at least 1 for each character, and never less for a longer one.
    """
    if len(text) <= most and measure(text) <= most:
        return text
    room = most - measure(_ELLIPSIS)
    if room < 0:
        return ""
    fits, beyond = 0, min(len(text), room) + 1
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if measure(text[:middle]) <= room:
            fits = middle
        else:
            beyond = middle
    for end in range(fits, max(0, fits - _LONGEST_CLUSTER), -1):
        if end == len(text) or not _continues(text[end]):
            fits = end
            break
    return text[:fits].rstrip() + _ELLIPSIS


def _continues(letter: str) -> bool:
    """Whether a letter belongs to the one before: an accent, or the tone of a skin."""
    return not letter.isascii() and (
        unicodedata.category(letter) in ("Mn", "Mc", "Me") or "\U0001f3fb" <= letter <= "\U0001f3ff"
    )


def utf16(text: str) -> int:
    """Count a text as services written in JavaScript or Java do: most emoji count twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def in_code(text: str) -> str:
    """Return one line as code of Markdown, where nothing is markup, a mention or a link; it is longer by 2."""
    return f"`{text.replace('`', _NO_BACKTICK)}`"


def fence(text: str, language: str = "") -> str:
    """Return a text as a block of code; it must not hold three backticks in a row, see `unfenced`."""
    return f"```{language}\n{text}\n```"


def unfenced(text: str) -> str:
    """Return a text that does not end the code block of Markdown around it, and is no longer than before."""
    return text.replace("``", f"`{_NO_BACKTICK}")


def body_text(body: bytes, content_type: str, *, complete: bool, most: int) -> str:
    """Return the head of a body as a text to be read: JSON indented, other texts as they are.

    Parameters
    ----------
    body: The bytes that are known of it.
    content_type: As the message says; it is not believed blindly.
    complete: Whether `body` is all of it.
    most: Most characters of the result.
    """
    head = body[: 4 * most]
    text = _decoded(head)
    if text is None:
        return f"({len(body):,} bytes that are no text)"
    if is_json(body, content_type, complete=complete):
        text = "".join(_indented(text, most))
    return shorten(visible(text, lines=True).strip(), most)


def is_json(body: bytes, content_type: str, *, complete: bool) -> bool:
    """Whether a body is JSON: by its content type, or because it can be read as such."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return False
    if "json" in content_type.lower():
        return True
    if not complete or len(body) > _LONGEST_CHECKED:
        return False
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _decoded(head: bytes) -> str | None:
    """Return the text of a body that may end within a character; None for what is hardly any text."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace")
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    odd = sum(not letter.isprintable() and letter not in "\n\r\t" for letter in text)
    return None if odd * 10 > len(text) else text


def _indented(text: str, most: int) -> Iterator[str]:
    """Yield JSON over lines, from the tokens alone: numbers stay as they were written, and a head is enough."""
    depth, size, opened = 0, 0, False
    for found in _TOKEN.finditer(text):
        token = found[0]
        closes = token in ("}", "]")
        if closes:
            depth = max(0, depth - 1)
        if token == ",":
            piece = "," + _break(depth)
        elif token == ":":
            piece = ": "
        elif closes and not opened:
            piece = _break(depth) + token
        else:
            piece = ("" if closes or not opened else _break(depth)) + _readable(token)
        opened = token in ("{", "[")
        depth += opened
        yield piece
        size += len(piece)
        if size > most:
            return


def _break(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST)


def _readable(token: str) -> str:
    """Return a token of JSON; letters that were escaped only because they are not ASCII come back."""
    if "\\u" not in token:
        return token
    try:
        return json.dumps(json.loads(token), ensure_ascii=False)
    except ValueError:
        return token
