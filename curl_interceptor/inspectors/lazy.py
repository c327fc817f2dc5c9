"""An inspector that a factory makes when it is first wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from ..errors import ConfigurationError
from ..policies import check_callable
from ..records.match import Matcher, Wanting
from .base import Entry, Inspector, Payload
from .plugins import plugins
from .recognise import inspector_for
from .shaped import has_shape, shaped

__all__ = ["LazyInspector"]

_numbers = count(1)


class LazyInspector(Inspector):
    """Stands for an inspector that is made in the background, when an exchange is first wanted by its match.

    For what is not known yet when the app is set up, such as a URL that a vault gives out. A bare callable among the
    inspectors becomes one of these. If the factory raises, or returns no inspector, the record goes to the adapter's
    fallbacks, and the factory is asked again when the next record comes, after a pause: that of the adapter's
    `breaker`, 1 s growing to 60 s.

    Parameters
    ----------
    factory:
        A callable without arguments that returns an inspector or a webhook URL. While it blocks, the delivery waits.
        Import what it needs outside of it: importing in a thread while the process forks may hang the child.
    match:
        Which exchanges are wanted. Default: the adapter's. A match that the made inspector has of its own narrows this
        one further.
    label:
        Name in statistics and logs until it is made. Default: the name of the factory.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    """

    kind = "lazy"

    def __init__(
        self, factory: Callable[[], Any], *, match: Matcher | Wanting | None = None, label: str | None = None
    ) -> None:
        name = getattr(factory, "__qualname__", type(factory).__name__)
        check_callable(f"the factory {name}", factory)
        plugins()  # a URL may want them, and importing in a thread while the process forks may hang the child
        self._factory = factory
        self._made: Inspector | None = None
        super().__init__(f"lazy:{next(_numbers)}", match=match, label=label)

    @property
    def initialized(self) -> bool:
        """Whether the factory has made it."""
        return self._made is not None

    def make(self) -> Inspector:
        """Return the inspector, made at the first call. For the dispatcher; raises what the factory raises."""
        if self._made is None:
            made = self._factory()
            if isinstance(made, str):
                made = inspector_for(made)
            if has_shape(made):
                made = shaped(made)
            if not isinstance(made, Inspector) or isinstance(made, LazyInspector):
                raise ConfigurationError(f"the factory must return an inspector or a webhook URL, not {_kind(made)}")
            self._made = made
        return self._made

    def check_address(self, address: str) -> str:
        """The address is our own."""
        return address

    def default_label(self) -> str:
        """Return the name of the factory, and its line if it is a lambda, which has no name."""
        factory = self._factory
        name = getattr(factory, "__qualname__", type(factory).__name__)
        label = f"{self.kind}:{getattr(factory, '__module__', None) or type(factory).__module__}.{name}"
        code = getattr(factory, "__code__", None)
        return f"{label}:{code.co_firstlineno}" if code is not None and name.endswith("<lambda>") else label

    def payloads(self, entries: Sequence[Entry], *, plain: bool = False) -> list[Payload]:
        """Return those of the inspector once it is made; before, one without a body, for tests that record."""
        if self._made is not None:
            return self._made.payloads(entries, plain=plain)
        return [Payload(tuple(entries), b"", "application/octet-stream")]


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
