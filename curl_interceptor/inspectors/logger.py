"""Records as lines of a Python logger: what happens when no inspector is given."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ..dialects import render
from ..errors import ConfigurationError
from ..policies import check_flag, shown
from ..records.notice import Notice
from .base import Entry, Inspector, Payload
from .document import document
from .message import level_of
from .readable import visible

__all__ = ["INSPECTOR", "LoggingInspector"]


_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}


class LoggingInspector(Inspector):
    """Writes each record as one line to a logger.

    Parameters
    ----------
    logger: The logger or its name. Default `"curl_interceptor"`.
    level:
        Level of the lines, a number or a name such as `"WARNING"` (the default). `"outcome"` chooses by what happened:
        `ERROR` for exceptions and 5xx, `WARNING` for 4xx, `INFO` for all else.
    fields:
        True gives each line the attribute `call` beside its text, for handlers that write JSON: a dictionary with the
        command, method, URL, status, error, times and labels, without headers and bodies. Default False.
    options: The keywords of `Inspector`.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    """

    kind = "logging"

    def __init__(
        self,
        logger: str | logging.Logger = "curl_interceptor",
        *,
        level: int | str = "WARNING",
        fields: bool = False,
        **options: Any,
    ) -> None:
        name = logger.name if isinstance(logger, logging.Logger) else logger
        if not isinstance(name, str) or not name.strip() or "://" in name:
            raise ConfigurationError(f"logger must be the name of a logger such as 'my_app.calls', got {shown(logger)}")
        number = logging.getLevelName(level.strip().upper()) if isinstance(level, str) else level
        self._by_outcome = level == "outcome"
        if self._by_outcome:
            number = logging.NOTSET
        elif isinstance(number, bool) or not isinstance(number, int):
            raise ConfigurationError(
                f"level must be a number, a name such as 'WARNING', or 'outcome', got {shown(level)}"
            )
        check_flag("fields", fields)
        self._name = name
        self._fields = fields
        self.level = number
        # A lane has one inspector: another form of lines is another address.
        super().__init__(f"logging:{name}:{'outcome' if self._by_outcome else number}{':fields' * fields}", **options)

    def check_address(self, address: str) -> str:
        """Every logger's name will do."""
        return address

    def default_label(self) -> str:
        """Return the logger's name: it is no secret."""
        return f"{self.kind}:{self._name}"

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return one payload a record, so that each is a line of its own."""
        return [
            Payload((entry,), self._line(entry).encode("utf-8"), "text/plain", tuple(self._beside(entry)))
            for entry in entries
        ]

    def _beside(self, entry: Entry) -> Iterator[tuple[str, str]]:
        """Yield the level of the line where the address has none, and the fields as JSON."""
        if self._by_outcome:
            yield "level", str(_LEVELS[level_of(entry)])
        if self._fields:
            yield "call", json.dumps(document(entry, plain=True), ensure_ascii=True, allow_nan=False)

    def _line(self, entry: Entry) -> str:
        repeats = f" ({_repeats(entry)})" if entry.suppressed else ""
        if isinstance(entry, Notice):
            return visible(f"{entry.outcome}{repeats}{entry.summary[len(entry.outcome) :]}")
        names = " ".join(f"${name}" for name in dict.fromkeys(name for name, _ in entry.variables))
        needs = f", set {names} first" if names else ""
        return f"{visible(entry.outcome)} after {entry.elapsed * 1000:.0f} ms{repeats}{needs}: {render(entry)}"


def _repeats(entry: Entry) -> str:
    """How many equals the entry stands for, from the first one to itself, in local time as loggers have it."""
    count = f"x{entry.suppressed + 1}"
    try:
        since, last = (time.strftime("%H:%M:%S", time.localtime(at)) for at in (entry.suppressed_since, entry.started))
    except (ValueError, OverflowError, OSError):  # a clock that tells no time
        return count
    return f"{count} from {since} to {last}" if entry.suppressed_since is not None else count


INSPECTOR = LoggingInspector
