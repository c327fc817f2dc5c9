"""Whether exchanges are recorded instead of delivered at the moment, and by whom: set by `curl_interceptor.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dispatcher import Recorder

__all__ = ["current"]

current: Recorder | None = None
"""Asked once for each exchange, when it is offered: what a test captured never goes out after the test."""
