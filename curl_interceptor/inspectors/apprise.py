"""Apprise: a message to one of the hundred other services that it knows, in the form that the service takes."""

from __future__ import annotations

import hashlib
import html
import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import ConfigurationError, Transient
from ..policies import RateLimit
from .base import Answer, Entry, Inspector, Payload, json_payload
from .held import hold
from .message import Message, Room, describe, fit, pack
from .readable import fence, shorten, unfenced

__all__ = ["INSPECTOR", "SAID_NO", "AppriseInspector", "hushed"]

SAID_NO = 0
"""Status of an answer where a service refused, and Apprise did not say with which status."""

_LOGGERS = ("apprise", "urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
_TYPES = {"error": "failure", "warning": "warning", "info": "info"}
_WORST = ("error", "warning", "info")
_LONGEST_TITLE = 80
_NO_TITLE_BELOW = 1_000  # characters of a body, as of a text message: what it says is worth more than a title
_MOST = 60_000
_LEAST = 70
_SPARE = 16
_SCHEMA = re.compile(r"[a-z0-9]{1,40}", re.IGNORECASE)


class AppriseInspector(Inspector):
    """Hands each message to Apprise, which knows how more than a hundred services want it.

    Needs the extra `apprise`. Its messages say what others say, as text, Markdown or HTML, whichever the service takes,
    and within the length that Apprise knows of it. What a service reads as a mention or as markup is known to Apprise
    alone: where there is an inspector for a service, it is the better one. Apprise makes its own connections: they
    are not captured, and what it logs about them is dropped, for it holds tokens. `TransportPolicy` gives them
    their time-outs and nothing else.

    Parameters
    ----------
    url:
        URL of Apprise for one service, such as `"ntfy://ntfy.example.com/alerts"`; see https://appriseit.com. A secret.
    options:
        The keywords of `Inspector`. The rate limit is what Apprise keeps to by default.

    Raises
    ------
    ConfigurationError
        If Apprise is not installed, or knows no service for the URL.
    TypeError
        If a keyword is unknown.
    """

    kind = "apprise"

    def __init__(self, url: str, **options: Any) -> None:
        self._digest = hashlib.sha256(str(url).encode("utf-8", "surrogatepass")).hexdigest()
        self._held = hold(_service(url), f"{self.kind}:{self._digest}")
        self._service = self._held.thing
        # Its pauses would be slept in a worker; the lane keeps them instead.
        pause = float(getattr(type(self._service), "request_rate_per_sec", 0) or 0)
        self._service.request_rate_per_sec = 0
        self.defaults = {"rate_limit": RateLimit(1, pause)} if pause >= 0.001 else {}  # type: ignore[misc]
        self._form = _form(self._service)
        super().__init__(self._held.name, **options)

    def check_address(self, address: str) -> str:
        """It stands for the URL, which Apprise has read already."""
        return address

    def default_label(self) -> str:
        """Return the service's name."""
        name = re.sub("[^a-z0-9]+", "-", str(getattr(self._service, "service_name", "")).lower()).strip("-")
        return f"{self.kind}:{name or 'service'}-{self._digest[:4]}"

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return messages as Apprise is to be told them; plain ones have no bodies of calls."""
        form, titled = self._form, _has_title(self._service)
        most = max(_LEAST, min(_MOST, int(self._service.body_maxlen)) - (_LONGEST_TITLE if titled else 0) - _SPARE)
        room = Room(total=most, section=0 if plain else 1_500, frame=form.frame, measure=form.measure)
        messages = [fit(describe(entry), room) for entry in entries]

        def has_room(group: Sequence[Message]) -> bool:
            return len(form.write(group)) <= most

        return [self._payload(group, titled) for group in pack(messages, has_room)]

    def verdict(self, answer: Answer) -> None:
        """Judge by the status of the service where Apprise tells one, and by its yes or no otherwise."""
        if answer.status == SAID_NO:
            raise Transient("Apprise could not deliver it, and says no status")
        super().verdict(answer)

    def _payload(self, group: Sequence[Message], titled: bool) -> Payload:
        others = f", and {len(group) - 1} more" if len(group) > 1 else ""
        level = min((message.level for message in group), key=_WORST.index)
        document = {
            "title": shorten(f"{group[0].outcome}{others}", min(_LONGEST_TITLE, self._title_most)) if titled else "",
            "body": self._form.write(group),
            "type": _TYPES[level],
            "format": self._form.name,
        }
        return json_payload([message.entry for message in group], document)

    @property
    def _title_most(self) -> int:
        return int(self._service.title_maxlen) or _LONGEST_TITLE


INSPECTOR = AppriseInspector


def _service(url: object) -> Any:
    """Return what Apprise makes of a URL, or refuse it without repeating it."""
    remedy = "expected one of Apprise's URLs, such as 'ntfy://ntfy.example.com/alerts'; see https://appriseit.com"
    if not isinstance(url, str) or not url.strip():
        raise ConfigurationError(f"the URL of AppriseInspector must be a text that is not empty; {remedy}")
    try:
        apprise = import_module("apprise")
    except ImportError:
        raise ConfigurationError("AppriseInspector needs Apprise: pip install 'curl-interceptor[apprise]'") from None
    raised = ""
    with hushed():
        try:
            asset = apprise.AppriseAsset(async_mode=False, interpret_escapes=False)
            service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        except Exception as error:  # in its plugins; the text may hold the URL
            service, raised = None, f": it raised {type(error).__name__}"
    if service is None or not callable(getattr(service, "notify", None)):
        schema = url.partition("://")[0]
        known = f" that begins with {schema}://" if "://" in url and _SCHEMA.fullmatch(schema) else ""
        raise ConfigurationError(f"the URL of AppriseInspector{known} is none that Apprise can read{raised}; {remedy}")
    return service


def _has_title(service: Any) -> bool:
    return int(service.body_maxlen) >= _NO_TITLE_BELOW


# What a service reads.


class _Form(NamedTuple):
    """One way to write messages down."""

    name: str
    write: Callable[[Sequence[Message]], str]
    frame: int
    """Most that it adds to a part."""
    measure: Callable[[str], int] = len


def _texts(message: Message) -> Iterator[str]:
    """Yield what is told, in the order of the others; the command alone by itself, so that it can be copied."""
    yield message.summary
    if message.text:
        yield message.text
    if message.command:
        yield message.command
    for name, text, _ in message.sections:
        yield f"{name}\n{text}"


def _text(group: Sequence[Message]) -> str:
    return "\n\n".join("\n".join(_texts(message)) for message in group)


def _markdown(group: Sequence[Message]) -> str:
    """Everything is code, where little is markup."""
    texts = (text for message in group for text in _fenced(message))
    return "\n".join(map(fence, texts))


def _fenced(message: Message) -> Iterator[str]:
    for text in _texts(message):
        yield text if text is message.command else unfenced(text)


def _html(group: Sequence[Message]) -> str:
    return "".join(f"<pre>{html.escape(text)}</pre>" for message in group for text in _texts(message))


_FORMS = {
    "markdown": _Form("markdown", _markdown, 12),
    "html": _Form("html", _html, 12, lambda text: len(html.escape(text))),
    "text": _Form("text", _text, 4),
}


def _form(service: Any) -> _Form:
    """Return the first form that the service takes as it is: what Apprise converts loses its spaces or its lines."""
    resolve = getattr(service, "resolve_format", None)
    for name, form in _FORMS.items():
        taken = resolve(name) if resolve else service.notify_format
        if str(getattr(taken, "value", taken)) == name:
            return form
    return _FORMS["text"]


# What Apprise says of it.

_listening: dict[int, list[str]] = {}


class _Hush(logging.Filter):
    """Drops what is logged by the threads in which Apprise works for us, and remembers it meanwhile."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = _listening.get(threading.get_ident())
        if said is None:
            return True
        if record.levelno >= logging.WARNING:
            said.append(record.getMessage()[:1_000])
        return False


_hush = _Hush()


@contextmanager
def hushed() -> Iterator[list[str]]:
    """Let nothing that Apprise and urllib3 log in this thread be seen, for it holds tokens; yields the warnings."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_hush)  # once: one that is there is not added again
    ident = threading.get_ident()
    said: list[str] = []
    _listening[ident] = said
    try:
        yield said
    finally:
        _listening.pop(ident, None)
