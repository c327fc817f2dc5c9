"""Shell variables in the place of secrets: a record holds a placeholder, and a dialect may write `$NAME` for it."""

from __future__ import annotations

import re
from collections.abc import Collection

from .patterns import lazy

__all__ = ["name_for", "placeholder", "split"]

_UNFIT = lazy(r"[^A-Z0-9]+")
_LONGEST = 40


def name_for(header: str, part: str = "") -> str:
    """Return the name of a variable for a header's secret or one of its cookies: `VAULT_TOKEN` for `X-Vault-Token`."""
    name = _UNFIT.sub("_", header.upper()).strip("_").removeprefix("X_")
    if name == "AUTHORIZATION":
        name = "TOKEN"
    if part:
        name = f"{name}_{_UNFIT.sub('_', part.upper()).strip('_')}"
    name = name[:_LONGEST].strip("_")
    # A prefix where the name is one word or begins with a digit: PWD and 1ST are not for us to set.
    return name if "_" in name and name[:1].isalpha() else f"API_{name or 'SECRET'}"


def placeholder(variable: str) -> str:
    """Return what stands for a variable in a record: a marker like any other where variables mean nothing."""
    return f"REDACTED-{variable.replace('_', '-')}"


def split(value: str, variables: Collection[str]) -> list[tuple[str, str]]:
    """Take a value apart into pairs of a literal text and the variable that follows it, which is empty at the end."""
    if not variables:
        return [(value, "")]
    names = {placeholder(variable): variable for variable in variables}
    pattern = "|".join(re.escape(text) for text in sorted(names, key=len, reverse=True))
    pieces, end = [], 0
    for found in re.finditer(rf"(?:{pattern})(?![A-Z0-9-])", value):
        pieces.append((value[end : found.start()], names[found[0]]))
        end = found.end()
    return [*pieces, (value[end:], "")]
