"""
What a local address stands for where that is an object, such as a stream: a lane knows its transport by a text alone.

An object is held for as long as somebody keeps its `Held`, and the same one has the same name meanwhile, so that two
inspectors of one object have one lane.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

__all__ = ["Held", "hold", "held"]


class Held:
    """An object, and the name by which it is found."""

    __slots__ = ("__weakref__", "name", "thing")

    def __init__(self, name: str, thing: Any) -> None:
        self.name = name
        self.thing = thing


_held: WeakValueDictionary[str, Held] = WeakValueDictionary()


def hold(thing: Any, name: str | None = None) -> Held:
    """Return the one `Held` of an object, or of the name that is given for it."""
    name = str(id(thing)) if name is None else name
    found = _held.get(name)
    if found is None:
        found = _held[name] = Held(name, thing)
    return found


def held(name: str) -> Any:
    """Return the object of this name, or None if nobody keeps it any more."""
    found = _held.get(name)
    return None if found is None else found.thing
