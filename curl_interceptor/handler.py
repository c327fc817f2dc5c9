"""A handler of Python's `logging` that sends what is logged as notices."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .capturing import Capturing
from .delivery.announcement import raw_notice
from .delivery.guard import in_delivery
from .delivery.pipeline import Pipeline, default_pipeline
from .errors import ConfigurationError
from .inspectors.given import is_dotted_path, load
from .inspectors.options import DELIVERY_KEYWORDS, nearest
from .policies import shown
from .records.notice import Level
from .records.place import Place

__all__ = ["NoticeHandler"]

_OWN = "curl_interceptor"
_LONGEST_KEY = 500
_OPTIONS = DELIVERY_KEYWORDS | {"redaction", "pipeline"}
# What every record of `logging` has; all else was given as `extra=`.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class NoticeHandler(logging.Handler):
    """Sends what is logged: a message, or with `exc_info` a bug report. It never waits, and never raises.

    Left out is what this library logs, and what is logged while it delivers. Records with one template (`"order %s
    failed"`) of one logger are equal for the cooldown; exceptions, if they are of one class and from one line. It has
    nothing to flush: the pipeline delivers at the end of the process what was logged before.

    Parameters
    ----------
    target:
        An adapter or a pipeline, whose inspectors get what is logged, or the dotted path of one, which is imported when
        something is first logged. Default: all inspectors of all adapters, by the process's pipeline.
    inspectors:
        Inspectors, webhook URLs or dotted paths of its own, in the place of a target.
    level:
        What is sent, a number or a name. Default `"ERROR"`.
    options:
        With `inspectors`: `redaction`, `pipeline`, and the delivery keywords, as for `CaptureMixin`.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    def __init__(
        self, target: Any = None, *, inspectors: Any = None, level: int | str = logging.ERROR, **options: Any
    ) -> None:
        try:
            super().__init__(level)
        except (TypeError, ValueError):
            raise ConfigurationError(f"level must be a number or a name such as 'ERROR', got {shown(level)}") from None
        self._here = threading.local()
        self._target = _checked(target) if inspectors is None else _own_sender(inspectors, target, options)
        if options and inspectors is None:
            name = next(iter(options))
            raise ConfigurationError(f"{name} is for inspectors of the handler's own; say inspectors=[...]")

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record over."""
        # What is logged while a record is made ready would come here again, for ever.
        if getattr(self._here, "busy", False) or in_delivery() or _is_ours(record):
            return
        self._here.busy = True
        try:
            self._send(record)
        except Exception:
            self.handleError(record)
        finally:
            self._here.busy = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Count the record; nothing is printed, whatever `logging.raiseExceptions` says."""
        with suppress(Exception):
            lazy = self._target is None or isinstance(self._target, str)
            (default_pipeline() if lazy else self._target)._count_unsent_notice()

    def _send(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else record.exc_info
        extra = {name: value for name, value in vars(record).items() if name not in _USUAL}
        raw = raw_notice(
            "bug_report" if error else "message",
            self._text(record),
            error or None,
            level=_level(record.levelno),
            extra={"logger": record.name, **extra},
            caller=Place(str(record.pathname), int(record.lineno or 0), str(record.funcName)),
            key=f"{record.name} {record.msg[:_LONGEST_KEY]}" if isinstance(record.msg, str) else "",
        )
        self._found()._announce_notice(raw._replace(started=record.created), ())

    def _text(self, record: logging.LogRecord) -> object:
        try:
            if self.formatter is None:
                return record.getMessage()
            bare = copy.copy(record)  # the traceback is told by itself
            bare.exc_info = bare.exc_text = bare.stack_info = None
            return self.formatter.format(bare)
        except Exception:  # arguments that do not fit the template
            return record.msg

    def _found(self) -> Any:
        """Return what sends."""
        if self._target is None:
            return default_pipeline()
        if isinstance(self._target, str):
            found = load("target", self._target)
            self._target = _checked(found)
        return self._target


def _checked(target: Any) -> Any:
    """Return what may be a target; a dotted path is left for later, since logging is set up before all else."""
    path = isinstance(target, str) and is_dotted_path(target)
    if target is not None and not path and not isinstance(target, (Capturing, Pipeline)):
        raise ConfigurationError(
            f"target must be an adapter, a pipeline, or the dotted path of one, got {shown(target)}; "
            f"webhook URLs are given as inspectors=[...]"
        )
    return target


def _own_sender(inspectors: Any, target: Any, options: Mapping[str, Any]) -> Capturing:
    """Return what sends to inspectors of the handler's own."""
    if target is not None:
        raise ConfigurationError("target and inspectors are both given; leave one of them out")
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(f"NoticeHandler got an unknown keyword {name!r}{nearest(name, _OPTIONS)}")
    return Capturing(inspectors=inspectors, **options)


def _is_ours(record: logging.LogRecord) -> bool:
    name = str(record.name)
    return name == _OWN or name.startswith(f"{_OWN}.")


def _level(number: int) -> Level:
    return "error" if number >= logging.ERROR else "warning" if number >= logging.WARNING else "info"
