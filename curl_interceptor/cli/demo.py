"""`curl-interceptor demo`: real calls that fail on this machine, and what a webhook gets of them."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from ..adapter import mount
from ..delivery.pipeline import Pipeline
from ..inspectors import WebhookInspector
from ..observe.stats import Stats
from ..policies import BatchPolicy, RetryPolicy, TransportPolicy
from .demo_servers import FailingApi, Receiver
from .terminal import Terminal

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "run"]

SECRET = "not-for-other-eyes-4711"
PATIENCE = 5.0
"""Seconds that a webhook has to take everything."""


@dataclass(frozen=True)
class Call:
    """One call of the app, and the outcome that it is made for."""

    method: str
    url: str
    outcome: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Method and path: what tells the calls of the demo apart."""
        return f"{self.method} {urlsplit(self.url).path}"


def add_parser(subparsers: Subparsers) -> None:
    """Add `demo` to the commands."""
    parser = subparsers.add_parser(
        "demo",
        help="let calls fail on this machine and show what a webhook gets",
        description="Sends real requests to an API on this machine that fails in many ways, delivers the failures to a "
        "webhook receiver on this machine, and prints the curl commands as they arrived there.",
    )
    parser.add_argument("--webhook", metavar="URL", type=_url, help="deliver to this webhook of yours, too")
    parser.set_defaults(run=run)


def _url(text: str) -> str:
    """An empty text is what a shell makes of a variable that is not set: no reason to deliver nowhere in silence."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the URL is empty")
    return text


def run(options: argparse.Namespace) -> int:
    """Play the demo; 0 if everything arrived where it should, and nothing else did."""
    terminal = Terminal()
    with FailingApi() as api, Receiver() as receiver, requests.Session() as session:
        session.trust_env = False  # a proxy or a .netrc has no part in this
        session.headers["Authorization"] = f"Bearer {SECRET}"
        here = WebhookInspector(receiver.url, label="demo receiver", transport=TransportPolicy(trust_env=False))
        pipeline = Pipeline()
        adapter = mount(
            session,
            here,
            options.webhook,
            cooldown=None,
            batch=BatchPolicy(size=10, seconds=0.2),
            retry=RetryPolicy(retries=1, wait=0.2),
            pipeline=pipeline,
        )

        calls = _calls(api)
        terminal.say(f"An app makes {len(calls)} calls, each with the secret {SECRET!r}. What it sees:\n", "bold")
        for call in calls:
            terminal.say(f"  {call.name:<24} {_make(session, call)}")

        adapter.flush(PATIENCE)
        stats = adapter.stats()
        pipeline.close(2.0)

        documents = receiver.documents()
        terminal.say(f"\nWhat arrived at the webhook, in {_count(len(receiver.posts), 'post')}:", "bold")
        for document in documents:
            _show(terminal, document)
        _show_stats(terminal, stats)

        if stats.accepted == 0:
            complaints = ["Nothing was captured: does CURL_INTERCEPTOR_ENABLED in the environment switch it off?"]
        else:
            complaints = [*_missing(calls, documents), *_leaks(receiver.posts), *_undelivered(stats, documents)]
    for complaint in complaints:
        terminal.say(complaint, "red")
    if not complaints:
        terminal.say("Every failure arrived, the success did not, and the secret stayed here.", "green")
    return 1 if complaints else 0


def _calls(api: FailingApi) -> list[Call]:
    return [
        Call("GET", f"{api.url}/v1/status", "200"),
        Call("POST", f"{api.url}/v1/payments", "500", {"json": {"amount": 1250, "note": "it's for the café"}}),
        Call("GET", f"{api.url}/v1/customers/42", "404", {"params": {"access_token": SECRET, "page": 2}}),
        Call("GET", f"{api.url}/v1/reports", "503"),
        Call("GET", f"{api.url}/v1/reset", "ConnectionError"),
        Call("GET", f"{api.url}/v1/stalled", "ReadTimeout", {"timeout": 0.3}),
        Call("GET", f"{api.refused_url}/v1/orders", "ConnectionError"),
        Call("GET", f"{api.tls_url}/v1/accounts", "SSLError"),
    ]


def _make(session: requests.Session, call: Call) -> str:
    """Make the call as an app would, and tell what came of it."""
    try:
        response = session.request(call.method, call.url, **{"timeout": 5, **call.arguments})
    except requests.RequestException as error:
        return type(error).__name__
    return f"{response.status_code} {response.reason}"


def _outcome(document: Mapping[str, Any]) -> str:
    return document["error"]["type"].rpartition(".")[2] if document["error"] else str(document["status"])


def _name(document: Mapping[str, Any]) -> str:
    return f"{document['method']} {urlsplit(document['url']).path}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _show(terminal: Terminal, document: Mapping[str, Any]) -> None:
    terminal.say(f"\n# {_name(document)}: {_outcome(document)} after {document['elapsed'] * 1000:.0f} ms", "bold")
    if document["error"]:
        terminal.say(f"# {document['error']['message']}", "dim")
    terminal.say(document["curl"])


def _show_stats(terminal: Terminal, stats: Stats) -> None:
    terminal.say("\nThe books:", "bold")
    dropped = sum(stats.dropped.values())
    terminal.say(
        f"  pipeline: accepted {stats.accepted} = unmatched {stats.unmatched} + dropped {dropped}"
        f" + queued {stats.queued} + routed {stats.routed}"
    )
    for books in stats.inspectors:
        terminal.say(
            f"  {books.label}: routed {books.routed} = delivered {books.delivered} + suppressed {books.suppressed}"
            f" + dropped {sum(books.dropped.values())} + failed {books.failed} + pending {books.pending}"
        )
    terminal.say()


def _missing(calls: Iterable[Call], documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say what did not arrive though it should have, and the other way round."""
    wanted = Counter(f"{call.name}: {call.outcome}" for call in calls if call.outcome != "200")
    arrived = Counter(f"{_name(document)}: {_outcome(document)}" for document in documents)
    return [
        *(f"This did not arrive at the webhook: {name}" for name in (wanted - arrived).elements()),
        *(f"This arrived at the webhook and should not have: {name}" for name in (arrived - wanted).elements()),
    ]


def _leaks(posts: Iterable[bytes]) -> list[str]:
    return ["The secret arrived at the webhook."] if any(SECRET.encode() in post for post in posts) else []


def _undelivered(stats: Stats, documents: list[dict[str, Any]]) -> list[str]:
    """Say which webhook did not take everything."""
    return [
        f"{books.label} took {books.delivered} of {len(documents)} records: {books.last_error or 'no answer in time'}"
        for books in stats.inspectors
        if books.delivered < len(documents)
    ]
