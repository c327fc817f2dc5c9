"""Discord: an embed for each record, with the command in a code block or in an attached file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..errors import BadPayload, ConfigurationError, DeliveryError, Throttled
from ..policies import RateLimit, check_flag, shown
from ..records.patterns import lazy
from .answers import json_object, longest, retry_after
from .base import Answer, Entry, Inspector, Payload, check_url, json_payload
from .message import Message, Room, describe, fit, pack
from .multipart import File, multipart_payload
from .readable import fence, in_code, unfenced

__all__ = ["INSPECTOR", "DiscordInspector"]

# https://docs.discord.com/developers/resources/message#embed-object-embed-limits: code points, over all embeds 6,000.
_EMBEDS = 10
_TOTAL = 6_000
_NOTE = 50  # characters that say in which file a command is
_ROOM = Room(total=_TOTAL - _NOTE, title=250, command=4_080, fact=400, section=1_000, frame=12)
# The plain form is the content of a message, which may have 2,000 characters.
_PLAIN_ROOM = Room(total=2_000, title=250, section=0, frame=16)
# Discord takes 10 MiB a file; what comes to more than this is left out, so that a whole post stays below it.
_ATTACHED = 8_000_000

_SUPPRESS_EMBEDS = 1 << 2
_SUPPRESS_NOTIFICATIONS = 1 << 12
_COLOURS = {"error": 0xD83C3E, "warning": 0xE39D2D, "info": 0x4B77D1}
_REASONS = {10003: "unknown channel", 10015: "unknown webhook", 40005: "too large", 50027: "invalid token"}

_WEBHOOK = lazy(r"/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{1,20}/[A-Za-z0-9_-]+")
_SNOWFLAKE = lazy(r"[0-9]{1,20}")


class DiscordInspector(Inspector):
    """Posts to a webhook of a Discord channel.

    Each record is an embed: status and request, the facts, the command in a code block, the head of the response. Up to
    ten of them go in one message. A command that is too long for a message is attached as a file. Nobody is pinged, and
    no link is followed for a preview.

    Parameters
    ----------
    url:
        Webhook URL, as "Copy Webhook URL" of Discord gives it. Other hosts are taken too, for proxies and tests. A
        `thread_id` in it is obeyed.
    username:
        Name of the sender, 1 to 80 characters. Default: that of the webhook.
    avatar_url:
        `http(s)` URL of the sender's picture. Default: that of the webhook.
    thread_id:
        Number of a thread of the channel to post in. Default: the channel itself.
    silent:
        True posts without a notification. Default False.
    files:
        False never attaches a file: a command that is too long is cut, and says so. Default True.
    options:
        The keywords of `Inspector`. The rate limit is 5 messages in 2 s by default, as Discord has it.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    kind = "discord"
    hosts = ("discord.com", "discordapp.com")
    defaults = MappingProxyType({"rate_limit": RateLimit(5, 2.0)})

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        avatar_url: str | None = None,
        thread_id: int | str | None = None,
        silent: bool = False,
        files: bool = True,
        **options: Any,
    ) -> None:
        check_flag("silent", silent)
        check_flag("files", files)
        address, self._url = _addresses(url, thread_id)
        super().__init__(address, **options)
        self._sender = _sender(username, avatar_url)
        self._silent = silent
        self._files = files

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return messages of up to ten embeds; plain ones are text alone, without sender and files."""
        messages = [fit(describe(entry), _PLAIN_ROOM if plain else _ROOM) for entry in entries]
        if plain:
            return [self._plain(group) for group in pack(messages, _has_plain_room)]
        return [self._rich(group) for group in pack(messages, self._has_room)]

    def verdict(self, answer: Answer) -> None:
        """Judge by the status; Discord says the time to wait in the body, too, and gives its reasons as numbers."""
        said = json_object(answer.body)
        if answer.status == 429:
            reset = answer.headers.get("x-ratelimit-reset-after")
            raise Throttled(
                "HTTP 429", retry_after=longest(retry_after(answer.headers), said.get("retry_after"), reset)
            )
        code = said.get("code")
        try:
            super().verdict(answer)
        except DeliveryError as error:
            if isinstance(code, int) and not isinstance(code, bool):
                error.args = (f"{error}, code {code}{f' ({_REASONS[code]})' if code in _REASONS else ''}",)
            if isinstance(error, BadPayload) and code == 40005:
                error.too_large = True
            raise

    def _has_room(self, group: Sequence[Message]) -> bool:
        characters = sum(_ROOM.size(message) + _NOTE for message in group)
        attached = sum(len(message.whole) for message in group if self._attaches(message))
        return len(group) <= _EMBEDS and characters <= _TOTAL and attached <= _ATTACHED

    def _attaches(self, message: Message) -> bool:
        return self._files and 0 < len(message.whole) <= _ATTACHED

    def _rich(self, group: Sequence[Message]) -> Payload:
        embeds: list[dict[str, Any]] = []
        files: list[File] = []
        for number, message in enumerate(group, 1):
            name = f"command-{number}.sh" if self._attaches(message) else ""
            embeds.append(_embed(message, name))
            if name:
                files.append(File(f"files[{len(files)}]", name, f"{message.whole}\n".encode()))
        # Discord takes nothing for a preview from an embed; the flag against previews would hide the embeds as well.
        document = {**self._sender, **self._quiet(0), "embeds": embeds}
        entries = [message.entry for message in group]
        if not files:
            return json_payload(entries, document, url=self._url)
        fields = {"payload_json": (json.dumps(document, allow_nan=False).encode("ascii"), "application/json")}
        return multipart_payload(entries, fields, files, url=self._url)

    def _plain(self, group: Sequence[Message]) -> Payload:
        document = {"content": _content(group), **self._quiet(_SUPPRESS_EMBEDS)}
        return json_payload([message.entry for message in group], document, url=self._url)

    def _quiet(self, flags: int) -> dict[str, Any]:
        """Return what keeps a message from pinging anybody, and with `silent` from notifying."""
        flags |= _SUPPRESS_NOTIFICATIONS if self._silent else 0
        return {"allowed_mentions": {"parse": []}, **({"flags": flags} if flags else {})}


INSPECTOR = DiscordInspector


# What is given.


def _addresses(url: str, thread_id: int | str | None) -> tuple[str, str]:
    """Return the lane's address and the URL to post to.

    A thread is a part of the address: a lane has one inspector, and would post everything in the thread of that one.
    """
    remedy = "expected 'https://discord.com/api/webhooks/<id>/<token>', as \"Copy Webhook URL\" gives it"
    parts = urlsplit(check_url("the URL of DiscordInspector", url))
    path, host = parts.path, (parts.hostname or "").rstrip(".")
    if any(host == known or host.endswith(f".{known}") for known in DiscordInspector.hosts):
        path = path.rstrip("/")
        if path.endswith(("/slack", "/github")):
            raise ConfigurationError(
                f"the URL of DiscordInspector is that for messages in the form of another service; "
                f"leave out the {path[path.rindex('/') :]!r} at its end"
            )
        if parts.scheme.lower() != "https" or not _WEBHOOK.fullmatch(path):
            raise ConfigurationError(f"the URL of DiscordInspector is none of a webhook; {remedy}")
    query = parse_qsl(parts.query, keep_blank_values=True)
    threads = {value for name, value in query if name == "thread_id"} | (
        {str(thread_id)} if thread_id is not None else set()
    )
    if len(threads) > 1:
        raise ConfigurationError("thread_id is given twice, and the URL of DiscordInspector names another one")
    if isinstance(thread_id, bool) or any(not _SNOWFLAKE.fullmatch(one) for one in threads):
        raise ConfigurationError("thread_id must be the number of a thread, such as 1234567890")
    thread = [("thread_id", one) for one in threads]
    others = [(name, value) for name, value in query if name not in ("wait", "thread_id")]
    address = parts._replace(path=path, query=urlencode(thread), fragment="")
    # Without wait=true a message that was not saved is not reported.
    posting = address._replace(query=urlencode([("wait", "true"), *thread, *others]))
    return urlunsplit(address), urlunsplit(posting)


def _sender(username: str | None, avatar_url: str | None) -> dict[str, str]:
    sender = {}
    if username is not None:
        remedy = "Discord takes 1 to 80 characters, without '@', '#', ':', '```', 'discord', 'clyde'"
        if not isinstance(username, str) or not 0 < len(username.strip()) <= 80 or not username.isprintable():
            raise ConfigurationError(f"username must be a printable name, got {shown(username)}; {remedy}")
        lower = username.strip().lower()
        refused = next((part for part in ("discord", "clyde", "```", "@", "#", ":") if part in lower), None)
        if refused or lower in ("everyone", "here"):
            raise ConfigurationError(f"username must not be or contain {refused or lower!r}; {remedy}")
        sender["username"] = username.strip()
    if avatar_url is not None:
        sender["avatar_url"] = check_url("avatar_url", avatar_url, "https://example.com/owl.png")
        if len(avatar_url) > 2_048:
            raise ConfigurationError(f"avatar_url must have 2,048 characters at most, got {len(avatar_url):,}")
    return sender


# The shape.


def _embed(message: Message, file: str) -> dict[str, Any]:
    embed: dict[str, Any] = {"title": message.outcome, "color": _COLOURS[message.level]}
    if message.request:
        embed["title"] += f" · {in_code(message.request)}"
    if message.command:
        embed["description"] = fence(message.command, "sh")
        if file:
            embed["description"] += f"\nThe whole command is in the file {in_code(file)}."
    elif message.text:
        embed["description"] = fence(unfenced(message.text))
    fields = [{"name": name, "value": in_code(value), "inline": len(value) <= 40} for name, value in message.facts] + [
        {"name": section.name, "value": fence(unfenced(section.text), section.language), "inline": False}
        for section in message.sections
    ]
    if fields:
        embed["fields"] = fields
    if message.origin:
        embed["footer"] = {"text": message.origin}
    if message.when is not None:
        embed["timestamp"] = datetime.fromtimestamp(message.when, timezone.utc).isoformat(timespec="milliseconds")
    return embed


def _content(group: Sequence[Message]) -> str:
    return "\n".join(
        fence(unfenced(message.summary)) + (f"\n{fence(message.command, 'sh')}" if message.command else "")
        for message in group
    )


def _has_plain_room(group: Sequence[Message]) -> bool:
    return len(_content(group)) <= _PLAIN_ROOM.total
