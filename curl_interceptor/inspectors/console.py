"""The console: a block of lines for each entry, on standard error or any other stream of text."""

from __future__ import annotations

import io
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

from ..dialects.posix import wrapped
from ..errors import ConfigurationError
from ..policies import BatchPolicy, check_flag, check_number, shown
from ..records.notice import Notice
from .base import Entry, Inspector, Payload
from .held import Held, hold
from .message import Message, Room, describe, fit

__all__ = ["INSPECTOR", "ConsoleInspector"]

_ROOM = Room(total=40_000, command=32_000, section=2_000)
_LIGHTS = {"error": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE ORANGE CIRCLE}", "info": "\N{LARGE BLUE CIRCLE}"}
_COLOURS = {"error": "1;31", "warning": "1;33", "info": "1;36"}
_FAINT = "2"
_BAR = "  │ "
_STREAMS = ("stderr", "stdout")
_ORDERS = ("calls", "events")
_COLOR = {None: "auto", True: "always", False: "never"}


class ConsoleInspector(Inspector):
    """Prints each record as a block of lines: what happened, the command, the facts, the head of the response.

    For development, and for containers whose standard error is collected. Delivered in the background like everything
    else: a terminal that is held, or a pipe that nobody reads, holds up no call. The command is the exact one, and
    stands at the left margin; its lines are broken between two options only, so it runs as it is copied. Whatever
    calls and answers hold, nothing of it can steer the terminal, and what the stream's encoding lacks comes as escapes.

    Parameters
    ----------
    stream:
        `"stderr"` (the default) or `"stdout"`, looked up in `sys` at each delivery, or a text stream that is open.
    order:
        `"calls"` (the default) prints a block a call, in the order in which calls ended. `"events"` prints request and
        outcome as two blocks, each at its time among those of the same batch. A call is captured at its end, so its
        request is never printed before that.
    color:
        True or False. Default None: on a terminal, unless the environment has `NO_COLOR` or `TERM=dumb`.
    emoji:
        False leaves out the circles that tell errors from warnings. Default True.
    width:
        Characters of a line, 40 to 1,000. Default 100. An option of the command that is longer than this stays whole.
    options:
        The keywords of `Inspector`. By default a batch waits 0.1 s.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    kind = "console"
    defaults = MappingProxyType({"batch": BatchPolicy(100, 0.1)})

    def __init__(
        self,
        stream: Any = "stderr",
        *,
        order: Literal["calls", "events"] = "calls",
        color: bool | None = None,
        emoji: bool = True,
        width: int = 100,
        **options: Any,
    ) -> None:
        if order not in _ORDERS:
            raise ConfigurationError(f"order must be 'calls' or 'events', got {shown(order)}")
        if color is not None:
            check_flag("color", color)
        check_flag("emoji", emoji)
        check_number("width", width, minimum=40, maximum=1_000, whole=True, unit="characters")
        self._held, self._name = _checked(stream)
        self._events = order == "events"
        self._emoji = emoji
        self._width = width
        # A lane has one inspector: what makes blocks look otherwise makes another address.
        look = f"{_COLOR[color]}:{order}:{'emoji' if emoji else 'plain'}:{width}"
        super().__init__(f"console:{self._name}:{look}", **options)

    def check_address(self, address: str) -> str:
        """The stream was looked at already."""
        return address

    def default_label(self) -> str:
        """Return the stream's name, or its type."""
        return f"{self.kind}:{self._name if self._held is None else type(self._held.thing).__name__}"

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return one payload of blocks in UTF-8, with their colours; plain ones have neither colours nor circles."""
        blocks = [block for entry in entries for block in self._blocks(entry, plain)]
        if self._events:
            blocks.sort(key=lambda block: block[0])
        text = "".join(f"{line}\n" for _, lines in blocks for line in (*lines, ""))
        return [Payload(tuple(entries), text.encode("utf-8"), "text/plain; charset=utf-8")] if entries else []

    # -- the shape ----------------------------------------------------------------------------------------------------

    def _blocks(self, entry: Entry, plain: bool) -> Iterable[tuple[float, list[str]]]:
        """Yield the blocks of an entry, and when what they tell of happened."""
        message = describe(entry)
        if isinstance(entry, Notice):
            yield _known(entry.started), self._notice(fit(message, _ROOM), plain)
            return
        if message.command:
            message = replace(message, command=wrapped(entry, self._width))
        message = fit(message, _ROOM)
        title = [self._title(message, message.title, plain)]
        command = message.command.split("\n") if message.command else []
        if not self._events:
            yield 0.0, [*title, *self._facts(message, plain), *command, *self._sections(message)]
            return
        began, mark = _known(entry.started), f"[{entry.id[:8]}]"
        ended = began + max(0.0, _known(entry.duration or entry.elapsed))
        yield began, [self._faint(f"{mark} {message.request}", plain), *command]
        yield ended, [self._title(message, f"{mark} {message.title}", plain), *self._facts(message, plain),
                      *self._sections(message)]  # fmt: skip

    def _notice(self, message: Message, plain: bool) -> list[str]:
        title = self._title(message, message.title, plain)
        return [title, *self._facts(message, plain), *self._lines(message.text), *self._sections(message)]

    def _title(self, message: Message, text: str, plain: bool) -> str:
        light = f"{_LIGHTS[message.level]} " if self._emoji and not plain else ""
        return f"{light}{text if plain else _coloured(text, _COLOURS[message.level])}"

    def _faint(self, text: str, plain: bool) -> str:
        return text if plain else _coloured(text, _FAINT)

    def _facts(self, message: Message, plain: bool) -> list[str]:
        """Return facts and origin, as many beside each other as a line has room for."""
        lines: list[str] = []
        for text in (*(f"{name}: {value}" for name, value in message.facts), message.origin):
            longer = f"{lines[-1]} · {text}" if lines else text
            if lines and text and _columns(longer) <= self._width - 2:
                lines[-1] = longer
            elif text:
                lines += _folded(text, self._width - 2)
        return [f"  {self._faint(line, plain)}" for line in lines]

    def _sections(self, message: Message) -> list[str]:
        """Return bodies behind a bar, which tells their lines from all others."""
        lines = []
        for name, text, _ in message.sections:
            lines += [f"  {name}", *self._lines(text)]
        return lines

    def _lines(self, text: str) -> list[str]:
        lines = text.expandtabs(4).split("\n") if text else []
        return [f"{_BAR}{piece}" for line in lines for piece in _folded(line, self._width - len(_BAR))]


INSPECTOR = ConsoleInspector


def _checked(stream: Any) -> tuple[Held | None, str]:
    """Return what keeps a stream, and its name; those of `sys` are not kept, for they may be replaced."""
    if isinstance(stream, str) and stream in _STREAMS:
        return None, stream
    remedy = "say 'stderr', 'stdout', or give a text stream such as open('calls.log', 'a', encoding='utf-8')"
    if isinstance(stream, str) or not callable(getattr(stream, "write", None)):
        raise ConfigurationError(f"stream must be one of text, got {shown(stream)}; {remedy}")
    if isinstance(stream, (io.RawIOBase, io.BufferedIOBase)) or "b" in str(getattr(stream, "mode", "")):
        raise ConfigurationError(f"stream must be one of text, not of bytes; {remedy}")
    if getattr(stream, "closed", False):
        raise ConfigurationError(f"stream is closed; {remedy}")
    found = hold(stream)
    return found, found.name


def _known(seconds: float | None) -> float:
    return seconds if seconds is not None and math.isfinite(seconds) else 0.0


def _coloured(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m"


# Lines of a width.

_WORD = re.compile(r"\s*\S+\s*|\s+")


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: letters of East Asia take two, accents none."""
    return len(text) if text.isascii() else sum(map(_column, text))


def _column(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _folded(line: str, width: int) -> list[str]:
    """Return one line as several of at most so many columns: broken between words where there are any."""
    lines, room = [""], width
    for word in _WORD.findall(line):
        if not _fits(word.rstrip(), room) and lines[-1].strip():
            lines[-1] = lines[-1].rstrip()
            lines.append("")
            room = width
            word = word.lstrip()
        while not _fits(word.rstrip(), room):
            size = max(_fitting(word, room), 1)
            lines[-1] += word[:size]
            lines.append("")
            word, room = word[size:], width
        lines[-1] += word
        room -= _columns(word)
    return [*lines[:-1], lines[-1].rstrip()]


def _fits(text: str, room: int) -> bool:
    return _fitting(text, room) == len(text)


def _fitting(text: str, room: int) -> int:
    """Return how many characters fit; no more of the text is looked at, however long it is."""
    if text.isascii():
        return min(len(text), max(room, 0))
    for size, letter in enumerate(text):
        room -= _column(letter)
        if room < 0:
            return size
    return len(text)
