"""What every destination is: an address, and two pure questions about it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..errors import BadPayload, ConfigurationError, DeadEndpoint, Throttled, Transient
from ..policies import check_callable, check_flag, check_policy, shown
from ..records.match import Matcher, Wanting, as_match
from ..records.notice import Notice
from ..records.patterns import lazy
from ..records.record import Record
from ..records.redaction import Redaction, redact_text
from .answers import json_object, longest, retry_after
from .options import check_options

__all__ = [
    "Answer",
    "Entry",
    "Inspector",
    "Payload",
    "check_url",
    "json_payload",
    "place_behind",
    "several",
    "strict_json",
]

Entry = Record | Notice
"""What is delivered: the record of a call, or a notice, which was sent by hand."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One body ready for one POST, and the entries that are in it.

    Parameters
    ----------
    entries: The entries that this payload delivers; they make the books.
    body: The bytes to send.
    content_type: Value of the `Content-Type` header.
    headers: More headers, as pairs of name and value.
    url: Where to post; None means the inspector's own address.
    """

    entries: tuple[Entry, ...]
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    url: str | None = None

    def __repr__(self) -> str:
        return f"Payload({len(self.entries)} entries, {len(self.body)} bytes of {self.content_type})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered to one payload.

    Parameters
    ----------
    status: HTTP status code.
    headers: Headers with their names in lower case.
    body: At most the first 64 KB of the answer.
    complete: Whether `body` is all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    complete: bool = True


def json_payload(
    entries: Sequence[Entry], document: Any, *, content_type: str = "application/json", url: str | None = None
) -> Payload:
    """Return a payload with a document as strict JSON; see `strict_json`."""
    return Payload(tuple(entries), strict_json(document).encode("ascii"), content_type, url=url)


# What JSON in ASCII holds: an escaped backslash, both halves of a letter, or one half, which is no letter.
_ESCAPES = re.compile(r"\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(\\ud[89a-f][0-9a-f]{2})")
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))  # made once: `dumps` would make one each time


def strict_json(document: Any) -> str:
    """Return a document as JSON on one line of ASCII: no NaN, and no half of a letter, which no UTF-8 can hold.

    Raises
    ------
    TypeError, ValueError
        If it holds what JSON has not.
    """
    text = _ENCODER.encode(document)
    return _ESCAPES.sub(lambda found: "\\ufffd" if found[1] else found[0], text) if "\\ud" in text else text


_HOST = lazy(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")


def check_url(name: str, value: object, like: str = "https://hooks.example.com/services/T0/B0/xyz") -> str:
    """Return the webhook URL, or refuse it without repeating it: it is a secret. `like` is an example of one."""
    remedy = f"expected something like '{like}'"
    if isinstance(value, (list, tuple, set, frozenset)):
        remedy = "for several webhooks say each([...]), which makes an inspector of each URL"
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a URL as text, got {type(value).__name__}; {remedy}")
    if not value.strip():
        raise ConfigurationError(f"{name} is empty; {remedy}, or None to leave it out")
    if value != value.strip() or not value.isprintable() or " " in value:
        raise ConfigurationError(f"{name} contains white space or control characters; {remedy}")
    try:
        parts = urlsplit(value)
        port = parts.port
        host = parts.hostname
        if host:
            ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
            if not _HOST.fullmatch(ascii_host):
                raise ValueError("host")
    except (ValueError, UnicodeError) as error:
        reason = "its port is no number from 1 to 65535" if "port" in str(error).lower() else "its host cannot be read"
        raise ConfigurationError(f"{name} is no usable URL: {reason}; {remedy}") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise ConfigurationError(f"{name} must begin with http:// or https://; {remedy}")
    if not host:
        raise ConfigurationError(f"{name} has no host; {remedy}")
    if port == 0:
        raise ConfigurationError(f"{name} is no usable URL: its port is no number from 1 to 65535; {remedy}")
    return value


def place_behind(url: str, **place: str | None) -> str:
    """Return the lane's address of one place behind a webhook, such as a thread: the URL, with that in its query.

    A lane has one inspector, and would post everything in the place of that one. What is None makes no difference.
    """
    parts = urlsplit(url)
    query = [parts.query] if parts.query else []
    query += [urlencode({name: value}) for name, value in place.items() if value is not None]
    return urlunsplit(parts._replace(query="&".join(query)))


def several(
    owner: str, make: Callable[..., Inspector], addresses: Iterable[Any], options: Mapping[str, Any]
) -> list[Inspector | None]:
    """Return what is made of each address with the same options; see `Inspector.each`. `owner` is for the message."""
    if isinstance(addresses, (str, bytes)) or not isinstance(addresses, Iterable):
        raise ConfigurationError(f"{owner} takes a list of webhook URLs; for a single one make an inspector")
    label = options.get("label")
    known: set[str] = set()
    found: list[Inspector | None] = []
    for number, address in enumerate(addresses, 1):
        if address is None or address == "":
            found.append(None)
            continue
        inspector = make(address, **(options if label is None else {**options, "label": f"{label}-{number}"}))
        if inspector.address in known:
            raise ConfigurationError(f"{owner}: number {number} of the webhooks was named before; leave it out")
        known.add(inspector.address)
        found.append(inspector)
    return found


class Inspector:
    """A destination as the user names it. Pure: it sends nothing and keeps nothing.

    Parameters
    ----------
    address:
        Where payloads go: an `http(s)` URL. A subclass may accept others.
    label:
        Name in logs, statistics and metrics, where the URL never stands. Default: a short name made from the host.
    match:
        Which exchanges are wanted here: a `Match`, or several joined with `&`, `|` and `~`; wins over the adapter's.
        Default: the adapter's.
    redaction:
        What is hidden here; wins over the adapter's. Default: the adapter's.
    critical:
        True: never suppressed nor sampled, not kept waiting for a batch, dropped last. Default False.
    options:
        Every delivery keyword of the adapter (`batch`, `cooldown`, `rate_limit`, `retry`, `breaker`, `transport`,
        `lane`, `fallbacks`, `fallback_after`); what is given here wins for this destination.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    TypeError
        If a keyword is unknown.
    """

    kind = "webhook"
    """First word of the default label."""
    hosts: ClassVar[tuple[str, ...]] = ()
    """Hosts whose webhook URLs are recognised as this service's, those below them included."""
    schemes: ClassVar[tuple[str, ...]] = ()
    """Schemes, such as `"pager"`, by which URLs of another package's inspector are recognised beside its `hosts`."""
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Delivery keywords that the service asks for, such as its rate limit; those of inspector and adapter win."""

    def __init__(
        self,
        address: str,
        *,
        label: str | None = None,
        match: Matcher | Wanting | None = None,
        redaction: Redaction | None = None,
        critical: bool = False,
        **options: Any,
    ) -> None:
        self.address = self.check_address(address)
        if label is not None and not (isinstance(label, str) and label.strip() and label.isprintable()):
            raise ConfigurationError(f"label must be a printable text that is not empty, got {shown(label)}")
        if label is not None and "://" in label:
            raise ConfigurationError("label must be a name, not a URL: labels are shown where URLs are not")
        if label is not None and redact_text(label, Redaction()) != label:
            raise ConfigurationError("label must be a name, and this one holds what looks like a secret")
        if redaction is not None:
            check_policy("redaction", redaction, Redaction, hint="to hide nothing say UNREDACTED")
        check_flag("critical", critical)
        check_callable(f"payloads of {type(self).__name__}", self.payloads, "the entries", plain=False)
        check_callable(f"verdict of {type(self).__name__}", self.verdict, "the answer")
        check_options(type(self).__name__, options, also=frozenset({"label", "match", "redaction", "critical"}))
        self.label = label or self.default_label()
        self.match = None if match is None else as_match("match", match)
        self.redaction = redaction
        self.critical = critical
        self.options: Mapping[str, Any] = options

    @property
    def initialized(self) -> bool:
        """Whether it is there; one that a factory makes is so once it was wanted. See `LazyInspector`."""
        return True

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Inspector:
        """Return the inspector for a bare webhook URL of one of the `hosts`, or refuse it without repeating it."""
        return cls(url, **options)

    @classmethod
    def each(cls, addresses: Iterable[str | tuple[Any, ...] | None], **options: Any) -> list[Inspector | None]:
        """Return an inspector for each of several webhooks, all with the same options, to be given in their place.

        Each has a lane of its own: one that is in trouble holds up no other. All of them get every record.

        Parameters
        ----------
        addresses:
            Webhook URLs; a tuple holds what a service takes instead, such as Telegram's token and chat. None and `""`
            are off, like those among the inspectors of an adapter.
        options:
            What the inspector takes beside that. A label gets a number behind it, from 1.

        Raises
        ------
        ConfigurationError
            If one of them cannot be used, or is named twice.
        """

        def make(address: Any, **said: Any) -> Inspector:
            return cls(*address, **said) if isinstance(address, tuple) else cls.from_url(address, **said)

        return several(f"{cls.__name__}.each()", make, addresses, options)

    def check_address(self, address: str) -> str:
        """Return the address, or refuse it without repeating it."""
        return check_url(f"the URL of {type(self).__name__}", address)

    def default_label(self) -> str:
        """Return a short name that tells the destinations of a process apart and tells nothing of the secret."""
        digest = hashlib.sha256(self.address.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{self.kind}:{urlsplit(self.address).hostname}-{digest}"

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return what is to be posted for these entries, records and notices, each entry in exactly one payload.

        `plain` asks for the simplest form that the service takes: the rich one was refused. A list, not a generator, so
        that a formatting mistake shows before the first byte is sent.
        """
        raise NotImplementedError(f"{type(self).__name__} must define payloads()")

    def renewed(self, payload: Payload) -> Payload:
        """Return the payload for one more attempt: the same, unless a part of it, such as a signature, grows old."""
        return payload

    def verdict(self, answer: Answer) -> None:
        """Return if the service took the payload; otherwise raise the `DeliveryError` that says what follows."""
        status = answer.status
        if 200 <= status < 300:
            return
        wait = longest(retry_after(answer.headers), json_object(answer.body).get("retry_after"))
        if status == 429:
            raise Throttled("HTTP 429", retry_after=wait)
        if status in (408, 425) or status >= 500 or status < 200:
            raise Transient(f"HTTP {status}", retry_after=wait)
        if status in (400, 406, 409, 411, 413, 414, 415, 422, 431):
            raise BadPayload(f"HTTP {status}", too_large=status == 413)
        raise DeadEndpoint(f"HTTP {status}", gone=status == 410)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r})"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} holds a webhook URL, which is a secret: it is not pickled; make it where it is used")

    def __copy__(self) -> Inspector:
        return self

    def __deepcopy__(self, memo: object) -> Inspector:
        return self
