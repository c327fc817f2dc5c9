"""
Inspectors of other packages, registered by an entry point of the group `curl_interceptor.inspectors`.

They are looked for when a URL is given that no inspector of ours knows, and not before: neither at import, nor by who
needs none. One that is broken costs a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from types import MappingProxyType
from typing import Any

from .base import Inspector

__all__ = ["GROUP", "plugins"]

GROUP = "curl_interceptor.inspectors"


@cache
def plugins() -> Mapping[str, type[Inspector]]:
    """Return the inspectors of other packages by the names of their entry points, in the order of these names."""
    from importlib.metadata import entry_points  # reads every installed package's metadata: not for who needs none

    found: dict[str, type[Inspector]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found.setdefault(point.name, _checked(point.load()))
        except (Exception, SystemExit) as error:
            reason = str(error) if isinstance(error, _Unfit) else f"importing it raised {type(error).__name__}"
            with suppress(Warning):  # where the app makes errors of them
                warnings.warn(
                    f"curl_interceptor: the inspector {point.name!r} ({point.value}) cannot be used: {reason}; "
                    f"mend or uninstall the package that registers it in the group {GROUP}",
                    RuntimeWarning,
                    stacklevel=1,
                )
    return MappingProxyType(found)


class _Unfit(Exception):
    """What is registered is no inspector. The text is safe to show."""


def _checked(found: Any) -> type[Inspector]:
    if not (isinstance(found, type) and issubclass(found, Inspector)):
        raise _Unfit("it is no class that derives from Inspector")
    for name in ("hosts", "schemes"):
        values = getattr(found, name)
        if not isinstance(values, (tuple, list)) or not all(isinstance(one, str) and one for one in values):
            raise _Unfit(f"its {name} are no tuple of texts")
    return found
