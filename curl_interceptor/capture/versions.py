"""What differs between the versions of requests and urllib3 that we stand on."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["URLLIB3_USER_AGENT"]

URLLIB3_USER_AGENT = f"python-urllib3/{version('urllib3')}"
"""What urllib3 sends as `User-Agent` when the app sends none (`urllib3.connection._get_default_user_agent`)."""
