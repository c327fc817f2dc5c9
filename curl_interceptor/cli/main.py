"""Finding the command that was asked for, and turning what comes of it into an exit code."""

from __future__ import annotations

import argparse
import os
import pkgutil
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from ..errors import ConfigurationError
from ..records.redaction import Redaction, redact_text
from ..version import __version__

__all__ = ["main"]

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"]+", re.IGNORECASE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `curl-interceptor` and return its exit code.

    0 says that the command did what it is for, 1 that it did not, 2 that it was not called rightly.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()  # here, where a reader that went away can still be dealt with
        return code
    except ConfigurationError as error:
        parser.explain(str(error))
    except BrokenPipeError:  # such as `curl-interceptor demo | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """Refuses a call without repeating a URL: what was given in the wrong place may be a webhook's."""

    def error(self, message: str) -> NoReturn:
        self.explain(_URL.sub("(a URL)", redact_text(message, Redaction())))

    def explain(self, sentence: str) -> NoReturn:
        """End with a sentence of ours, which repeats no URL."""
        super().error(sentence)


def _parser() -> _Parser:
    parser = _Parser(prog="curl-interceptor", description="Failed requests calls as curl commands, at your webhooks.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _commands():
        command.add_parser(subparsers)
    return parser


def _commands() -> Iterator[ModuleType]:
    """A command is a module of this folder that has an `add_parser`; there is no list to keep."""
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = import_module(f"{__package__}.{found.name}")
        if hasattr(module, "add_parser"):
            yield module
