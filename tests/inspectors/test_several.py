"""Several webhooks at once: an inspector and a lane for each, whatever the service."""

from __future__ import annotations

import re

import pytest
import requests
from support.receiver import hang, status
from support.services import service

from curl_interceptor import (
    BatchPolicy,
    ConfigurationError,
    DiscordInspector,
    FileInspector,
    Match,
    SlackInspector,
    TelegramInspector,
    WebhookInspector,
    mount,
    webhooks,
)
from curl_interceptor.inspectors.registry import inspector_class, names

NOW = BatchPolicy(1, 0)


def urls(*paths):
    return [f"https://hooks.example.com/{path}" for path in paths]


@pytest.mark.parametrize("name", [name for name in names() if name not in ("apprise", "console", "file", "logger")])
def test_each_service_has_an_inspector_for_each_webhook(name):
    """
    With the options that were given once, addresses of their own, and labels that tell them apart.
    """
    kind = inspector_class(name)
    given = [("1:a", 1), ("1:a", 2)] if name == "telegram" else urls("a?sig=1", "b?sig=1")
    first, second = kind.each(given, label="alerts", critical=True, match=Match(statuses="5xx"))

    assert type(first) is type(second) is type(service(name).make())
    assert first.address != second.address
    assert (first.label, second.label) == ("alerts-1", "alerts-2")
    assert first.critical
    assert second.match == Match(statuses="5xx")


def test_urls_of_several_services_are_recognised():
    """
    One list, one set of options.
    """
    found = webhooks(
        [
            "https://hooks.slack.com/services/T0/B0/xyz",
            None,
            "https://discord.com/api/webhooks/1/abc",
            "https://api.telegram.org/bot1:a/sendMessage?chat_id=-1001",
            "",
            "https://hooks.example.com/x",
            "file:/tmp/calls.ndjson",
        ],
        critical=True,
    )

    kinds = [SlackInspector, None, DiscordInspector, TelegramInspector, None, WebhookInspector, FileInspector]
    assert [one and type(one) for one in found] == kinds
    assert all(one.critical for one in found if one)


def test_all_get_every_record_and_one_that_hangs_holds_up_no_other(api, receiver, session, pipeline):
    """
    Lanes, books and breakers of their own.
    """
    receiver.script("/hangs", then=hang())
    receiver.script("/gone", then=status(410))
    addresses = [receiver.url(path) for path in ("/hangs", "/gone", "/works")]
    adapter = mount(session, WebhookInspector.each(addresses, label="mine", batch=NOW), pipeline=pipeline)
    session.get(api.url("/status/503"))
    receiver.wait(3)
    pipeline.flush(1)

    books = {one.label: one for one in adapter.stats().inspectors}
    assert set(books) == {"mine-1", "mine-2", "mine-3"}
    assert books["mine-3"].delivered == 1
    assert books["mine-2"].delivered == 0


def test_they_stand_among_others():
    """
    As one of the inspectors, as all of them, or as fallbacks.
    """
    pair = webhooks(urls("a", "b"))
    for inspectors, count in [(pair, 2), ([pair, *urls("c")], 3), ([tuple(urls("a", "b"))], 2)]:
        with requests.Session() as session:
            assert len(mount(session, inspectors=inspectors).inspectors) == count
    with requests.Session() as session:
        mount(session, *urls("a"), fallbacks=webhooks(urls("b", "c")))
    with requests.Session() as session:
        assert len(mount(session, pair, None).inspectors) == 2


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: SlackInspector.each("https://hooks.slack.com/services/T0/B0/s3cr3t"), "takes a list of webhook URLs"),
        (lambda: webhooks("https://a.example/s3cr3t"), "webhooks() takes a list of webhook URLs"),
        (lambda: webhooks(None), "takes a list of webhook URLs"),
        (lambda: webhooks(urls("s3cr3t", "b", "s3cr3t")), "number 3 of the webhooks was named before"),
        (lambda: webhooks(["ftp://a.example/s3cr3t"]), "must begin with http:// or https://"),
        (lambda: webhooks([7]), "must be a URL as text"),
        (lambda: SlackInspector(urls("s3cr3t", "b")), "for several webhooks say each([...])"),
        (lambda: SlackInspector.each(["https://hooks.slack.com/s3cr3t"]), "is none of an incoming webhook"),
        (lambda: mount(requests.Session(), [[urls("s3cr3t")]]), "inspectors must be inspectors"),
    ],
)
def test_what_cannot_be_used_is_refused(call, sentence):
    """
    Without a URL in the sentence.
    """
    with pytest.raises(ConfigurationError, match=re.escape(sentence)) as refused:
        call()
    assert "s3cr3t" not in str(refused.value)


def test_an_unknown_option_is_an_error():
    """
    As for one inspector.
    """
    with pytest.raises(TypeError, match="unknown keyword 'bach'; did you mean 'batch'"):
        webhooks(urls("a"), bach=NOW)
