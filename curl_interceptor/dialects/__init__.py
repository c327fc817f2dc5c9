"""The ways to write a record down as a command, one file each."""

from __future__ import annotations

from .registry import names, render

__all__ = ["names", "render"]
