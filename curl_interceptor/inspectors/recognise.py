"""From a bare webhook URL to the inspector of its service."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import ConfigurationError
from .base import Inspector, check_url
from .registry import inspector_class, names
from .webhook import WebhookInspector

__all__ = ["inspector_for"]

# Services that want messages of their own shape, and cannot be served by the generic webhook.
_NOT_BUILT_YET = {
    "hooks.slack.com": "Slack",
    "hooks.slack-gov.com": "Slack",
}


def inspector_for(url: str) -> Inspector:
    """Return the inspector for a webhook URL; an unknown host gets the generic webhook.

    Raises
    ------
    ConfigurationError
        If it is no URL, or belongs to a service whose inspector does not exist yet.
    """
    host = (urlsplit(check_url("the webhook URL", url)).hostname or "").rstrip(".")
    for name in names():
        found = inspector_class(name)
        if any(_belongs(host, known) for known in found.hosts):
            return found.from_url(url)
    for known, service in _NOT_BUILT_YET.items():
        if _belongs(host, known):
            raise ConfigurationError(
                f"the webhook URL belongs to {service}, whose inspector does not exist yet; "
                f"use a webhook of your own, or WebhookInspector(url) to send it plain JSON all the same"
            )
    return WebhookInspector(url)


def _belongs(host: str, known: str) -> bool:
    return host == known or host.endswith(f".{known}")
