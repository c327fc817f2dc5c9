"""
Keeping an attempt out of other people's traces: what is delivered is nobody's request.

The transport passes by everything that instrumentation of HTTP patches. What is left are its patches of sockets and
name look-ups, which would put the webhook's host into a trace of the app. Only what the app has imported already is
asked to look away; nothing is imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

__all__ = ["unseen"]

_SUPPRESS = ("suppress_instrumentation", "suppress_http_instrumentation")  # keys of OpenTelemetry's context


@contextmanager
def unseen() -> Iterator[None]:
    """Let Sentry and OpenTelemetry see nothing of the block."""
    with ExitStack() as stack:
        for module, hide in (("sentry_sdk", _hide_from_sentry), ("opentelemetry.context", _hide_from_opentelemetry)):
            loaded = sys.modules.get(module)
            if loaded is not None:
                try:
                    hide(loaded, stack)
                except Exception:  # an old version, or one that is half imported: the delivery matters more
                    continue
        yield


def _hide_from_sentry(sentry: Any, stack: ExitStack) -> None:
    """A scope of its own, in which no span is open to become a parent."""
    stack.enter_context(sentry.isolation_scope())
    stack.enter_context(sentry.new_scope()).span = None


def _hide_from_opentelemetry(context: Any, stack: ExitStack) -> None:
    changed = context.get_current()
    for key in _SUPPRESS:
        changed = context.set_value(key, True, changed)
    stack.callback(context.detach, context.attach(changed))
