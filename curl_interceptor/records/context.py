"""
Labels of where a call comes from, such as the id of the request that the app is answering.

They live in a context variable: each thread, greenlet and asyncio task has its own. What is the same in the whole
process, such as the name of the service, is kept once and put before them in the dispatcher, so that it costs no call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Labels", "context", "labels", "set_context", "set_origin", "with_origin"]

Labels = tuple[tuple[str, str], ...]
"""Pairs of a name and a value."""

_MOST = 16
_LONGEST = 200

# Asked by itself in the hot path, so it is the variable and no function.
labels: ContextVar[Labels] = ContextVar("curl_interceptor_labels", default=())
"""The labels of whatever runs at the moment."""

_origin: Labels = ()


@contextmanager
def context(**values: object) -> Iterator[None]:
    """Label the calls that are made inside of a `with` block, or while a decorated function runs.

    A block inside of a block adds its labels. They are redacted like all else in a record: a label called `token` is
    hidden. Only the thread that enters the block is labelled, not those that it starts.

    Parameters
    ----------
    values:
        Labels, such as `request_id="af31"`. Values are made texts, of at most 200 characters; None leaves a label out,
        or away. At most 16 labels are kept.
    """
    before = labels.get()
    labels.set(_pairs({**dict(before), **values}))
    try:
        yield
    finally:
        labels.set(before)


def set_context(**values: object) -> None:
    """Label the calls that are made from now on in this thread, greenlet or task.

    What was set before is forgotten, so that a thread may be used for one request after the other; `set_context()`
    leaves nothing. Where a `with` block is possible, `context` is safer.

    Parameters
    ----------
    values: Labels, as for `context`.
    """
    labels.set(_pairs(values))


def set_origin(**values: object) -> None:
    """Label all calls and notices of this process, whatever thread they come from, such as with `service="shop"`.

    Messages show `service`, `environment`, `host` and `release` first and without their names. A label of `context` or
    `set_context` wins over one of the same name. What was set before is forgotten; `set_origin()` leaves nothing.
    Forked children inherit it.

    Parameters
    ----------
    values: Labels, as for `context`.
    """
    global _origin
    _origin = _pairs(values)


def with_origin(found: Labels) -> Labels:
    """Return the labels of a call with those of the process before them."""
    return tuple({**dict(_origin), **dict(found)}.items()) if _origin else found


def _pairs(values: Mapping[str, object]) -> Labels:
    kept = [(name[:_LONGEST], _text(value)) for name, value in values.items() if value is not None]
    return tuple(kept[-_MOST:])


def _text(value: object) -> str:
    """The app's request must not fail for a label."""
    try:
        return str(value)[:_LONGEST]
    except Exception:
        return f"(a {type(value).__name__})"
