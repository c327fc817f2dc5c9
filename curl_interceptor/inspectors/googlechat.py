"""Google Chat: a text for each batch, with the commands in blocks of code."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..errors import ConfigurationError, DeliveryError
from ..policies import RateLimit, shown
from ..records.patterns import lazy
from .answers import json_object
from .base import Answer, Entry, Inspector, Payload, check_url, json_payload
from .message import Message, Room, describe, fit, pack
from .readable import fence, in_code, unfenced

__all__ = ["INSPECTOR", "GoogleChatInspector"]

# https://developers.google.com/workspace/chat/create-messages: 32,000 bytes, all included. Counted are the bytes of
# strict JSON in ASCII, which are never fewer than those of anything that Google may count.
_BYTES = 32_000
_ENVELOPE = 600  # for the key of a thread

# Users are mentioned by "<users/123>" or "<users/all>", and links written as "<https://example.com|text>". Google does
# not say that it leaves them alone in code.
_MEANINGFUL = lazy(r"<(?=users/|[a-z][a-z0-9+.-]*:)", re.IGNORECASE)
_LIKE_ONE = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"

_LIGHTS = {"error": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE ORANGE CIRCLE}", "info": "\N{LARGE BLUE CIRCLE}"}
_WEBHOOK = lazy(r"/v1/spaces/[A-Za-z0-9_-]+/messages")
_REASONS = {
    "INVALID_ARGUMENT": "invalid argument",
    "NOT_FOUND": "unknown space or webhook",
    "PERMISSION_DENIED": "permission denied",
    "UNAUTHENTICATED": "key or token not accepted",
}


class GoogleChatInspector(Inspector):
    """Posts to a webhook of a space of Google Chat.

    Each record is a piece of text: status and request, the command in a block of code, the facts, the head of the
    response. Several records share a message as long as there is room. Nobody is mentioned, and no link is followed for
    a preview. A command that is too long is cut, and says so.

    Parameters
    ----------
    url:
        Webhook URL, as "Apps & integrations" of a space gives it. Its `key` and `token` are secrets. Other hosts are
        taken too, for proxies and tests. A `threadKey` in it is obeyed.
    thread_key:
        Name of a thread, of your own choice, to post in; the first message begins it. Default: each message is one of
        its own.
    options:
        The keywords of `Inspector`. The rate limit is one message a second by default, as Google has it for a space.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    kind = "googlechat"
    hosts = ("chat.googleapis.com",)
    defaults = MappingProxyType({"rate_limit": RateLimit(1, 1.0)})

    def __init__(self, url: str, *, thread_key: str | None = None, **options: Any) -> None:
        address, self._url, self._thread = _addresses(url, thread_key)
        super().__init__(address, **options)

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return texts of 32,000 bytes at most; plain ones have blocks of code and nothing else."""
        write = _plain if plain else _rich
        messages = [fit(describe(entry), _PLAIN_ROOM if plain else _ROOM) for entry in entries]

        def has_room(group: Sequence[Message]) -> bool:
            return _cost(write(group)) <= _BYTES - _ENVELOPE

        return [self._payload(group, write(group)) for group in pack(messages, has_room)]

    def verdict(self, answer: Answer) -> None:
        """Judge by the status, and tell Google's own name for it."""
        try:
            super().verdict(answer)
        except DeliveryError as error:
            said = json_object(answer.body).get("error")
            name = said.get("status") if isinstance(said, dict) else None
            if isinstance(name, str) and name in _REASONS:
                error.args = (f"{error} ({_REASONS[name]})",)
            raise

    def _payload(self, group: Sequence[Message], text: str) -> Payload:
        thread = {"thread": {"threadKey": self._thread}} if self._thread else {}
        return json_payload([message.entry for message in group], {"text": text, **thread}, url=self._url)


INSPECTOR = GoogleChatInspector


# What is given.


def _addresses(url: str, thread_key: str | None) -> tuple[str, str, str]:
    """Return the lane's address, the URL to post to, and the key of the thread, which is a part of the address."""
    remedy = "expected 'https://chat.googleapis.com/v1/spaces/<space>/messages?key=<key>&token=<token>'"
    parts = urlsplit(check_url("the URL of GoogleChatInspector", url))
    query = parse_qsl(parts.query, keep_blank_values=True)
    if (parts.hostname or "").rstrip(".") in GoogleChatInspector.hosts:
        if parts.scheme.lower() != "https" or not _WEBHOOK.fullmatch(parts.path.rstrip("/")):
            raise ConfigurationError(f"the URL of GoogleChatInspector is none of a webhook; {remedy}")
        for name in ("key", "token"):
            if not dict(query).get(name):
                raise ConfigurationError(f"the URL of GoogleChatInspector has no {name!r}: it is cut off; {remedy}")
    if thread_key is not None and not (isinstance(thread_key, str) and thread_key.strip() and thread_key.isprintable()):
        raise ConfigurationError(f"thread_key must be a name of your choice for a thread, got {shown(thread_key)}")
    keys = {value for name, value in query if name == "threadKey" and value} | ({thread_key} if thread_key else set())
    if len(keys) > 1:
        raise ConfigurationError("thread_key is given twice, and the URL of GoogleChatInspector names another one")
    key = keys.pop() if keys else ""
    if len(json.dumps(key)) > _ENVELOPE - 100:
        raise ConfigurationError("thread_key is too long; expected a short name of your choice")
    own = [(name, value) for name, value in query if name not in ("threadKey", "messageReplyOption")]
    address = parts._replace(query=urlencode([*own, *([("threadKey", key)] if key else [])]), fragment="")
    # Without this option the thread is ignored, and a thread that was deleted would be an error.
    option = [("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")] if key else []
    return address.geturl(), address._replace(query=urlencode([*own, *option])).geturl(), key


# The shape.


def _rich(group: Sequence[Message]) -> str:
    return "\n\n".join("\n".join(_lines(message)) for message in group)


def _lines(message: Message) -> list[str]:
    request = f" · {_code(message.request)}" if message.request else ""
    lines = [f"{_LIGHTS[message.level]} *{message.outcome}*{request}"]
    if message.command:
        lines.append(fence(_command(message)))
    if message.text:
        lines.append(_block(message.text))
    lines += [f"{name}: {_code(value)}" for name, value in message.facts]
    if message.origin:
        lines.append(_code(message.origin))
    for section in message.sections:
        lines += [f"*{section.name}*", _block(section.text)]
    return lines


def _plain(group: Sequence[Message]) -> str:
    blocks = [[_block(message.summary), *([fence(_command(message))] if message.command else [])] for message in group]
    return "\n".join(block for found in blocks for block in found)


def _command(message: Message) -> str:
    """Return the command without anything that would mention somebody or make a link.

    A "<" stands between single quotes, and to close and open these behind it says the same to every shell.
    """
    return _MEANINGFUL.sub("<''", message.command)


def _code(text: str) -> str:
    return in_code(_MEANINGFUL.sub(_LIKE_ONE, text))


def _block(text: str) -> str:
    return fence(_MEANINGFUL.sub(_LIKE_ONE, unfenced(text)))


# The room.


def _cost(text: str) -> int:
    return len(json.dumps(text)) - 2


def _most(text: str) -> int:
    """Count a text as if each sign in it that may be exchanged were one of those that take six bytes."""
    return _cost(text) + 5 * text.count("`") + 5 * len(_MEANINGFUL.findall(text))


_ROOM = Room(total=_BYTES - _ENVELOPE, title=600, fact=800, section=2_500, frame=32, measure=_most)
_PLAIN_ROOM = Room(total=_BYTES - _ENVELOPE, title=600, fact=800, section=0, frame=32, measure=_most)
