"""Where in the app's code a call comes from: asked in the caller's thread, only if somebody wants to know."""

from __future__ import annotations

import os
import sys

import requests
import urllib3

from ..records.place import Place, is_apps, is_installed

__all__ = ["caller"]

_MOST_FRAMES = 200
_HERE = os.path.dirname(__file__)
_BETWEEN = tuple(
    os.path.dirname(os.path.abspath(file)) + os.sep for file in (requests.__file__, urllib3.__file__, _HERE)
)
"""Folders of those who stand between the app and the wire."""
_APPS, _OTHERS, _NOBODYS = "the app's", "another library's", "no answer"
_kinds: dict[str, str] = {}
_MOST_FILES = 10_000


def caller() -> Place | None:
    """Return the innermost place in the app's own code, and where there is none, in another library's.

    Never in requests, urllib3, the standard library, or here. Looked at are 200 frames at most.
    """
    frame, second = sys._getframe(1), None
    for _ in range(_MOST_FRAMES):
        file = frame.f_code.co_filename
        kind = _kinds.get(file) or _kind(file)
        if kind is _APPS:
            return Place(file, frame.f_lineno, frame.f_code.co_name)
        if kind is _OTHERS and second is None:
            second = Place(file, frame.f_lineno, frame.f_code.co_name)
        back = frame.f_back
        if back is None:
            break
        frame = back
    return second


def _kind(file: str) -> str:
    if len(_kinds) >= _MOST_FILES:  # somebody makes code again and again
        _kinds.clear()
    if os.path.abspath(file).startswith(_BETWEEN):
        found = _NOBODYS
    elif is_apps(file):
        found = _APPS
    else:
        found = _OTHERS if is_installed(file) else _NOBODYS
    _kinds[file] = found
    return found
