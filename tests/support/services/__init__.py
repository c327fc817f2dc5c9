"""
What each service takes, one file a service under the name of its inspector's file.

A file has four functions: `make(**options)` returns an inspector; `check(payload)` fails if the service would refuse
the payload, ping somebody, follow a link, or take text of others for markup; `commands(payload)` returns the command of
each entry as a reader would copy it; `text(payload)` returns all that a reader, or a log of the service, can see.
"""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, cast

from curl_interceptor import Inspector, Match, Payload, RateLimit, Redaction
from curl_interceptor.delivery.destination import plan_route

from ..hostile_records import record

__all__ = ["Service", "assert_visible", "first_cut", "limit_of", "service", "strings"]


class Service(Protocol):
    """The functions of a service's file."""

    def make(self, **options: Any) -> Inspector: ...

    def check(self, payload: Payload) -> None: ...

    def commands(self, payload: Payload) -> list[str]: ...

    def text(self, payload: Payload) -> str: ...


def service(name: str) -> Service:
    """Return the rules of a service; an inspector whose service has none fails."""
    return cast("Service", importlib.import_module(f"{__name__}.{name}"))


def first_cut(name: str, lengths: Iterable[int]) -> int:
    """Return the first of some lengths of a body with which the command is cut; so it is with all later ones."""
    cut = {}
    for length in lengths:
        (payload,) = service(name).make().payloads([record(sent=b"x" * length)])
        service(name).check(payload)
        cut[length] = "not runnable" in service(name).commands(payload)[0]
    assert [*cut.values()] == sorted(cut.values())
    assert {*cut.values()} == {False, True}
    return min(length for length in cut if cut[length])


def limit_of(inspector: Inspector, **options: Any) -> RateLimit | None:
    """Return the limit that an inspector's lane has, given the keywords of an adapter."""
    route = plan_route([inspector], match=Match(), redaction=Redaction(), options=options)
    return route.destinations[0].policies.rate_limit


def strings(document: object) -> Iterator[str]:
    """Yield every string of a JSON document."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from (key, *strings(value))
    elif isinstance(document, list):
        for value in document:
            yield from strings(value)


def assert_visible(text: str) -> None:
    """Fail if a text holds what cannot be seen, or what turns around or hides other text."""
    for letter in set(text):
        assert letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"), (
            f"{letter!a} in {text[:200]!a}"
        )
    text.encode("utf-8")
