"""`curl-interceptor redact < FILE`: what a text would look like outside, for those who doubt or tune the redaction."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..records.redaction import Redaction, redact_text

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Subparsers) -> None:
    """Add `redact` to the commands."""
    parser = subparsers.add_parser(
        "redact",
        help="show what a text would look like after redaction",
        description="Reads a text from standard input, such as a body, a log or a command, and writes it to standard "
        "output as it would leave your process. Nothing else is read or written.",
    )
    parser.add_argument("--hide", metavar="NAME", action="append", default=[], help="hide what stands under this name")
    parser.add_argument("--keep", metavar="NAME", action="append", default=[], help="keep what stands under this name")
    parser.add_argument("--numbered", action="store_true", help="number the markers: the same secret, the same number")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Redact standard input; always 0."""
    rules = Redaction(names=options.hide, keep=options.keep, numbered=options.numbered)
    # As bytes, so that line ends and whatever is no UTF-8 come out as they went in.
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    sys.stdout.buffer.write(redact_text(text, rules).encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
    return 0
