"""Telegram: a message by a bot, with the command in a block of code or in an attached file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from ..errors import BadPayload, ConfigurationError, DeadEndpoint, DeliveryError, Throttled, Transient
from ..policies import RateLimit, check_flag, shown
from ..records.patterns import lazy
from .answers import json_object, longest, retry_after
from .base import Answer, Entry, Inspector, Payload, check_url, json_payload
from .message import Message, Room, describe, fit, pack
from .multipart import File, multipart_payload

__all__ = ["INSPECTOR", "TelegramInspector"]

Chat = int | str


def _utf16(text: str) -> int:
    """Count as Telegram counts: in units of UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


# https://core.telegram.org/bots/api#sendmessage and #senddocument: characters without markup, which stands beside them.
_TEXT = 4_096
_CAPTION = 1_024
_ENTITIES = 100  # what is beyond is ignored
_NOTE = "The whole command is in the file "
_FILE = "command.sh"
_ROOM = Room(total=_TEXT, title=250, fact=400, section=1_000, frame=5, measure=_utf16)
_CAPTION_ROOM = Room(total=_CAPTION - len(_NOTE + _FILE) - 2, title=200, fact=200, section=300, frame=5, measure=_utf16)
_PLAIN_ROOM = Room(total=_TEXT, title=250, fact=400, section=0, frame=5, measure=_utf16)
# Telegram takes 50 MB a file; what is larger than this is cut instead, as elsewhere.
_ATTACHED = 8_000_000

_LIGHTS = {"error": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE ORANGE CIRCLE}", "info": "\N{LARGE BLUE CIRCLE}"}
_FIELD = "text/plain; charset=utf-8"

# What Telegram says beside a status, as far as it is repeated; a chat that takes nothing is no fault of a message.
_DEAD = (
    "chat not found", "group chat was deactivated", "group chat was upgraded", "message thread not found",
    "topic_closed", "topic_deleted", "not enough rights", "have no rights", "need administrator rights",
    "chat_write_forbidden", "chat_restricted", "peer_id_invalid", "bot was blocked", "bot was kicked",
    "bot is not a member", "user is deactivated", "can't initiate conversation", "can't send messages to bots",
)  # fmt: skip
_TOO_LONG = ("message is too long", "caption is too long", "caption_too_long", "message_too_long", "file is too big")
_REASONS = (*_DEAD, *_TOO_LONG, "message text is empty", "can't parse entities", "unauthorized")

_OK = lazy(rb'\s*\{\s*"ok"\s*:\s*true\b')
_TOKEN = lazy(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,200}")
_NUMBER = lazy(r"-?[1-9][0-9]{0,15}")
_NAME = lazy(r"@[A-Za-z][A-Za-z0-9_]{2,31}")


class TelegramInspector(Inspector):
    """Sends messages of a bot to a chat, group or channel of Telegram.

    Each message says status and request, the command in a block of code, the facts, the head of the response. Several
    records share one as long as there is room. A command that is too long for a message is attached as a file. All text
    of others is code, so nobody is mentioned, and no link is followed for a preview.

    Parameters
    ----------
    token:
        Token of the bot, as @BotFather gives it: `"123456789:ABC-def…"`. It is a secret, and shown nowhere.
    chat_id:
        Number of the chat, or `"@name"` of a public channel. Numbers of groups begin with a minus.
    message_thread_id:
        Number of a topic of the group to send to. Default: none.
    silent:
        True sends without a sound. Default False.
    api_base:
        URL of another Bot API server than Telegram's own, without the `/bot<token>`.
    files:
        False never attaches a file: a command that is too long is cut, and says so. Default True.
    options:
        The keywords of `Inspector`. The rate limit is a message in 3 seconds by default: Telegram takes 20 a minute in
        a group, and one a second.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    kind = "telegram"
    hosts = ("api.telegram.org",)
    defaults = MappingProxyType({"rate_limit": RateLimit(1, 3.0)})

    def __init__(
        self,
        token: str,
        chat_id: int | str,
        *,
        message_thread_id: int | None = None,
        silent: bool = False,
        api_base: str = "https://api.telegram.org",
        files: bool = True,
        **options: Any,
    ) -> None:
        check_flag("silent", silent)
        check_flag("files", files)
        self._bot = f"{_check_base(api_base)}/bot{_check_token(token)}"
        self._chat = _check_chat(chat_id)
        thread = {} if message_thread_id is None else {"message_thread_id": _check_thread(message_thread_id)}
        self._more: Mapping[str, Any] = {**thread, **({"disable_notification": True} if silent else {})}
        self._files = files
        self._moved_to: int | None = None
        # A topic is a part of the address: a lane has one inspector, and would send everything to that one's topic.
        super().__init__(f"{self._bot}/sendMessage?{urlencode({'chat_id': self._chat, **thread})}", **options)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> TelegramInspector:
        """Return the inspector for `https://api.telegram.org/bot<token>/sendMessage?chat_id=<number>`."""
        parts = urlsplit(check_url("the URL of TelegramInspector", url))
        before, bot, after = parts.path.partition("/bot")
        query = dict(parse_qsl(parts.query))
        if not bot or not query.get("chat_id"):
            raise ConfigurationError(
                "the webhook URL belongs to Telegram, and names no bot and chat; "
                "say TelegramInspector(token, chat_id), or give it as https://api.telegram.org/bot<token>/sendMessage?chat_id=<number>"
            )
        thread = query.get("message_thread_id", "")
        said: dict[str, Any] = {"api_base": parts._replace(path=before, query="", fragment="").geturl()}
        if re.fullmatch("[0-9]{1,10}", thread):
            said["message_thread_id"] = int(thread)
        return cls(unquote(after.partition("/")[0]), query["chat_id"], **{**said, **options})

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return messages of up to 4,096 characters, and one with a file for each command that is too long.

        Plain ones have no files, and no markup but that all is code.
        """
        if plain:
            messages = [fit(describe(entry), _PLAIN_ROOM) for entry in entries]
            return [self._message(group, _plain(group)) for group in pack(messages, _has_plain_room)]
        messages = [self._fitted(entry) for entry in entries]
        groups = pack(messages, self._has_room)
        return [
            self._document(group[0]) if self._attaches(group[0]) else self._message(group, _rich(group))
            for group in groups
        ]

    def renewed(self, payload: Payload) -> Payload:
        """Return the payload with the chat's number of now, should the chat have moved since it was made."""
        if self._moved_to is None:
            return payload
        body = payload.body
        for head in (_json_head, _form_head):
            body = body.replace(head(self._chat), head(self._moved_to), 1)
        return replace(payload, body=body)

    def verdict(self, answer: Answer) -> None:
        """Judge by the status and by `ok`; a group that became a supergroup has another number from then on."""
        said = json_object(answer.body)
        status = answer.status
        if 200 <= status < 300:
            if said.get("ok") is True or (not answer.complete and _OK.match(answer.body)):
                return
            if said.get("ok") is not False:
                raise DeadEndpoint(f"HTTP {status} without the 'ok' of a Bot API: check api_base")
            code = said.get("error_code")
            status = code if isinstance(code, int) and 300 <= code < 600 else 500
        found = said.get("parameters")
        parameters: Mapping[str, Any] = found if isinstance(found, dict) else {}
        if status == 400 and "migrate_to_chat_id" in parameters:
            self._move(parameters["migrate_to_chat_id"])
        wait = longest(retry_after(answer.headers), parameters.get("retry_after"))
        self._judge(status, str(said.get("description", "")), wait)

    def _move(self, chat: object) -> None:
        """Remember the new number of a group, and let the payload go there by another attempt."""
        if not isinstance(chat, int) or isinstance(chat, bool) or not _NUMBER.fullmatch(str(chat)):
            return
        if self._moved_to not in (None, chat):
            raise DeadEndpoint("HTTP 400: the chat moves from one number to another again and again")
        self._moved_to = chat
        raise Transient(f"HTTP 400: the group became a supergroup; its chat_id is {chat} now")

    def _judge(self, status: int, description: str, wait: float | None) -> None:
        reason = next((one for one in _REASONS if one in description.lower()), "")
        text = f"HTTP {status} ({reason})" if reason else f"HTTP {status}"
        if status == 429:
            raise Throttled(text, retry_after=wait)
        try:
            super().verdict(Answer(status, {}))
        except DeliveryError as error:
            error.args = (text,)
            if isinstance(error, Transient):
                error.retry_after = wait
            if isinstance(error, BadPayload):
                if reason in _DEAD:
                    raise DeadEndpoint(text) from None
                error.too_large = error.too_large or reason in _TOO_LONG
            raise

    # -- the shape ----------------------------------------------------------------------------------------------------

    def _fitted(self, entry: Entry) -> Message:
        message = describe(entry)
        fitted = fit(message, _ROOM)
        return fit(message, _CAPTION_ROOM) if self._attaches(fitted) else fitted

    def _attaches(self, message: Message) -> bool:
        return self._files and 0 < len(message.whole) <= _ATTACHED

    def _has_room(self, group: Sequence[Message]) -> bool:
        text = _rich(group)
        return text.size <= _TEXT and len(text.entities) <= _ENTITIES and not any(map(self._attaches, group))

    def _message(self, group: Sequence[Message], text: _Text) -> Payload:
        document = {
            "chat_id": self._now_at,
            **self._more,
            "text": text.text.rstrip("\n"),
            "entities": text.entities,
            "link_preview_options": {"is_disabled": True},
        }
        return json_payload([message.entry for message in group], document, url=f"{self._bot}/sendMessage")

    def _document(self, message: Message) -> Payload:
        text = _rich([message])
        text.add(_NOTE).add(_FILE, "code")
        fields = {"chat_id": self._now_at, **self._more, "caption": text.text, "caption_entities": text.entities}
        encoded = {
            name: ((value if isinstance(value, str) else json.dumps(value)).encode(), _FIELD)
            for name, value in fields.items()
        }
        file = File("document", _FILE, f"{message.whole}\n".encode())
        return multipart_payload([message.entry], encoded, [file], url=f"{self._bot}/sendDocument")

    @property
    def _now_at(self) -> Chat:
        return self._chat if self._moved_to is None else self._moved_to


INSPECTOR = TelegramInspector


# What is given.


def _check_token(token: object) -> str:
    remedy = "expected that of @BotFather, something like '123456789:ABC-def_123'"
    if not isinstance(token, str):
        raise ConfigurationError(f"the token of TelegramInspector must be a text, got {type(token).__name__}; {remedy}")
    if not token.strip():
        raise ConfigurationError(f"the token of TelegramInspector is empty; {remedy}")
    if any(letter.isspace() or not letter.isprintable() for letter in token):
        raise ConfigurationError(f"the token of TelegramInspector contains white space or control characters; {remedy}")
    if not _TOKEN.fullmatch(token):
        extra = "; leave out the 'bot' before it" if token.lower().startswith("bot") else ""
        raise ConfigurationError(f"the token of TelegramInspector is none of a bot{extra}; {remedy}")
    return token


def _check_chat(chat: object) -> Chat:
    remedy = "expected a number such as -1001234567890, or '@name' of a public channel"
    if isinstance(chat, str) and not chat.strip():
        raise ConfigurationError(f"chat_id is empty; {remedy}")
    if isinstance(chat, bool) or not isinstance(chat, (int, str)):
        raise ConfigurationError(f"chat_id must be a number or a name, got {shown(chat)}; {remedy}")
    text = str(chat) if isinstance(chat, str) or abs(chat) < 10**16 else ""
    if _NUMBER.fullmatch(text):
        return int(text)
    if not _NAME.fullmatch(text):
        raise ConfigurationError(f"chat_id is no number or name of a chat; {remedy}")
    return text


def _check_thread(thread: object) -> int:
    if not isinstance(thread, int) or isinstance(thread, bool) or not 0 < thread < 2**31:
        raise ConfigurationError(
            f"message_thread_id must be the number of a topic, such as 42, got {shown(thread)}; "
            f"it stands in the links of the topic's messages: t.me/c/<group>/<topic>/<message>"
        )
    return thread


def _check_base(url: str) -> str:
    parts = urlsplit(check_url("api_base", url, "https://api.telegram.org"))
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or re.search("/bot[0-9]+:", path):
        raise ConfigurationError(
            "api_base must be the URL of a Bot API server without the token, such as 'https://api.telegram.org'"
        )
    return parts._replace(path=path).geturl()


# What a payload begins with: the one place where it says to whom it goes.


def _json_head(chat: Chat) -> bytes:
    return f'{{"chat_id":{json.dumps(chat)},'.encode("ascii")


def _form_head(chat: Chat) -> bytes:
    return f'form-data; name="chat_id"\r\nContent-Type: {_FIELD}\r\n\r\n{chat}\r\n'.encode("ascii")


# Text with its markup beside it: nothing in it has to be escaped, and nothing can break it.


class _Text:
    """A text, and where in it is what; offsets are in units of UTF-16."""

    def __init__(self) -> None:
        self.text = ""
        self.size = 0
        self.entities: list[dict[str, Any]] = []

    def add(self, text: str, kind: str = "", **more: str) -> _Text:
        length = _utf16(text)
        if kind:
            self.entities.append({"type": kind, "offset": self.size, "length": length, **more})
        self.text += text
        self.size += length
        return self


def _rich(group: Sequence[Message]) -> _Text:
    text = _Text()
    for number, message in enumerate(group):
        text.add("\n" * bool(number) + f"{_LIGHTS[message.level]} ").add(message.outcome, "bold")
        if message.request:
            text.add(" · ").add(message.request, "code")
        text.add("\n")
        if message.command:
            text.add(message.command, "pre", language="bash").add("\n")
        if message.text:
            text.add(message.text, "pre").add("\n")
        for name, value in message.facts:
            text.add(f"{name}: ").add(value, "code").add("\n")
        if message.origin:
            text.add(message.origin, "code").add("\n")
        for section in message.sections:
            more = {"language": section.language} if section.language else {}
            text.add(f"{section.name}\n").add(section.text, "pre", **more).add("\n")
    return text


def _plain(group: Sequence[Message]) -> _Text:
    text = _Text()
    for message in group:
        text.add(message.summary, "pre").add("\n")
        if message.command:
            text.add(message.command, "pre").add("\n")
    return text


def _has_plain_room(group: Sequence[Message]) -> bool:
    text = _plain(group)
    return text.size <= _TEXT and len(text.entities) <= _ENTITIES
