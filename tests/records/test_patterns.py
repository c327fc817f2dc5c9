"""Patterns that are compiled late are patterns all the same."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from curl_interceptor.records import patterns
from curl_interceptor.records.patterns import lazy


def test_it_does_what_a_compiled_one_does():
    """
    Flags count, and every method is there.
    """
    one, other = lazy("A(b)", re.IGNORECASE), re.compile("A(b)", re.IGNORECASE)

    assert one.sub("-", "xABab") == other.sub("-", "xABab")
    assert [found[1] for found in one.finditer("ab AB")] == ["b", "B"]
    assert (one.pattern, one.flags, one.groups) == (other.pattern, other.flags, other.groups)
    with pytest.raises(AttributeError):
        one.replace  # noqa: B018


def test_it_is_compiled_when_it_is_first_asked_and_then_no_more(monkeypatch):
    """
    Making one costs nothing, and using it again costs no look-up.
    """
    compiled = []
    monkeypatch.setattr(patterns.re, "compile", lambda *args, real=re.compile: compiled.append(args) or real(*args))
    one = lazy("abc")
    assert not compiled

    assert one.search("xabc")
    assert one.search("xabc")
    assert len(compiled) == 1


def test_every_pattern_of_ours_compiles():
    """
    What is compiled late would fail late.
    """
    code = """
import gc
import curl_interceptor
from curl_interceptor.dialects import names
from curl_interceptor.dialects.registry import _dialect
from curl_interceptor.records.patterns import _Pattern
for name in names():
    _dialect(name)
found = [one for one in gc.get_objects() if isinstance(one, _Pattern)]
assert len(found) > 180, len(found)
for one in found:
    one.groups
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
