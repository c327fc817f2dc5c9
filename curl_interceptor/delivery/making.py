"""An inspector on its way: not wanted yet, made by its factory, or to be tried again later."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Generic, TypeVar

from ..errors import ConfigurationError
from ..inspectors.base import Inspector
from ..inspectors.lazy import LazyInspector
from ..observe.log import TroubleLog
from ..policies import BreakerPolicy
from ..records.match import Matcher
from .guard import is_for_us

__all__ = ["Making"]

T = TypeVar("T")


class Making(Generic[T]):
    """Has an inspector made when it is first wanted. Belongs to the dispatcher.

    Parameters
    ----------
    lazy: What has the factory.
    match: What may be wanted of it; what does not pass here never comes.
    plan: Decides all else about the inspector once it is there; raises what its adapter would have raised.
    policy: How long a factory that failed is left alone, as a webhook would be.
    """

    def __init__(
        self, lazy: LazyInspector, match: Matcher, plan: Callable[[Inspector], T], policy: BreakerPolicy
    ) -> None:
        self._lazy = lazy
        self._match = match
        self._plan = plan
        self._policy = policy
        self._pause = 0.0
        self._retry_at = -inf
        self._done: T | None = None
        self.admit: Callable[[T], object] = lambda made: None
        """Told of what was made, which it may refuse as it would have refused it at construction."""
        self.why = "not made yet"
        """Why it is not there, in words that are safe to show."""

    @property
    def made(self) -> bool:
        """Whether it is there."""
        return self._done is not None

    @property
    def found(self) -> T | None:
        """What was made; None as long as it is not there."""
        return self._done

    def get(self, troubles: TroubleLog) -> T | None:
        """Return what was made, now if need be; None as long as it cannot be."""
        if self._done is None and monotonic() >= self._retry_at:
            try:
                self._done = self._make(troubles)
            except BaseException as error:
                if is_for_us(error):
                    raise
                self._fail(error, troubles)
        return self._done

    def reset(self) -> None:
        """Ask the factory again at the next record."""
        self._retry_at, self._pause = -inf, 0.0

    def _make(self, troubles: TroubleLog) -> T:
        with troubles.timing("factory", f"the factory of {self._lazy.label}"):
            made = self._lazy.make()
        planned = self._plan(made)
        self.admit(planned)
        known = self._match.screen()
        if made.match is not None and known | made.match.screen() != known:
            troubles.note(
                "factory",
                f"the match of {made.label} may want more than what its factory was given with lets through; "
                f"say LazyInspector(factory, match=...)",
            )
        return planned

    def _fail(self, error: BaseException, troubles: TroubleLog) -> None:
        # Messages of our own hold no secret; anybody else's may.
        said = str(error) if isinstance(error, ConfigurationError) else f"its factory raised {type(error).__name__}"
        self.why = f"not made: {said}"
        self._pause = min(self._policy.max_open_for, self._pause * 2 or self._policy.open_for)
        self._retry_at = monotonic() + self._pause
        troubles.note("factory", f"{self._lazy.label} is {self.why}; asked again after {self._pause:g} s")
