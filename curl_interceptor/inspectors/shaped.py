"""An object of one's own in the place of an inspector: it has the same shape, and need not know this library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ConfigurationError
from ..policies import check_callable
from .base import Answer, Entry, Inspector, Payload

__all__ = ["has_shape", "shaped"]

_OPTIONAL = ("label", "match", "redaction", "critical")


def has_shape(thing: Any) -> bool:
    """Whether somebody means an object as an inspector: it is no class, and has `payloads`."""
    return not isinstance(thing, type) and hasattr(thing, "payloads")


def shaped(thing: Any) -> Inspector:
    """Return an object of an inspector's shape as an inspector.

    It needs an `address` and `payloads(entries, *, plain)`. What else an inspector has is used where it is there:
    `label`, `match`, `redaction`, `critical`, `options`, `defaults`, `verdict` and `renewed`.

    Raises
    ------
    ConfigurationError
        If something is missing, or cannot be used; the message names it.
    """
    return thing if isinstance(thing, Inspector) else _Shaped(thing)


class _Shaped(Inspector):
    """Asks the object."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing
        name = type(thing).__name__
        if not isinstance(getattr(thing, "address", None), str):
            raise ConfigurationError(
                f"inspectors: {name} has no address, which is the URL to post to; an object of your own needs address "
                f"and payloads(entries, *, plain), or derives from curl_interceptor.Inspector"
            )
        check_callable(f"inspectors: payloads of {name}", thing.payloads, "the entries", plain=False)
        for method in ("verdict", "renewed"):
            if hasattr(thing, method):
                check_callable(f"inspectors: {method} of {name}", getattr(thing, method), "the answer")
        given = {one: getattr(thing, one) for one in _OPTIONAL if getattr(thing, one, None) is not None}
        super().__init__(thing.address, **given, **dict(getattr(thing, "options", {})))
        self.defaults = dict(getattr(thing, "defaults", {}))  # type: ignore[misc]

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        made: list[Payload] = self._thing.payloads(entries, plain=plain)
        return made

    def renewed(self, payload: Payload) -> Payload:
        ask = getattr(self._thing, "renewed", super().renewed)
        made: Payload = ask(payload)
        return made

    def verdict(self, answer: Answer) -> None:
        getattr(self._thing, "verdict", super().verdict)(answer)

    def __repr__(self) -> str:
        return f"{type(self._thing).__name__}({self.label!r})"
