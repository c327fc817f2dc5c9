"""Slack: a header for each record, then what is known of it, with the command in a code block."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ..errors import BadPayload, ConfigurationError, DeadEndpoint, DeliveryError, Throttled
from ..policies import RateLimit, shown
from ..records.patterns import lazy
from .answers import is_page, json_object, retry_after
from .base import Answer, Entry, Inspector, Payload, check_url, json_payload, place_behind
from .message import Message, Room, describe, fit, pack
from .readable import in_code, shorten, unfenced, utf16

__all__ = ["INSPECTOR", "SlackInspector"]

_BLOCKS = 50  # https://docs.slack.dev/reference/block-kit/blocks


def _in_json(text: str) -> int:
    return utf16(json.dumps(text, ensure_ascii=False)) - 2


# Slack refuses blocks (`msg_blocks_too_long`) that come to some 13,200 characters. How it counts is not documented, but
# containers count as well (https://github.com/slackapi/bolt-js/issues/2509): so the whole JSON of them stays below.
_TOTAL = 12_000
_ONCE = 400  # what the shape of a message adds, beside what it adds to each part
_ROOM = Room(total=_TOTAL - _ONCE, title=400, fact=400, section=1_500, frame=180, measure=_in_json)

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _escaped(text: str) -> str:
    """Escape what mrkdwn reads as a mention or a link, in code as well; nothing else is decoded again."""
    return re.sub("[&<>]", lambda found: _ENTITIES[found[0]], text)


# Longer texts may be divided, which would open their code blocks.
# https://docs.slack.dev/reference/methods/chat.postMessage#truncating
_PLAIN_ROOM = Room(total=4_000, title=250, section=0, frame=16, measure=lambda text: utf16(_escaped(text)))
_LONGEST_HEADLINE = 200

_MARKS = {"error": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE ORANGE CIRCLE}", "info": "\N{LARGE BLUE CIRCLE}"}

# https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, and words seen from there.
_DEAD = {
    *("action_prohibited", "channel_is_archived", "channel_not_found", "invalid_auth", "invalid_token"),
    *("no_active_hooks", "no_service", "no_service_id", "no_team", "not_authed", "not_in_channel"),
    *("posting_to_general_channel_denied", "team_disabled", "token_revoked"),
}
_REFUSED = {
    *("invalid_attachments", "invalid_blocks", "invalid_blocks_format", "invalid_payload"),
    *("missing_text_or_fallback_or_attachments", "no_text", "too_many_attachments", "user_not_found"),
}
_THROTTLED = {"rate_limited", "ratelimited"}
_TOO_LARGE = {"msg_blocks_too_long", "msg_too_long"}
_REASONS = _DEAD | _THROTTLED | _TOO_LARGE | _REFUSED | {"rollup_error"}

_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
_WEBHOOK = lazy(r"/services/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+")
_TIMESTAMP = lazy(r"[0-9]{1,16}\.[0-9]{6}")
_FIXED = ("channel", "username", "icon_emoji", "icon_url", "avatar_url")


class SlackInspector(Inspector):
    """Posts to an incoming webhook of Slack.

    Each record has a header with its status, the request, the command in a code block, the facts and the head of the
    response. Several go in one message, as far as Slack takes that. Nobody is pinged, and no link is followed for a
    preview. A command that is too long for a message loses its body, and says so: webhooks of Slack take no files.

    Parameters
    ----------
    url:
        Webhook URL, as "Incoming Webhooks" of a Slack app gives it. Other hosts are taken too, for proxies and tests.
    thread_ts:
        Timestamp of a message in whose thread to post, such as `"1714572127.000200"`. Default: the channel itself.
    options:
        The keywords of `Inspector`. The rate limit is 1 message a second by default, as Slack has it.

    Raises
    ------
    ConfigurationError
        If a value cannot be used. Channel, name and picture belong to the webhook and cannot be chosen here.
    TypeError
        If a keyword is unknown.
    """

    kind = "slack"
    hosts = _HOSTS
    defaults = MappingProxyType({"rate_limit": RateLimit(1, 1.0)})

    def __init__(self, url: str, *, thread_ts: str | None = None, **options: Any) -> None:
        for name in _FIXED:
            if name in options:
                raise ConfigurationError(
                    f"{name} cannot be chosen: a Slack webhook posts in the channel, and under the name and picture, "
                    f"that it was made with; leave {name} out, and make a webhook for each channel"
                )
        self._url = _webhook(url)
        if thread_ts is not None and not (isinstance(thread_ts, str) and _TIMESTAMP.fullmatch(thread_ts)):
            raise ConfigurationError(
                f"thread_ts must be the timestamp of a message as text, such as '1714572127.000200', "
                f"got {shown(thread_ts)}"
            )
        super().__init__(place_behind(self._url, thread_ts=thread_ts), **options)
        self._always: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
        if thread_ts is not None:
            self._always["thread_ts"] = thread_ts

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return messages of blocks; plain ones are text alone."""
        if plain:
            messages = [fit(describe(entry), _PLAIN_ROOM) for entry in entries]
            return [self._payload(group, {"text": _text(group)}) for group in pack(messages, _has_plain_room)]
        messages = [fit(describe(entry), _ROOM) for entry in entries]
        return [
            self._payload(group, {"text": _headline(group), "blocks": _blocks(group)})
            for group in pack(messages, _has_room)
        ]

    def verdict(self, answer: Answer) -> None:
        """Judge by the status, and by the word that Slack says: `ok`, or why not."""
        reason = _reason(answer.body)
        about = f"HTTP {answer.status}{f', {reason}' if reason else ''}"
        taken = 200 <= answer.status < 300
        if answer.status == 429 or reason in _THROTTLED:
            raise Throttled(about, retry_after=retry_after(answer.headers))
        if reason in _DEAD and (taken or answer.status == 400):
            raise DeadEndpoint(about)
        if taken and is_page(answer.body):
            raise DeadEndpoint(f"{about}, but with a page where Slack says 'ok'")
        if taken and (reason in _REASONS or json_object(answer.body).get("ok") is False):
            raise BadPayload(about, too_large=reason in _TOO_LARGE)
        try:
            super().verdict(answer)
        except DeliveryError as error:
            error.args = (about,)
            if isinstance(error, BadPayload) and reason in _TOO_LARGE:
                error.too_large = True
            raise

    def _payload(self, group: Sequence[Message], document: dict[str, Any]) -> Payload:
        return json_payload([message.entry for message in group], {**document, **self._always}, url=self._url)


INSPECTOR = SlackInspector


# What is given.


def _webhook(url: str) -> str:
    parts = urlsplit(check_url("the URL of SlackInspector", url))
    host = (parts.hostname or "").rstrip(".")
    if not f".{host}".endswith((".slack.com", ".slack-gov.com")):
        return url
    path = parts.path.rstrip("/")
    if path.startswith(("/workflows/", "/triggers/")):
        raise ConfigurationError(
            "the URL of SlackInspector is that of a workflow, which takes variables and no message; "
            "make an incoming webhook in the settings of a Slack app"
        )
    if parts.scheme.lower() != "https" or host not in _HOSTS or not _WEBHOOK.fullmatch(path):
        raise ConfigurationError(
            "the URL of SlackInspector is none of an incoming webhook; expected "
            "'https://hooks.slack.com/services/T…/B…/…', as the settings of a Slack app give it"
        )
    return parts._replace(path=path, query="", fragment="").geturl()


# The shape.


def _blocks(group: Sequence[Message]) -> list[dict[str, Any]]:
    return [block for message in group for block in (_header(message), _body(message))]


def _header(message: Message) -> dict[str, Any]:
    """Return the status alone: a header has emoji names and 150 characters, so that the request stands below it."""
    text = f"{_MARKS[message.level]} {message.outcome}"
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": True}}


def _body(message: Message) -> dict[str, Any]:
    """Return all else as rich text, whose texts are what they are: nothing in them is markup, a mention or a link."""
    elements = [_section(_code(message.request))] if message.request else []
    if message.command:
        elements.append(_preformatted(message.command))
    if message.text:
        elements.append(_preformatted(message.text))
    facts = [one for name, value in message.facts for one in (_bold(f"{name} "), _code(value), _plain("\n"))]
    if message.origin:
        facts.append(_code(message.origin))
    elif facts:
        facts.pop()
    if facts:
        elements.append(_section(*facts))
    for name, text, _ in message.sections:
        elements += [_section(_bold(name)), _preformatted(text)]
    return {"type": "rich_text", "elements": elements or [_section(_plain("No more is known."))]}


def _section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}


def _preformatted(text: str) -> dict[str, Any]:
    return {"type": "rich_text_preformatted", "elements": [_plain(text)]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _bold(text: str) -> dict[str, Any]:
    return {**_plain(text), "style": {"bold": True}}


def _code(text: str) -> dict[str, Any]:
    return {**_plain(text), "style": {"code": True}}


def _has_room(group: Sequence[Message]) -> bool:
    blocks = _blocks(group)
    size = utf16(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
    return len(blocks) <= _BLOCKS and size <= _TOTAL


def _headline(group: Sequence[Message]) -> str:
    """Return what a notification says, where blocks are not shown."""
    message = group[0]
    request = f" · {in_code(shorten(message.request, _LONGEST_HEADLINE))}" if message.request else ""
    others = f", and {len(group) - 1} more" if len(group) > 1 else ""
    return _escaped(f"{message.outcome}{request}{others}")


def _text(group: Sequence[Message]) -> str:
    fences = (text for message in group for text in (unfenced(message.summary), message.command) if text)
    return "\n".join(f"```\n{_escaped(text)}\n```" for text in fences)


def _has_plain_room(group: Sequence[Message]) -> bool:
    return utf16(_text(group)) <= _PLAIN_ROOM.total


# The answers.


def _reason(body: bytes) -> str:
    """Return the known word of Slack's that an answer is, or holds as JSON; nothing else of it is repeated."""
    said = json_object(body).get("error") or body.strip().decode("latin-1")
    return said if isinstance(said, str) and said in _REASONS else ""
