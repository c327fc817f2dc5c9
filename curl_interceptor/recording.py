"""Whether calls are recorded instead of delivered at the moment, and by whom: set by `curl_interceptor.testing`.

It is asked when a call's headers come, so that what a test captured never goes out after the test.
"""

from __future__ import annotations

__all__ = ["current"]

current: object | None = None
"""A `Recorder` of the dispatcher's, or None."""
