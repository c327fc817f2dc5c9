"""Payloads with files, for services that take them: `multipart/form-data`, the same bytes each time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .base import Entry, Payload

__all__ = ["File", "multipart_payload"]


class File(NamedTuple):
    """A file to attach; field and name are ours: ASCII without quotes and line breaks."""

    field: str
    name: str
    content: bytes
    content_type: str = "text/plain; charset=utf-8"


def multipart_payload(
    entries: Sequence[Entry], fields: Mapping[str, tuple[bytes, str]], files: Sequence[File], *, url: str | None = None
) -> Payload:
    """Return a payload of fields and files.

    Parameters
    ----------
    entries: As for `Payload`.
    fields: Value and content type of each field, by its name.
    files: What is attached.
    url: As for `Payload`.
    """
    parts = [(f'form-data; name="{name}"', content_type, value) for name, (value, content_type) in fields.items()] + [
        (f'form-data; name="{file.field}"; filename="{file.name}"', file.content_type, file.content) for file in files
    ]
    # A digest of the content: the content cannot hold it, and a payload that is made again is the same.
    digest = hashlib.sha256()
    for *_, content in parts:
        digest.update(content)
    boundary = f"curl-interceptor-{digest.hexdigest()}"
    pieces = [
        f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {content_type}\r\n\r\n".encode("ascii")
        + content
        + b"\r\n"
        for disposition, content_type, content in parts
    ]
    body = b"".join([*pieces, f"--{boundary}--\r\n".encode("ascii")])
    return Payload(tuple(entries), body, f"multipart/form-data; boundary={boundary}", url=url)
