"""Writing on a terminal: what others sent stays text there, and colour is used only where it is wanted."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Literal, TextIO

from ..delivery.console import wants_colour

__all__ = ["Style", "Terminal", "printable"]

Style = Literal["bold", "dim", "red", "green"]

_CODES: dict[Style, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32"}


def printable(text: str) -> str:
    """Return the text with all that could steer a terminal written as an escape; line breaks stay."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


class Terminal:
    """Prints lines that are safe to look at.

    Parameters
    ----------
    stream: Where to write; None means standard output.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._encoding = self._stream.encoding or "utf-8"
        self._colours = wants_colour(self._stream)
        self.interactive = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        """Whether somebody looks at it who can be shown a line that changes."""
        self._moving = False

    def show(self, text: str) -> None:
        """Show a line in the place of the one that was shown before, until something is said; on a terminal only."""
        if self.interactive:
            room = max(20, shutil.get_terminal_size().columns - 1)
            line = printable(text).replace("\n", " ")[:room].encode(self._encoding, "replace").decode(self._encoding)
            print(f"\r\033[K{line}", end="", file=self._stream, flush=True)
            self._moving = True

    def clear(self) -> None:
        """Take away the line that is shown."""
        if self._moving:
            print("\r\033[K", end="", file=self._stream, flush=True)
            self._moving = False

    def say(self, text: str = "", style: Style | None = None) -> None:
        """Print one text and a line break."""
        self.clear()
        safe = printable(text).encode(self._encoding, "backslashreplace").decode(self._encoding)
        if style is not None and self._colours and safe:
            safe = f"\033[{_CODES[style]}m{safe}\033[0m"
        print(safe, file=self._stream, flush=True)
