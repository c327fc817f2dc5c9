"""`curl-interceptor test-webhook`: one real message to a webhook, and what the service answers, in words."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ..delivery.guard import delivering
from ..delivery.transport import open_transport
from ..errors import BadPayload, ConfigurationError, DeadEndpoint, DeliveryError, Throttled, Transient
from ..inspectors import Answer, Inspector, Payload, TelegramInspector
from ..inspectors.recognise import inspector_for, service_class, services
from ..inspectors.registry import inspector_class
from ..policies import TransportPolicy
from ..records.exchange import Exchange, RequestFacts, ResponseFacts
from ..records.record import Record
from ..records.redaction import Redaction, redact
from .terminal import Terminal

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser", "run"]

_POLICY = TransportPolicy()
_TEST = "This is a test of curl-interceptor: no call has failed."


def add_parser(subparsers: Subparsers) -> None:
    """Add `test-webhook` to the commands."""
    parser = subparsers.add_parser(
        "test-webhook",
        help="send one message to a webhook and say what the service answers",
        description="Sends one message, marked as a test, to a webhook, and says what the service answers. The URL is "
        "shown nowhere. As an argument it is seen in the list of processes and in the history of the shell: give it by "
        "--env or the standard input.",
    )
    parser.add_argument("url", metavar="URL", nargs="?", help="the webhook's URL; - reads it from the standard input")
    parser.add_argument("--env", metavar="NAME", help="take the URL from this environment variable")
    parser.add_argument(
        "--service",
        metavar="NAME",
        help=f"whose webhook it is, where the host does not tell: {', '.join(services())}, or one of another package",
    )
    parser.add_argument("--chat-id", metavar="ID", help="for Telegram: the chat; the token stands in place of the URL")
    parser.add_argument("--api-base", metavar="URL", help="for Telegram: another Bot API server")
    parser.add_argument("--dry-run", action="store_true", help="print the message instead of sending it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send the message; 0 if the service took it, and 1 with a sentence if not."""
    inspector = _inspector(options)
    terminal = Terminal()
    record = _record()
    if options.dry_run:
        for payload in inspector.payloads([record]):
            terminal.say(payload.body.decode("utf-8", "backslashreplace"))
        return 0
    terminal.say(f"Sending a test to {inspector.label} ...")
    answer, error = _send(inspector, record)
    for line in _told(inspector, answer, error):
        terminal.say(line, "red" if error else "green")
    return 1 if error else 0


# Where to.


def _inspector(options: argparse.Namespace) -> Inspector:
    url = _given(options)
    if options.chat_id is not None or options.api_base is not None:
        if options.service not in (None, "telegram") or options.chat_id is None or "://" in url:
            raise ConfigurationError(
                "--chat-id and --api-base are for Telegram, with the token of the bot in the place of URL"
            )
        base = {} if options.api_base is None else {"api_base": options.api_base}
        return TelegramInspector(url, options.chat_id, **base)
    if options.service is not None:
        return service_class(options.service).from_url(url)
    return inspector_for(url)


def _given(options: argparse.Namespace) -> str:
    """Return the URL from where it was said to be."""
    if (options.url is None) == (options.env is None):
        raise ConfigurationError("test-webhook takes one of URL, - for the standard input, and --env NAME")
    if options.env is not None:
        if not os.environ.get(options.env, "").strip():
            raise ConfigurationError("the environment variable that --env names is not set, or empty")
        return os.environ[options.env].strip()
    if options.url == "-":
        return sys.stdin.readline(100_000).strip()
    return str(options.url)


# What is sent.


def _record() -> Record:
    """Return a record of a call that nobody made, which says so wherever a message has a place for it."""
    sent = b'{"amount": 1250, "note": "this is a test"}'
    got = f'{{"message": "{_TEST}"}}'.encode("ascii")
    headers = (("Content-Type", "application/json"),)
    request = RequestFacts(
        "POST", "https://api.example.com/this-is-a-test", headers, sent, "complete", len(sent), False
    )
    response = ResponseFacts(503, "Service Unavailable", headers, (got,), "complete", len(got))
    labels = (("service", "test of curl-interceptor"),)
    exchange = Exchange(request, response, None, time.time(), 0.25, None, labels)
    return replace(redact(exchange, Redaction(), id=f"test-{time.time_ns()}"), notes=(_TEST,))


def _send(inspector: Inspector, record: Record) -> tuple[Answer | None, DeliveryError | None]:
    """Post as in earnest: the rich message, the plain one if that is refused, and again if the chat has moved."""
    (payload,) = inspector.payloads([record])
    answer, error = _attempt(inspector, payload)
    if isinstance(error, Transient) and (again := inspector.renewed(payload)) != payload:
        answer, error = _attempt(inspector, again)
    elif isinstance(error, BadPayload):
        (plain,) = inspector.payloads([record], plain=True)
        if _attempt(inspector, plain)[1] is None:
            error = BadPayload(f"{error}; a plain text was taken")
    return answer, error


def _attempt(inspector: Inspector, payload: Payload) -> tuple[Answer | None, DeliveryError | None]:
    transport, answer = open_transport(inspector.address, _POLICY), None
    try:
        with delivering():
            answer = transport.post(payload, _POLICY.total)
            inspector.verdict(answer)
    except DeliveryError as error:
        return answer, error
    finally:
        transport.close()
    return answer, None


# What came of it, in words.

_ABOUT_TLS = "a certificate authority of your own is named by REQUESTS_CA_BUNDLE in the environment"
_REFUSED = {
    401: "the token or the key in the URL is wrong, or was revoked",
    403: "the service knows the webhook, and it may not post there: its token is wrong, or its channel is closed to it",
    404: "the URL is wrong, or the webhook was deleted",
    405: "something else than a webhook is at this URL: it takes no POST",
    407: "the proxy wants other credentials",
    410: "the webhook was deleted, or its channel; it will not come back",
}
_SILENT = {
    "name look-up": "the host is not known here; look at its spelling, and whether this machine has a network",
    "ConnectionRefused": "nobody listens at this host and port",
    "connecting timed out": "the host does not answer; a firewall may be in between",
    "timed out": "the host was reached, and gave no answer in time",
    "TLS: certificate": f"the certificate is not trusted; {_ABOUT_TLS}",
    "TLS: the CA bundle": f"{_ABOUT_TLS}, and the file that is named cannot be read",
    "TLS: wrong version": "this port speaks no TLS: should the URL begin with http://?",
    "TLS": "no encrypted connection could be made",
    "the answer is not HTTP": "something else than a web server answers there; should the URL begin with https://?",
    "the proxy": "the proxy of the environment (HTTPS_PROXY, HTTP_PROXY) is the trouble, not the webhook",
}


def _told(inspector: Inspector, answer: Answer | None, error: DeliveryError | None) -> list[str]:
    status = answer.status if answer else 0
    if error is None:
        return [f"Delivered: {inspector.label} took the message (HTTP {status})."]
    if isinstance(error, Throttled):
        wait = "later" if error.retry_after is None else f"in {max(1, round(error.retry_after))} s"
        return [f"Throttled ({error}): the URL is right, and the service takes no more for now; try again {wait}."]
    if isinstance(error, DeadEndpoint):
        said = "Not found" if status == 404 else "Gone" if status == 410 else "Refused"
        reason = _REFUSED.get(status, "the webhook takes nothing; look at its settings in the service")
        if 300 <= status < 400:
            reason = "the URL leads elsewhere, and posts follow nowhere: give the URL to which it leads"
        return [f"{said} ({error}): {reason}."]
    if isinstance(error, BadPayload):
        return [f"Refused ({error}): the service answers, and does not take this message.", _advice(inspector)]
    if answer is None:
        reason = next((words for start, words in _SILENT.items() if str(error).startswith(start)), "try again")
        return [f"Not connected ({error}): {reason}."]
    return [f"Not taken ({error}): the service is in trouble; try again later."]


def _advice(inspector: Inspector) -> str:
    if type(inspector) is inspector_class("webhook"):
        return "If a chat service of your own is there, name it with --service."
    return f"Is it a webhook of this service? The message was made by {type(inspector).__name__}."
