"""From a bare webhook URL to the inspector of its service."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from ..errors import ConfigurationError
from .base import Inspector, check_url
from .file import FileInspector
from .registry import inspector_class, names
from .webhook import WebhookInspector

__all__ = ["inspector_for"]


def inspector_for(url: str) -> Inspector:
    """Return the inspector for a webhook URL; an unknown host gets the generic webhook, and `file:` and a path a file.

    Raises
    ------
    ConfigurationError
        If it is no URL, or one of a service that is no webhook's.
    """
    if isinstance(url, str) and url[:5].lower() == "file:":
        return FileInspector(_path(url[5:]))
    if isinstance(url, str) and url.startswith(("/", "./", "../", "~/")):
        raise ConfigurationError(
            "a path is no webhook URL; for a file put file: before it, as in 'file:/var/log/calls.ndjson'"
        )
    host = (urlsplit(check_url("the webhook URL", url)).hostname or "").rstrip(".")
    for name in names():
        found = inspector_class(name)
        if any(_belongs(host, known) for known in found.hosts):
            return found.from_url(url)
    return WebhookInspector(url)


def _belongs(host: str, known: str) -> bool:
    return host == known or host.endswith(f".{known}")


def _path(rest: str) -> str:
    """Return the path of `file:/a/b` or of `file:///a/b%20c`, which is a URL."""
    if not rest.startswith("//"):
        return rest
    host, slash, path = rest[2:].partition("/")
    if host not in ("", "localhost"):
        raise ConfigurationError("a file: URL has three slashes before its path, as in 'file:///var/log/calls.ndjson'")
    return unquote(slash + path)
