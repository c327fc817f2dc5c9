"""`curl-interceptor replay FILE`: what a file has kept is delivered to webhooks after all, and only once."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..inspectors.base import Inspector
from ..inspectors.recognise import inspector_for, service_class
from ..policies import check_number
from ..records.redaction import Redaction
from .replay_batches import Batches
from .replay_file import ReplayFile
from .replay_report import Reporter
from .replay_run import Replay
from .replay_state import ReplayState
from .terminal import Terminal

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "run"]

_DESCRIPTION = (
    "Delivers the lines of a file that a FileInspector has written to webhooks: with batches, limits and retries as in "
    "production, with the ids that the records always had, and not again what an earlier replay has delivered."
)
_EPILOG = (
    "Ends with 0 if everything that can be read was delivered, 1 if something failed or is left, 2 if it was not "
    "called rightly, 130 after Ctrl-C. The same command again goes on where it ended. URLs are never printed."
)


def add_parser(subparsers: Subparsers) -> None:
    """Add `replay` to the commands."""
    parser = subparsers.add_parser(
        "replay",
        help="deliver what a file has kept",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", nargs="+", help="a file of a FileInspector, such as undelivered.ndjson")
    parser.add_argument(
        "--to",
        metavar="URL",
        action="append",
        default=[],
        help="a webhook, again and again; - reads standard input",
    )
    parser.add_argument(
        "--to-env", metavar="NAME", action="append", default=[], help="the same, from a variable of the environment"
    )
    parser.add_argument("--service", metavar="NAME", help="whose webhooks they are, where the host does not tell")
    parser.add_argument("--state", metavar="PATH", help="where it is kept how far it has come; default: FILE.replay")
    parser.add_argument("--batch", metavar="NUMBER", type=int, help="most records in a post; default: as in production")
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=float,
        default=300.0,
        help="give up after so long without one; default 300",
    )
    parser.add_argument("--hide", metavar="NAME", action="append", default=[], help="hide what stands under this name")
    parser.add_argument("--keep", metavar="NAME", action="append", default=[], help="keep what stands under this name")
    parser.add_argument("--dry-run", action="store_true", help="send and write nothing; say what would be sent")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replay to each webhook in turn; 0 if nothing failed and nothing is left."""
    if len(options.file) > 1:
        raise ConfigurationError("replay takes one FILE; the URL of a webhook stands behind --to")
    path = options.file[0]
    if "://" in path:
        raise ConfigurationError("FILE is the name of a file; the URL of a webhook stands behind --to")
    check_number("--patience", options.patience, minimum=0, maximum=86_400, unit="seconds")
    if options.batch is not None:
        check_number("--batch", options.batch, minimum=1, maximum=1_000, whole=True, unit="records")
    rules = Redaction(names=options.hide, keep=options.keep)
    inspectors = _inspectors(options)
    report = Reporter(Terminal())
    complete = True
    with ReplayFile(path) as file:
        _check_places(path, file, inspectors)
        kept = bool(inspectors) and not options.dry_run
        with ReplayState(options.state or f"{path}.replay", file, kept=kept) as state:
            if not inspectors:
                report.would(Batches(file, state.of("", "nowhere")), "a webhook")
            for inspector in inspectors:
                progress = state.of(_key(inspector), inspector.label)
                if options.dry_run:
                    report.would(Batches(file, progress), inspector.label)
                    continue
                with Replay(file, state, progress, report, inspector, rules, batch=options.batch) as replay:
                    complete &= replay.run(options.patience)
    return 0 if complete else 1


def _inspectors(options: argparse.Namespace) -> list[Inspector]:
    """Return who is meant, each once."""
    made = inspector_for if options.service is None else service_class(options.service).from_url
    found = {inspector.address: inspector for inspector in map(made, _urls(options))}
    if not found and not options.dry_run:
        raise ConfigurationError("replay needs --to URL, --to-env NAME, or --to - for URLs on standard input")
    return list(found.values())


def _urls(options: argparse.Namespace) -> Iterator[str]:
    for url in options.to:
        if url == "-":
            yield from filter(None, map(str.strip, sys.stdin))
        else:
            yield url
    for name in options.to_env:
        url = os.environ.get(name, "")
        if not url.strip():
            raise ConfigurationError("--to-env: the environment variable that it names is not set, or empty")
        yield url.strip()


def _check_places(path: str, file: ReplayFile, inspectors: list[Inspector]) -> None:
    for inspector in inspectors:
        if inspector.kind == "file" and file.same_as(inspector.address.split(":", 2)[2]):
            raise ConfigurationError(f"--to: {path!r} would be delivered to itself; name another file, or a webhook")


def _key(inspector: Inspector) -> str:
    """Return a name of the address that tells nothing of it."""
    return hashlib.sha256(inspector.address.encode("utf-8", "surrogatepass")).hexdigest()[:32]
