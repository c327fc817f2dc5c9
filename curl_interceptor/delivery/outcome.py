"""How an attempt to deliver ended."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DeliveryError
from ..inspectors.quota import Quota

__all__ = ["Outcome"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The end of one attempt: delivered if there is no error.

    Parameters
    ----------
    error: What went wrong, without its frames: they would keep the payload.
    seconds: How long the attempt took.
    quota: What the service still takes, if it said so.
    """

    error: DeliveryError | None
    seconds: float
    quota: Quota | None = None
