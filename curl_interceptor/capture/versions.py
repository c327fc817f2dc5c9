"""What differs between the versions of requests and urllib3 that we stand on."""

from __future__ import annotations

from urllib3 import __version__  # type: ignore[attr-defined]

__all__ = ["URLLIB3_USER_AGENT"]

URLLIB3_USER_AGENT = f"python-urllib3/{__version__}"
"""What urllib3 sends as `User-Agent` when the app sends none (`urllib3.connection._get_default_user_agent`)."""
