"""The URL that was asked for, as the connection sends it: requests and urllib3 write some of its characters anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.util.url import _encode_target, parse_url

from ..records.url import is_kept, split

__all__ = ["sent_url"]

_PLAIN = HTTPAdapter()


def sent_url(url: str, proxies: Iterable[tuple[Any, Any]]) -> str:
    """Return the URL whose path and query are the request target on the wire.

    What `prepare()` makes of a URL goes out as it is. Somebody may have set `.url` afterwards, though, and a proxy gets
    another target than a server. The rules are asked of those who apply them, since they differ between versions.
    """
    parts = split(url)
    if (not proxies and is_kept(parts.path + parts.query)) or not parts.scheme.startswith("http"):
        return url
    request = PreparedRequest()
    request.url = url
    try:
        target = _PLAIN.request_url(request, dict(proxies))
        if not target.startswith("/"):
            return parse_url(target).url
        path, mark, query = _encode_target(target).partition("?")
    except Exception:  # a URL that cannot be sent, and was not
        return url
    return parts._replace(path=path, query=mark + query).join()
