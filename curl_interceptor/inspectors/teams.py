"""Microsoft Teams: an Adaptive Card by a webhook of Workflows, with the command in a block of code."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..errors import BadPayload, ConfigurationError, DeadEndpoint, DeliveryError, Throttled, Transient
from ..policies import RateLimit
from ..records.patterns import lazy
from ..records.record import Record
from .answers import json_object, retry_after
from .base import Answer, Entry, Inspector, Payload, check_url, json_payload
from .message import Message, Room, describe, fit, pack

__all__ = ["INSPECTOR", "TeamsInspector"]

# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using: 28 KB, measured
# after the service has put the card into a message of its own; what that adds is not documented.
_BYTES = 20_000
_ENVELOPE = 600  # bytes of a card without elements

_COLOURS = {"error": "Attention", "warning": "Warning", "info": "Accent"}
_LANGUAGES = {"sh": "Bash", "json": "Json", "": "PlainText"}

# A date or a time of the reader's, which clients make of it in any text but code.
_FUNCTION = lazy(r"(?<=\{)(?=\{(?:DATE|TIME)\()")
# Spaces side by side, which browsers show as one in any text but code.
_SPACES = lazy(" (?= )")

# What connectors say with status 200: "… failed with error: Microsoft Teams endpoint returned HTTP error 429 with …".
_INNER_STATUS = lazy(r"(?:error|status|code)\W{1,4}([45][0-9]{2})\b", re.IGNORECASE)
_COMPLAINT = lazy(
    r"error|fail|denied|refused|exception|invalid|\bbad\b|required|throttl|too |limit|exceed|not found|expired",
    re.IGNORECASE,
)
_THROTTLED = lazy(r"throttl|too many|rate.?limit|quota", re.IGNORECASE)
_TOO_LARGE = lazy(r"too (?:large|big|long)|\bsize\b", re.IGNORECASE)
# What a flow says in its JSON, when that tells more than the status.
_REASONS = {
    "WorkflowTriggerIsNotEnabled": "the flow is turned off",
    "WorkflowNotFound": "unknown flow",
    "DirectApiAuthorizationRequired": "the flow wants somebody to sign in",
    "DirectApiInvalidAuthorizationScheme": "the flow wants somebody to sign in",
    "TriggerInputSchemaMismatch": "the flow wants another form",
}
_DEAD = ("WorkflowTriggerIsNotEnabled", "WorkflowNotFound")


class TeamsInspector(Inspector):
    """Posts to a webhook of Microsoft Teams, as *Workflows* makes it.

    Each record is a part of an Adaptive Card: status and request, the command in a block of code, the facts, the head
    of the response. Several of them share a card as long as there is room. Text of others is nowhere read as Markdown,
    nobody is mentioned, and no link is followed for a preview. A command that is too long is cut, and says so.

    Parameters
    ----------
    url:
        URL of a flow that begins with "When a Teams webhook request is received". URLs of the older connectors, which
        Microsoft retires, are taken too, and other hosts for proxies and tests.
    options:
        The keywords of `Inspector`. The rate limit is 2 messages a second by default: Teams has 60 in 30 s, and 4 in
        one of them.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    kind = "teams"
    hosts = (
        "webhook.office.com",
        "outlook.office.com",
        "outlook.office365.com",
        "logic.azure.com",
        "logic.azure.us",
        "powerplatform.com",
        "powerplatform.microsoft.us",
    )
    defaults = MappingProxyType({"rate_limit": RateLimit(2, 1.0)})

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(_address(url), **options)

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return cards of 20 KB at most; plain ones have a single text in a single element."""
        elements = _plain if plain else _rich
        messages = [fit(describe(entry), _PLAIN_ROOM if plain else _ROOM) for entry in entries]

        def has_room(group: Sequence[Message]) -> bool:
            return len(_dumped(elements(group))) <= _BYTES - _ENVELOPE

        return [_payload(group, elements(group), plain) for group in pack(messages, has_room)]

    def verdict(self, answer: Answer) -> None:
        """Judge by the status, and by what is said with a good one: connectors report errors with 200."""
        if 200 <= answer.status < 300:
            self._judge_words(answer)
            return
        code = _code(answer)
        try:
            super().verdict(answer)
        except DeliveryError as error:
            if code in _REASONS:
                error.args = (f"{error} ({_REASONS[code]})",)
            if code in _DEAD and isinstance(error, BadPayload):
                raise DeadEndpoint(str(error)) from None
            raise

    def _judge_words(self, answer: Answer) -> None:
        """Raise what words of complaint mean that came with a good status."""
        text = answer.body[:2_000].decode("utf-8", "replace").strip()
        said = f"HTTP {answer.status} with"
        if text.startswith("<"):
            raise DeadEndpoint(f"{said} a web page, as Teams never answers")
        if (text.startswith(("{", "[")) and not json_object(answer.body).get("error")) or not _COMPLAINT.search(text):
            return  # nothing, "1", or what the author of a flow lets it answer
        inner = _INNER_STATUS.search(text)
        if inner:
            try:
                super().verdict(Answer(int(inner[1]), answer.headers))
            except DeliveryError as error:
                error.args = (f"{said} words of an error {inner[1]}",)
                raise
        if _TOO_LARGE.search(text):
            raise BadPayload(f"{said} words of a size", too_large=True)
        wait = retry_after(answer.headers)
        if _THROTTLED.search(text):
            raise Throttled(f"{said} words of a limit", retry_after=wait)
        raise Transient(f"{said} words of an error", retry_after=wait)


INSPECTOR = TeamsInspector


def _address(url: str) -> str:
    remedy = 'expected the URL that Workflows shows for "When a Teams webhook request is received"'
    parts = urlsplit(check_url("the URL of TeamsInspector", url))
    host = (parts.hostname or "").rstrip(".")
    if any(host == known or host.endswith(f".{known}") for known in TeamsInspector.hosts):
        if parts.scheme.lower() != "https":
            raise ConfigurationError(f"the URL of TeamsInspector must begin with https://; {remedy}")
        if "office" in host and "/webhook" not in parts.path:
            raise ConfigurationError(f"the URL of TeamsInspector is none of a webhook; {remedy}")
        if "office" not in host and not parse_qs(parts.query).get("sig"):
            raise ConfigurationError(
                f"the URL of TeamsInspector has no 'sig', which lets it post: it is cut off, "
                f"or its flow wants somebody to sign in; {remedy}"
            )
    return parts._replace(fragment="").geturl()


# The answers.


def _code(answer: Answer) -> str:
    error = json_object(answer.body).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else ""


# The shape.


def _rich(group: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {"type": "Container", "separator": bool(number), "spacing": "Large", "items": _items(message)}
        for number, message in enumerate(group)
    ]


def _items(message: Message) -> list[dict[str, Any]]:
    title = [_run(message.outcome, weight="Bolder", color=_COLOURS[message.level])]
    if message.request:
        title += [_run(" · "), *_runs(message.request, fontType="Monospace")]
    items = [_text(title, size="Medium")]
    if message.command:
        items.append(_code_block(message.command, "sh"))
    if message.text:
        items.append(_code_block(message.text, ""))
    items += [
        _text([_run(f"{name}: ", isSubtle=True), *_runs(value, fontType="Monospace")], spacing="Small")
        for name, value in message.facts
    ]
    if message.origin:
        items.append(_text(_runs(message.origin, isSubtle=True, fontType="Monospace"), spacing="Small"))
    for section in message.sections:
        items.append(_text([_run(section.name, weight="Bolder")]))
        items.append(_code_block(section.text, section.language))
    return items


def _plain(group: Sequence[Message]) -> list[dict[str, Any]]:
    """Return nothing but lines of text, for which schema 1.2 is enough."""
    elements = []
    for number, message in enumerate(group):
        lines = [line for line in (*message.summary.split("\n"), _apart(message)) if line.strip()]
        elements += [_text(_runs(line, fontType="Monospace"), spacing="Small") for line in lines]
        if number:
            elements[-len(lines)] |= {"separator": True, "spacing": "Large"}
    return elements


def _apart(message: Message) -> str:
    """Return the command without spaces side by side, which would be lost outside of a block of code.

    They stand between single quotes, and to close and open these amidst them says the same to every shell. Only where
    there are variables they may stand between double quotes.
    """
    return message.command if _has_variables(message.entry) else _SPACES.sub(" ''", message.command)


def _has_variables(entry: Entry) -> bool:
    return isinstance(entry, Record) and bool(entry.variables)


def _payload(group: Sequence[Message], body: list[dict[str, Any]], plain: bool) -> Payload:
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2" if plain else "1.5",
        "fallbackText": f"{group[0].outcome}{more}",
        "body": body,
    }
    if not plain:
        card["msteams"] = {"width": "Full"}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json_payload([message.entry for message in group], {"type": "message", "attachments": [attachment]})


def _code_block(text: str, language: str) -> dict[str, Any]:
    """Return a block of code, and a text for clients that do not know it, such as those on phones."""
    fallback = _text(_runs(text, fontType="Monospace"))
    return {"type": "CodeBlock", "codeSnippet": text, "language": _LANGUAGES[language], "fallback": fallback}


def _text(runs: list[dict[str, Any]], **looks: str) -> dict[str, Any]:
    """Return an element whose text is no Markdown, unlike that of a TextBlock or a FactSet."""
    size = looks.pop("size", "")
    for run in runs if size else ():
        run["size"] = size
    return {"type": "RichTextBlock", "inlines": runs, **looks}


def _runs(text: str, **looks: Any) -> list[dict[str, Any]]:
    """Return a text as runs, none of which has one of the functions that clients carry out."""
    return [_run(piece, **looks) for piece in _FUNCTION.split(text)]


def _run(text: str, **looks: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **looks}


# The room.


def _dumped(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


def _cost(text: str) -> int:
    """Count the bytes of a text in a block of code and in the fallback of that."""
    return len(_dumped(text)) + _run_cost(text)


def _plain_cost(text: str) -> int:
    """Count the bytes of a text in lines, with its spaces apart."""
    return _run_cost(text) + 2 * len(_SPACES.findall(text)) + _LINE * text.count("\n")


def _run_cost(text: str) -> int:
    return len(_dumped(_runs(text, fontType="Monospace")))


_LINE = 90  # bytes of the shape of a line

_ROOM = Room(total=_BYTES - _ENVELOPE - 100, title=900, fact=900, section=2_600, frame=250, measure=_cost)
_PLAIN_ROOM = Room(total=_BYTES - _ENVELOPE, title=600, fact=600, section=0, frame=_LINE, measure=_plain_cost)
