"""What differs between the versions of requests and urllib3 that we stand on."""

from __future__ import annotations

from requests.adapters import HTTPAdapter
from urllib3 import __version__  # type: ignore[attr-defined]

__all__ = ["FIND_CONNECTION", "URLLIB3_USER_AGENT"]

FIND_CONNECTION = next(
    name
    for name in ("get_connection_with_tls_context", "_get_connection", "get_connection")
    if hasattr(HTTPAdapter, name)
)
"""The method by which `HTTPAdapter.send` finds its pool: the last before requests 2.32.0, the first from 2.32.2."""

URLLIB3_USER_AGENT = f"python-urllib3/{__version__}"
"""What urllib3 sends as `User-Agent` when the app sends none (`urllib3.connection._get_default_user_agent`)."""
