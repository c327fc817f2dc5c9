"""What travels between the dispatcher and the workers: a job there, its outcome back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import DeliveryError
from ..inspectors.base import Payload

if TYPE_CHECKING:
    from .lane import Lane

__all__ = ["Job", "Outcome"]


@dataclass(frozen=True, eq=False)
class Job:
    """One attempt that is to be made now."""

    lane: Lane
    payload: Payload
    timeout: float
    """Seconds until the attempt has to end, whatever happens."""
    trial: bool
    """Whether this is the one trial of an open breaker."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """How an attempt ended: delivered if there is no error."""

    job: Job
    error: DeliveryError | None
    seconds: float
