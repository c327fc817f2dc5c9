"""
Bodies as bytes: undoing what hides text in them, and doing it again after the search.

A body in which nothing is found stays byte for byte. One that cannot be looked into is left out, for it might hold
anything.
"""

from __future__ import annotations

import gzip
import zlib
from typing import NamedTuple

from .kinds import content
from .scan import Scan

__all__ = ["Body", "redact_body"]

_LARGEST = 4 * 1024 * 1024  # characters that a compressed body may grow to
_WIDE = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_UNKNOWN_CODINGS = frozenset(
    ["br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip", "lzma", "xz"]
)
_MAGIC = (b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh")


class Body(NamedTuple):
    """What may be shown of a body."""

    data: bytes | None
    """None if it is left out."""
    note: str = ""
    """What was done to it that its bytes do not tell."""


def redact_body(data: bytes, scan: Scan, *, content_type: str = "", coding: str = "", whole: bool = True) -> Body:
    """Redact a body.

    Parameters
    ----------
    data: The body, or its head.
    scan: The search.
    content_type: Value of the `Content-Type` header.
    coding: Value of the `Content-Encoding` header.
    whole: Whether `data` is all of it.
    """
    if data[:2] == b"\x1f\x8b":
        return _compressed(data, scan, content_type, 31, whole)
    names = {name.strip() for name in coding.lower().split(",")} if coding else frozenset()
    if names & {"deflate", "zlib"} and not _is_text(data):
        return _compressed(data, scan, content_type, 15 if _has_zlib_head(data) else -15, whole)
    if (names & _UNKNOWN_CODINGS and not _is_text(data)) or data.startswith(_MAGIC):
        return Body(None, "left out: its compression cannot be looked into")
    return Body(_plain(data, scan, content_type))


def _is_text(data: bytes) -> bool:
    """Whether it reads as text, so that it was decoded already whatever the header says."""
    head = data[:512]
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and len(head) == 512
    return b"\0" not in head and not any(byte < 9 for byte in head)


def _has_zlib_head(data: bytes) -> bool:
    return len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0


def _compressed(data: bytes, scan: Scan, content_type: str, bits: int, whole: bool) -> Body:
    """Redact what is compressed, and compress it again, so that it still is what the headers say."""
    reader = zlib.decompressobj(bits)
    try:
        plain = reader.decompress(data, _LARGEST)
    except zlib.error:
        return Body(None, "left out: it cannot be decompressed")
    if reader.unconsumed_tail:
        return Body(None, "left out: decompressed it is too large to be looked into")
    if reader.unused_data:
        return Body(None, "left out: something follows its compressed part")
    shown = _plain(plain, scan, content_type)
    if shown == plain:
        return Body(data)
    if not whole or not reader.eof:
        return Body(None, "left out: it is compressed, not whole, and holds secrets")
    if bits == 31:
        return Body(gzip.compress(shown, mtime=0), "compressed again after redaction")
    writer = zlib.compressobj(wbits=bits)
    return Body(writer.compress(shown) + writer.flush(), "compressed again after redaction")


def _plain(data: bytes, scan: Scan, content_type: str) -> bytes:
    charset = _wide_charset(data)
    if charset:
        rest = len(data) % (4 if "32" in charset else 2)
        head, tail = data[: len(data) - rest], data[len(data) - rest :]
        text = head.decode(charset, "replace")
        shown = content(text, scan, content_type)
        return data if shown == text else shown.encode(charset, "replace") + tail
    text = data.decode("utf-8", "surrogateescape")
    shown = content(text, scan, content_type)
    return data if shown == text else shown.encode("utf-8", "surrogateescape")


def _wide_charset(data: bytes) -> str:
    """Return the charset of a text with several bytes a character, by its mark or its zeros; empty for others."""
    head = data[:400]
    if data.isascii() and b"\0" not in head:  # nearly always
        return ""
    for mark, charset in _WIDE:
        if data.startswith(mark):
            return charset
    if head.count(0) * 5 < len(head) * 2 or len(head) < 8:
        return ""
    if not any(head[1::2]):
        return "utf-16-le"
    if not any(head[0::2]):
        return "utf-16-be"
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if min(even, odd) * 4 > max(even, odd):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"
