"""Mattermost: a heading for each record, then what is known of it, with the command in a code block."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from ..errors import ConfigurationError, DeadEndpoint, Throttled
from ..policies import RateLimit, shown
from ..records.patterns import lazy
from .answers import is_page, json_object, longest, retry_after
from .base import Answer, Entry, Inspector, Payload, check_url, json_payload, place_behind
from .message import Message, Room, describe, fit, pack
from .readable import fence, in_code, unfenced

__all__ = ["INSPECTOR", "MattermostInspector"]

# The server rewrites what is meant for Slack, in code as well: <!here>, <@user>, <link|text>. See `ProcessSlackText`
# and `linkWithTextRegex` in https://github.com/mattermost/mattermost/tree/master/server/channels/app
_CALL = lazy(r"\\?<(?=!(?:channel|here|all)>|@[A-Za-z0-9]+>)")
_UP_TO_A_BAR = lazy(r"[^|>]+[|>]?")
_LESS = lazy(r"\\?<")
_LOOKS_LESS = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"


def _kept_command(command: str) -> str:
    """Return a command that the server leaves as it is, and that is the same to every shell."""
    return _kept(command, _printed)


def _kept_text(text: str) -> str:
    """Return a text that the server leaves as it is, and that looks the same."""
    return _kept(text, lambda found: found.replace("<", _LOOKS_LESS))


def _printed(found: str) -> str:
    """Let printf say a `<`, which commands have between single quotes only.

    Without double quotes: fish 3.6 misreads a `$` in what comes after them. A backslash would hide the quote.
    """
    before = found[:-1] * 2  # a backslash, if any, which has to be two where no quotes are
    return f"'{before}$(printf '\\074')'"


def _kept(text: str, instead: Callable[[str], str]) -> str:
    return "\n".join(_kept_line(line, instead) for line in text.split("\n"))


def _kept_line(line: str, instead: Callable[[str], str]) -> str:
    line = _CALL.sub(lambda found: instead(found[0]), line)
    last = line.rfind(">")

    def without_links(piece: re.Match[str]) -> str:
        # All of them: without the last one, the one before would begin the link.
        begins = piece[0].endswith("|") and piece.end() < last
        return _LESS.sub(lambda found: instead(found[0]), piece[0]) if begins else piece[0]

    return _UP_TO_A_BAR.sub(without_links, line)


def _length(text: str) -> int:
    return len(_kept_command(text))


# The server divides longer texts wherever 16,383 characters end. Databases of old have 4,000.
_TOTAL = 16_383
_ROOM = Room(total=_TOTAL, title=400, fact=400, section=2_000, frame=24, measure=_length)
_PLAIN_ROOM = Room(total=4_000, title=250, section=0, frame=16, measure=_length)

_MARKS = {"error": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE ORANGE CIRCLE}", "info": "\N{LARGE BLUE CIRCLE}"}

# Refusals of everything that is sent there; some come with status 400, 500 or 501.
_DEAD = {
    "web.incoming_webhook.channel.app_error": "unknown channel",
    "web.incoming_webhook.channel_locked.app_error": "the webhook may only post in its own channel",
    "web.incoming_webhook.disabled.app_error": "incoming webhooks are switched off",
    "web.incoming_webhook.invalid.app_error": "unknown webhook",
    "web.incoming_webhook.permissions.app_error": "no permission for the channel",
    "web.incoming_webhook.user.app_error": "unknown user",
}
_CHANNEL = lazy(r"[@#]?[^\s@#/]{1,64}")
_EMOJI = lazy(r":?([A-Za-z0-9_+-]{1,64}):?")


class MattermostInspector(Inspector):
    """Posts to an incoming webhook of Mattermost.

    Each record has a heading with its status, the request, the command in a code block, the facts and the head of the
    response. Several go in one message of up to 16,383 characters. Nobody is pinged, and no link is followed for a
    preview. A command that is too long for a message loses its body, and says so.

    Parameters
    ----------
    url:
        Webhook URL, such as `https://chat.example.com/hooks/…`; Mattermost has no host of its own to be known by.
    channel:
        Name of a channel as its URL has it, or `"@name"` of a user. Default: the channel of the webhook.
    username:
        Name of the sender, 1 to 64 characters. Default: that of the webhook. The server shows it if its settings let
        integrations choose their names; the same goes for pictures.
    icon_url:
        `http(s)` URL of the sender's picture, up to 1,024 characters. Default: that of the webhook.
    icon_emoji:
        Name of an emoji in the place of the picture, such as `"owl"`. Default: none.
    options:
        The keywords of `Inspector`. The rate limit is 10 messages a second by default, as Mattermost has it.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    kind = "mattermost"
    defaults = MappingProxyType({"rate_limit": RateLimit(10, 1.0)})

    def __init__(
        self,
        url: str,
        *,
        channel: str | None = None,
        username: str | None = None,
        icon_url: str | None = None,
        icon_emoji: str | None = None,
        **options: Any,
    ) -> None:
        self._url = check_url("the URL of MattermostInspector", url)
        if channel is not None and not (isinstance(channel, str) and _CHANNEL.fullmatch(channel)):
            raise ConfigurationError(
                f"channel must be the name of a channel as its URL has it, such as 'town-square', or '@name' of a "
                f"user, got {shown(channel)}"
            )
        super().__init__(place_behind(self._url, channel=channel), **options)
        self._place = {} if channel is None else {"channel": channel}
        self._sender = _sender(username, icon_url, icon_emoji)

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return messages of Markdown; plain ones are code blocks alone, without sender."""
        room, write = (_PLAIN_ROOM, _plain_text) if plain else (_ROOM, _text)
        messages = [fit(describe(entry), room) for entry in entries]
        groups = pack(messages, lambda group: len(write(group)) <= room.total)
        sender = {} if plain else self._sender
        return [
            json_payload(
                [message.entry for message in group], {"text": write(group), **self._place, **sender}, url=self._url
            )
            for group in groups
        ]

    def verdict(self, answer: Answer) -> None:
        """Judge by the status and the name of the error: an unknown webhook is answered with 400."""
        if answer.status == 429:
            wait = longest(retry_after(answer.headers), answer.headers.get("x-ratelimit-reset"))
            raise Throttled("HTTP 429", retry_after=wait)
        name = json_object(answer.body).get("id")
        if isinstance(name, str) and name in _DEAD:
            raise DeadEndpoint(f"HTTP {answer.status} ({_DEAD[name]})", gone=answer.status == 410)
        if 200 <= answer.status < 300 and is_page(answer.body):
            raise DeadEndpoint(f"HTTP {answer.status}, but with a page where Mattermost says 'ok'")
        super().verdict(answer)


INSPECTOR = MattermostInspector


# What is given.


def _sender(username: str | None, icon_url: str | None, icon_emoji: str | None) -> dict[str, str]:
    sender = {}
    if username is not None:
        if not isinstance(username, str) or not 0 < len(username.strip()) <= 64 or not username.isprintable():
            raise ConfigurationError(f"username must be a printable name of 1 to 64 characters, got {shown(username)}")
        sender["username"] = username.strip()
    if icon_url is not None and icon_emoji is not None:
        raise ConfigurationError("icon_url and icon_emoji are two pictures of one sender; leave one of them out")
    if icon_url is not None:
        sender["icon_url"] = check_url("icon_url", icon_url, "https://example.com/owl.png")
        if len(icon_url) > 1_024:
            raise ConfigurationError(f"icon_url must have 1,024 characters at most, got {len(icon_url):,}")
    if icon_emoji is not None:
        found = _EMOJI.fullmatch(icon_emoji) if isinstance(icon_emoji, str) else None
        if not found:
            raise ConfigurationError(f"icon_emoji must be the name of an emoji, such as 'owl', got {shown(icon_emoji)}")
        sender["icon_emoji"] = found[1]
    return sender


# The shape.


def _text(group: Sequence[Message]) -> str:
    return "\n\n".join(map(_written, group))


def _written(message: Message) -> str:
    lines = [f"#### {_MARKS[message.level]} {message.outcome}"]
    if message.request:
        lines.append(_code(message.request))
    if message.command:
        lines.append(fence(_kept_command(message.command), "sh"))
    if message.text:
        lines.append(fence(unfenced(_kept_text(message.text))))
    lines += [f"**{name}** {_code(value)}" for name, value in message.facts]
    if message.origin:
        lines.append(_code(message.origin))
    for name, text, language in message.sections:
        lines.append(f"**{name}**\n{fence(unfenced(_kept_text(text)), language)}")
    return "\n".join(lines)


def _plain_text(group: Sequence[Message]) -> str:
    fences = []
    for message in group:
        fences.append(fence(unfenced(_kept_text(message.summary))))
        if message.command:
            fences.append(fence(_kept_command(message.command), "sh"))
    return "\n".join(fences)


def _code(text: str) -> str:
    return in_code(_kept_text(text))
