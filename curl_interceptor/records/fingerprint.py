"""What makes two exchanges equal: method, host, shape of the path, outcome."""

from __future__ import annotations

from functools import lru_cache

from .exchange import Exchange
from .patterns import lazy
from .url import split

__all__ = ["fingerprint", "path_shape"]

# A segment that names one thing among many: a number, a UUID, a long run of hexadecimal digits, or a long token that
# mixes letters and digits. Every quantifier is bounded by the slice below.
_IDENTIFIER = lazy(
    r"(?:[0-9]+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{12,}|(?=.*[0-9])[\w.~%-]{20,})"
)


@lru_cache(maxsize=16)  # the cooldown asks, then the gate
def path_shape(path: str) -> str:
    """Return the path with `{id}` in the place of what differs between equal calls."""
    return "/".join("{id}" if _IDENTIFIER.fullmatch(part) else part for part in path[:1_000].split("/"))


def fingerprint(exchange: Exchange) -> str:
    """Return the same text for exchanges that a person would call the same failure."""
    parts = split(exchange.request.url)
    if exchange.failure is not None:
        outcome = exchange.failure.type.rpartition(".")[2]
    else:
        outcome = str(exchange.response.status) if exchange.response is not None else "-"
    return f"{exchange.request.method} {parts.host}{parts.port} {path_shape(parts.path)} {outcome}"
