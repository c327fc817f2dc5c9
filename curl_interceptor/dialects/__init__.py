"""The ways to write a record down as a command, one file each."""

from __future__ import annotations

from .dialect import STYLES, Style
from .registry import names, refuse, render

__all__ = ["STYLES", "Style", "names", "refuse", "render"]
