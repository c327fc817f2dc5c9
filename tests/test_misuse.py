"""A secret that was given to the wrong keyword is refused, or taken, but never repeated in the error."""

from __future__ import annotations

import inspect
import logging
import traceback
from typing import Any

import pytest
import requests

import curl_interceptor
from curl_interceptor import (
    UNREDACTED,
    BatchPolicy,
    BreakerPolicy,
    CapturePolicy,
    ConsoleInspector,
    Cooldown,
    CurlInterceptor,
    DiscordInspector,
    FileInspector,
    GoogleChatInspector,
    LanePolicy,
    LoggingInspector,
    Match,
    MattermostInspector,
    NoticeHandler,
    Pipeline,
    RateLimit,
    Redaction,
    RetryPolicy,
    RocketChatInspector,
    SlackInspector,
    TeamsInspector,
    TelegramInspector,
    TransportPolicy,
    WebhookInspector,
    mount,
    render,
    to_curl,
)
from curl_interceptor.inspectors.options import DELIVERY_KEYWORDS

# Short and long, with and without what tells a URL or a token: all may be secrets.
SECRETS = ["hunter", "s3cr3t", "T0Q/B0Z/xyzzy", "whsec_plughplughplugh1", "xyzzy" * 30, ["hunter"], {"hunter": "xyzzy"}]
PARTS = ("hunter", "s3cr3t", "xyzzy", "plugh")

WHERE = {
    ConsoleInspector: "stderr",
    DiscordInspector: "https://discord.com/api/webhooks/1/a",
    FileInspector: "/tmp/calls.ndjson",
    GoogleChatInspector: "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t",
    LoggingInspector: "app",
    MattermostInspector: "https://chat.example.com/hooks/a",
    RocketChatInspector: "https://chat.example.com/hooks/a/b",
    SlackInspector: "https://hooks.slack.com/services/T/B/x",
    TeamsInspector: "https://a.logic.azure.com/workflows/1?sig=x",
    TelegramInspector: ("123456:AAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1),
    WebhookInspector: "https://example.com/hook",
}
VALUES = [
    BatchPolicy, BreakerPolicy, CapturePolicy, Cooldown, LanePolicy, Match, Pipeline, RateLimit, Redaction, RetryPolicy,
    TransportPolicy,
]  # fmt: skip


def keywords(made: Any) -> list[str]:
    """Return what can be given by its name."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, one in inspect.signature(made).parameters.items() if one.kind in kinds]


def cases() -> list[Any]:
    """Return every keyword of everything that is made by users."""
    found = [(made, (), name) for made in VALUES for name in keywords(made)]
    for made, where in WHERE.items():
        place = where if isinstance(where, tuple) else (where,)
        names = keywords(made)[len(place) :]
        found += [(made, place, name) for name in {*names, *DELIVERY_KEYWORDS, "label", "match", "redaction"}]
    adapter = {*keywords(CurlInterceptor), *DELIVERY_KEYWORDS, "max_retries", "pipeline", "enabled", "queue_size"}
    found += [(CurlInterceptor, (), name) for name in adapter]
    found += [(NoticeHandler, (), name) for name in {*keywords(NoticeHandler), *DELIVERY_KEYWORDS}]
    found += [(to_curl, (requests.Request("GET", "http://x.example"),), name) for name in ("dialect", "style")]
    return sorted(found, key=lambda case: (case[0].__name__, case[2]))


def complaint(make: Any, *args: Any, **given: Any) -> str:
    """Return what a refusal says, its causes included; empty if nothing was refused."""
    try:
        make(*args, **given)
    except Exception as error:
        return "".join(traceback.format_exception_only(type(error), error)) + str(error.__cause__ or "")
    return ""


@pytest.mark.parametrize(("make", "place", "name"), cases(), ids=lambda value: getattr(value, "__name__", None))
def test_an_error_names_the_keyword_and_not_the_value(
    make: Any, place: tuple[Any, ...], name: str, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    for secret in SECRETS:
        said = complaint(make, *place, **{name: secret}) + caplog.text

        assert not any(part in said for part in PARTS), said


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
@pytest.mark.parametrize(
    "make",
    [
        CurlInterceptor,
        curl_interceptor.mount,
        render,
        to_curl,
        *WHERE,
        lambda secret: mount(requests.Session(), secret),
        lambda secret: CurlInterceptor(inspectors=secret),
        lambda secret: CurlInterceptor(inspectors=[secret]),
        lambda secret: CurlInterceptor(inspectors=["https://example.com/h"], fallbacks=[secret]),
    ],
)
def test_nor_does_one_about_a_place(make: Any, secret: Any) -> None:
    if make in WHERE:
        said = complaint(make, secret, *(["chat"] if make is TelegramInspector else []))
    else:
        said = complaint(make, secret)

    assert not any(part in said for part in PARTS), said


def test_numbers_are_shown_as_they_help() -> None:
    assert "got -1 (int)" in complaint(RetryPolicy, retries=-1)
    assert "got True (bool)" in complaint(RetryPolicy, retries=True)
    assert "got None (NoneType)" in complaint(CurlInterceptor, redaction=None)
    assert complaint(RetryPolicy, retries=UNREDACTED)
