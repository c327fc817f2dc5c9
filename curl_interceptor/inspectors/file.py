"""Records as lines of a file: for what no webhook took, or instead of one."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigurationError
from ..policies import MB, check_number, shown
from .base import Entry, Inspector, Payload
from .document import document

__all__ = ["FileInspector"]


class FileInspector(Inspector):
    """Appends each record as one line of JSON to a file (NDJSON): the document that the generic webhook posts.

    The file is created with mode 0600 when the first record comes; several processes may share it. Above `max_bytes` it
    becomes its sibling `….1`, in the place of an older one, so that both together never hold more than twice that.
    Lines are not forced to the disk. A file that is a symbolic link, has other names, or belongs to neither this user
    nor root is not written to: deliveries fail then, and go to the next fallback.

    Parameters
    ----------
    path:
        The file; its directory has to exist. A relative path counts from where the process is now.
    max_bytes:
        Size up to which the file grows, 100,000 to 1,000,000,000,000 bytes. Default 50 MB.
    options: The keywords of `Inspector`.

    Raises
    ------
    ConfigurationError
        If a value cannot be used, or the directory does not exist or cannot be written to.
    """

    kind = "file"

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = 50 * MB, **options: Any) -> None:
        check_number("max_bytes", max_bytes, minimum=100_000, maximum=1_000_000 * MB, whole=True, unit="bytes")
        self.path = _checked(path)
        super().__init__(f"file:{max_bytes}:{self.path}", **options)

    def check_address(self, address: str) -> str:
        """Its path was looked at already."""
        return address

    def default_label(self) -> str:
        """Return the path: it is no secret."""
        return f"file:{self.path}"

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return one payload with a line for each entry; plain leaves the bodies and headers out."""
        lines = [
            json.dumps(document(entry, plain=plain), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
            for entry in entries
        ]
        return [Payload(tuple(entries), "".join(f"{line}\n" for line in lines).encode("ascii"), "application/x-ndjson")]


def _checked(path: object) -> str:
    """Return the absolute path, or say what is wrong with it."""
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ConfigurationError(f"path must be that of a file such as '/var/log/app/calls.ndjson', got {shown(path)}")
    whole = os.path.abspath(name)
    folder = os.path.dirname(whole)
    if not os.path.isdir(folder):
        raise ConfigurationError(f"path: the directory {folder!r} does not exist; create it, or name another one")
    try:
        found: os.stat_result | None = os.lstat(whole)
    except OSError:
        found = None
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"path: {whole!r} is no regular file; name a file, not a directory or a link to one")
    if not os.access(folder, os.W_OK) or (found is not None and not os.access(whole, os.W_OK)):
        raise ConfigurationError(f"path: {whole!r} cannot be written to by this user; change its owner or name another")
    return whole


INSPECTOR = FileInspector
