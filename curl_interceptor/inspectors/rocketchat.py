"""Rocket.Chat: a headline for each record, then what is known of it, with the command in a code block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from ..errors import BadPayload, ConfigurationError, DeadEndpoint, Throttled
from ..policies import RateLimit, shown
from ..records.patterns import lazy
from .answers import is_page, json_object, longest, retry_after
from .base import Answer, Entry, Inspector, Payload, check_url, json_payload, place_behind
from .message import Message, Room, describe, fit, pack
from .readable import fence, in_code, unfenced, utf16

__all__ = ["INSPECTOR", "RocketChatInspector"]

# The server notifies whom a text mentions, in code as well. See MentionsParser in
# https://github.com/RocketChat/Rocket.Chat/tree/develop/apps/meteor/app/mentions
_MENTION = lazy(r"(?:^|(?<=[\s>]))@(?!-(?:\s|$))", re.MULTILINE)  # curl's own "@-" is nobody
_LOOKS_AT = "\N{FULLWIDTH COMMERCIAL AT}"
_SINGLE_QUOTED = lazy(r"\\.|'[^']*'")


def _quiet_command(command: str) -> str:
    """Return a command that mentions nobody: quotes that hold nothing part each `@` from what stands before it."""
    pieces, end = [], 0
    for found in _SINGLE_QUOTED.finditer(command):
        pieces += [_MENTION.sub('""@', command[end : found.start()]), _MENTION.sub("''@", found[0])]
        end = found.end()
    return "".join([*pieces, _MENTION.sub('""@', command[end:])])


def _quiet(text: str) -> str:
    return _MENTION.sub(_LOOKS_AT, text)


def _length(text: str) -> int:
    return utf16(text) + 2 * text.count("@")


# The server's setting Message_MaxAllowedSize, as it comes.
_TOTAL = 5_000
_ROOM = Room(total=_TOTAL, title=250, fact=300, section=1_000, frame=24, measure=_length)
_PLAIN_ROOM = Room(total=_TOTAL, title=250, section=0, frame=16, measure=_length)

_MARKS = {"error": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE ORANGE CIRCLE}", "info": "\N{LARGE BLUE CIRCLE}"}

# Refusals of everything that is sent there; they come with status 400.
_DEAD = {
    "Invalid integration id or token provided.": "unknown webhook",
    "invalid-channel": "unknown channel",
    "overriding destination channel is disabled for this integration": "the webhook may only post in its own channel",
}
_WAIT = lazy(r"must wait ([0-9]{1,6}) seconds")

_CHANNEL = lazy(r"[@#]?[^\s@#/]{1,64}")
_MESSAGE_ID = lazy(r"[A-Za-z0-9_-]{1,64}")
_EMOJI = lazy(r":?([A-Za-z0-9_+-]{1,64}):?")


class RocketChatInspector(Inspector):
    """Posts to an incoming webhook of Rocket.Chat.

    Each record has a headline with its status, the request, the command in a code block, the facts and the head of the
    response. Several go in one message of up to 5,000 characters. Nobody is pinged, and no link is followed for a
    preview. A command that is too long for a message loses its body, and says so.

    Parameters
    ----------
    url:
        Webhook URL, such as `https://chat.example.com/hooks/…/…`; Rocket.Chat has no host of its own to be known by.
    channel:
        `"#name"` of a channel, `"@name"` of a user, or the id of a room. The webhook has to allow it. Default: the
        channel of the webhook.
    thread_id:
        Id of a message in whose thread to post. Default: the channel itself.
    alias:
        Name of the sender, 1 to 64 characters. Default: that of the webhook. The user of the webhook needs the
        permission `message-impersonate`, which bots have; without it, messages go plainly, under the name that it has.
    avatar:
        `http(s)` URL of the sender's picture. Default: that of the webhook.
    emoji:
        Name of an emoji in the place of the picture, such as `"owl"`. Default: none.
    options:
        The keywords of `Inspector`. The rate limit is 10 messages a minute by default, as Rocket.Chat has it.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    kind = "rocketchat"
    defaults = MappingProxyType({"rate_limit": RateLimit(10, 60.0)})

    def __init__(
        self,
        url: str,
        *,
        channel: str | None = None,
        thread_id: str | None = None,
        alias: str | None = None,
        avatar: str | None = None,
        emoji: str | None = None,
        **options: Any,
    ) -> None:
        self._url = check_url("the URL of RocketChatInspector", url)
        if channel is not None and not (isinstance(channel, str) and _CHANNEL.fullmatch(channel)):
            raise ConfigurationError(
                f"channel must be '#name' of a channel, '@name' of a user or the id of a room, got {shown(channel)}"
            )
        if thread_id is not None and not (isinstance(thread_id, str) and _MESSAGE_ID.fullmatch(thread_id)):
            raise ConfigurationError(f"thread_id must be the id of a message, got {shown(thread_id)}")
        super().__init__(place_behind(self._url, channel=channel, thread_id=thread_id), **options)
        place = {"channel": channel, "tmid": thread_id}
        self._always = {"parseUrls": False, **{name: value for name, value in place.items() if value is not None}}
        self._sender = _sender(alias, avatar, emoji)

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return messages of Markdown; plain ones are code blocks alone, without sender."""
        room, write = (_PLAIN_ROOM, _plain_text) if plain else (_ROOM, _text)
        messages = [fit(describe(entry), room) for entry in entries]
        groups = pack(messages, lambda group: utf16(write(group)) <= room.total)
        sender = {} if plain else self._sender
        return [
            json_payload(
                [message.entry for message in group], {"text": write(group), **self._always, **sender}, url=self._url
            )
            for group in groups
        ]

    def verdict(self, answer: Answer) -> None:
        """Judge by the status and the error that is named: an unknown webhook may be answered with 400."""
        said = json_object(answer.body)
        error = said.get("error")
        name = error if isinstance(error, str) else ""
        about = f"HTTP {answer.status}{f' ({_DEAD[name]})' if name in _DEAD else ''}"
        if answer.status == 429 or "[error-too-many-requests]" in name:
            wait = _WAIT.search(name)
            raise Throttled(about, retry_after=longest(retry_after(answer.headers), wait[1] if wait else None))
        if name in _DEAD:
            raise DeadEndpoint(about, gone=answer.status == 410)
        if 200 <= answer.status < 300:
            if said.get("success") is False:
                raise BadPayload(about)
            if is_page(answer.body):  # paths that Rocket.Chat does not know are answered so
                raise DeadEndpoint(f"{about}, but with a page: it is no address of a webhook")
        super().verdict(answer)


INSPECTOR = RocketChatInspector


# What is given.


def _sender(alias: str | None, avatar: str | None, emoji: str | None) -> dict[str, str]:
    sender = {}
    if alias is not None:
        if not isinstance(alias, str) or not 0 < len(alias.strip()) <= 64 or not alias.isprintable():
            raise ConfigurationError(f"alias must be a printable name of 1 to 64 characters, got {shown(alias)}")
        sender["alias"] = alias.strip()
    if avatar is not None and emoji is not None:
        raise ConfigurationError("avatar and emoji are two pictures of one sender; leave one of them out")
    if avatar is not None:
        sender["avatar"] = check_url("avatar", avatar, "https://example.com/owl.png")
    if emoji is not None:
        found = _EMOJI.fullmatch(emoji) if isinstance(emoji, str) else None
        if not found:
            raise ConfigurationError(f"emoji must be the name of an emoji, such as 'owl', got {shown(emoji)}")
        sender["emoji"] = f":{found[1]}:"
    return sender


# The shape.


def _text(group: Sequence[Message]) -> str:
    return "\n\n".join(map(_written, group))


def _written(message: Message) -> str:
    lines = [f"{_MARKS[message.level]} *{message.outcome}*"]
    if message.request:
        lines.append(in_code(_quiet(message.request)))
    if message.command:
        lines.append(fence(_quiet_command(message.command), "sh"))
    if message.text:
        lines.append(fence(unfenced(_quiet(message.text))))
    lines += [f"*{name}* {in_code(_quiet(value))}" for name, value in message.facts]
    if message.origin:
        lines.append(in_code(_quiet(message.origin)))
    for name, text, language in message.sections:
        lines.append(f"*{name}*\n{fence(unfenced(_quiet(text)), language)}")
    return "\n".join(lines)


def _plain_text(group: Sequence[Message]) -> str:
    fences = []
    for message in group:
        fences.append(fence(unfenced(_quiet(message.summary))))
        if message.command:
            fences.append(fence(_quiet_command(message.command), "sh"))
    return "\n".join(fences)
