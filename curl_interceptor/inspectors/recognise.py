"""From a bare webhook URL to the inspector of its service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import ConfigurationError
from .base import Inspector, check_url, several
from .file import FileInspector
from .plugins import plugins
from .registry import inspector_class, names
from .webhook import WebhookInspector

__all__ = ["inspector_for", "service_class", "services", "webhooks"]

_NO_WEBHOOKS = frozenset({"console", "file", "logger"})  # what stays in the process has no URL that is posted to


def webhooks(urls: Iterable[str | None], **options: Any) -> list[Inspector | None]:
    """Return the inspectors of several webhook URLs, of whatever services, all with the same options.

    Each URL's service is known by its host, as for a URL that is given instead of an inspector. What this returns may
    stand among the inspectors of an adapter, or instead of them; each webhook has a lane of its own.

    Parameters
    ----------
    urls: Webhook URLs. None and `""` are off.
    options: The keywords of `Inspector`. A label gets a number behind it, from 1.

    Raises
    ------
    ConfigurationError
        If one of them cannot be used, or is named twice.
    """
    return several("webhooks()", inspector_for, urls, options)


def inspector_for(url: str, **options: Any) -> Inspector:
    """Return the inspector for a webhook URL; an unknown host gets the generic webhook, and `file:` and a path a file.

    Hosts that no inspector of ours knows, and schemes, are looked for among those of other packages. The options are
    those of `Inspector`.

    Raises
    ------
    ConfigurationError
        If it is no URL, or one of a service that is no webhook's.
    """
    if isinstance(url, str) and url[:5].lower() == "file:":
        return FileInspector(_path(url[5:]), **options)
    if isinstance(url, str) and url.startswith(("/", "./", "../", "~/")):
        raise ConfigurationError(
            "a path is no webhook URL; for a file put file: before it, as in 'file:/var/log/calls.ndjson'"
        )
    scheme = url.partition("://")[0].lower() if isinstance(url, str) and "://" in url else ""
    if scheme not in ("", "http", "https"):
        for name, found in plugins().items():
            if scheme in found.schemes:
                return _made(name, found, url, options)
        raise ConfigurationError(
            "the webhook URL must begin with http:// or https://; "
            "a URL that Apprise understands, such as 'ntfy://…', is given as AppriseInspector(url)"
        )
    host = (urlsplit(check_url("the webhook URL", url)).hostname or "").rstrip(".")
    for name in names():
        known = inspector_class(name)
        if _belongs(host, known):
            return known.from_url(url, **options)
    for name, found in plugins().items():
        if _belongs(host, found):
            return _made(name, found, url, options)
    return WebhookInspector(url, **options)


def services() -> tuple[str, ...]:
    """Return the names of the services of this package that are posted to."""
    return tuple(name for name in names() if name not in _NO_WEBHOOKS)


def service_class(name: str) -> type[Inspector]:
    """Return the inspector of the service that is called so, here or in another package, such as `"slack"`.

    Raises
    ------
    ConfigurationError
        If there is none; the message lists those that there are.
    """
    if name in services():
        return inspector_class(name)
    if name in plugins():
        return plugins()[name]
    known = ", ".join(sorted({*services(), *plugins()}))
    raise ConfigurationError(f"there is no service of this name; there are {known}")


def _belongs(host: str, inspector: type[Inspector]) -> bool:
    return any(host == known or host.endswith(f".{known}") for known in map(str.lower, inspector.hosts))


def _made(name: str, found: type[Inspector], url: str, options: dict[str, Any]) -> Inspector:
    """Return the inspector that another package makes of a URL, whose code is not believed blindly."""
    try:
        made: object = found.from_url(url, **options)
    except ConfigurationError:
        raise
    except Exception as error:
        kind = type(error).__name__
    else:
        if isinstance(made, Inspector):
            return made
        kind = f"a {type(made).__name__}"
    # Out here, so that no context hangs on it, whose text may hold the URL.
    raise ConfigurationError(f"the inspector {name!r} of another package could make nothing of the URL: {kind}")


def _path(rest: str) -> str:
    """Return the path of `file:/a/b` or of `file:///a/b%20c`, which is a URL."""
    if not rest.startswith("//"):
        return rest
    host, slash, path = rest[2:].partition("/")
    if host not in ("", "localhost"):
        raise ConfigurationError("a file: URL has three slashes before its path, as in 'file:///var/log/calls.ndjson'")
    return unquote(slash + path)
