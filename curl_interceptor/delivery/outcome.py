"""How an attempt to deliver ended."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DeliveryError

__all__ = ["Outcome"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The end of one attempt: delivered if there is no error.

    Parameters
    ----------
    error: What went wrong, without its frames: they would keep the payload.
    seconds: How long the attempt took.
    """

    error: DeliveryError | None
    seconds: float
