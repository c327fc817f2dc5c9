"""Texts of others, made fit for human eyes."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.services import assert_visible

from curl_interceptor.inspectors.readable import body_text, in_code, shorten, unfenced, visible

JSON = "application/json"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("Grüße, 世界 🎉", "Grüße, 世界 🎉"),
        ("a\x1b[31m\x00\x7f\x9f", "a\\x1b[31m\\x00\\x7f\\x9f"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("a\u200bb\ufeffc\u3164d", "a\\u200bb\\ufeffc\\u3164d"),
        ("a\ud800b", "a\\ud800b"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("a\u00a0b\u3000c", "a\u00a0b\u3000c"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
    ],
)
def test_what_cannot_be_seen_becomes_an_escape(text, seen):
    """
    Letters of all languages stay; what hides, turns around or has no width does not.
    """
    assert visible(text) == seen


def test_lines_stay_lines_where_they_may():
    """
    A text of lines keeps its breaks and tabs; a lone carriage return would overwrite a line.
    """
    assert visible("a\r\nb\tc\rd", lines=True) == "a\nb\tc\\rd"


@given(st.text(st.characters(codec=None)))
def test_every_text_becomes_visible_in_one_line(text):
    """
    The result has no controls and no line breaks, and making it visible again changes nothing.
    """
    seen = visible(text)

    assert_visible(seen)
    assert "\n" not in seen
    assert visible(seen) == seen


def test_a_cut_says_so_and_keeps_accents():
    """
    A letter goes together with its accents, and a hand with its colour.
    """
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abe\u0301f", 4) == "ab…"
    assert shorten("ab👍🏽cd", 4) == "ab…"
    assert shorten("ab   cd", 5) == "ab…"
    assert shorten("abc", 0) == ""


@given(st.text(), st.integers(-5, 40), st.sampled_from([len, lambda text: len(text.encode())]))
def test_a_cut_has_room_and_is_a_head(text, most, measure):
    """
    Whatever is counted, the result has room; it is the text, or a head of it and a mark, as long as it can be.
    """
    text = visible(text)
    cut = shorten(text, most, measure)

    assert measure(cut) <= max(most, 0)
    if measure(text) <= most:
        assert cut == text
    elif cut:
        assert text.startswith(cut[:-1])
        assert cut[-1] == "…"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a":1.10,"b":[],"c":{}}', '{\n  "a": 1.10,\n  "b": [],\n  "c": {}\n}'),
        (b'{"d":[1,{"e":null}]}', '{\n  "d": [\n    1,\n    {\n      "e": null\n    }\n  ]\n}'),
        (b"[[[]]]", "[\n  [\n    []\n  ]\n]"),
        (b'{"a": "x,y:{z} \\" \\\\"}', '{\n  "a": "x,y:{z} \\" \\\\"\n}'),
        (b'{"a":"\\u00fc \\u202e \\ud800 \\u0041"}', '{\n  "a": "ü \\u202e \\ud800 A"\n}'),
        (b'{"a":"unfinis', '{\n  "a": "unfinis'),
        (b"{'a': 1}", "{\n  'a': 1\n}"),
        (b"}}]],,::", "}}]],,::"),
        (b"<html>", "<html>"),
    ],
)  # fmt: skip
def test_json_is_indented_without_being_understood(body, text):
    """
    Numbers stay as they were written, heads are enough, and nonsense does no harm.
    """
    assert body_text(body, JSON, complete=False, most=1_000) == text


def test_json_needs_no_content_type_if_it_can_be_read():
    """
    What looks like JSON and is none stays as it is.
    """
    assert body_text(b'{"a":1}', "text/plain", complete=True, most=99) == '{\n  "a": 1\n}'
    assert body_text(b"[12:30] GET: a, b", "text/plain", complete=True, most=99) == "[12:30] GET: a, b"
    assert body_text(b'{"a":1', "", complete=False, most=99) == '{"a":1'


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_indented_json_says_the_same(document):
    """
    Indenting changes white space, and the writing of letters, but no value.
    """
    text = body_text(json.dumps([document]).encode(), JSON, complete=True, most=10**6)

    assert_visible(text)
    if "\\" not in text:
        assert repr(json.loads(text)) == repr([document])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"caf\xc3", "caf"),
        (b"caf\xe9 au lait", "café au lait"),
        (b"\xef\xbb\xbfabc", "abc"),
        ("ü".encode("utf-16"), "ü"),
        (bytes(range(256)), "(256 bytes that are no text)"),
        (b" \r\n ", ""),
    ],
)
def test_bodies_are_decoded(body, text):
    """
    UTF-8, cut wherever it may be; else UTF-16 if it says so, else latin-1; and what is no text is counted.
    """
    assert body_text(body, "text/plain", complete=False, most=99) == text


def test_a_huge_body_costs_no_more_than_its_head():
    """
    A body of 16 MiB is looked at for as long as one of a few KB.
    """
    bodies = [b"[" * (1 << 24), b'{"a":"' + b"\\u00fc" * (1 << 21), b"\x00" * (1 << 24), b'"\\' * (1 << 23)]
    started = time.thread_time()
    for body in bodies:
        assert len(body_text(body, JSON, complete=True, most=1_000)) <= 1_000

    assert time.thread_time() - started < 0.5


@given(st.text("`ab\n", max_size=60))
def test_backticks_end_no_code(text):
    """
    In a fence as in a line of code, what others wrote stays inside, at its length.
    """
    assert "``" not in unfenced(text)
    assert len(unfenced(text)) == len(text)
    assert in_code(text)[1:-1].count("`") == 0
    assert len(in_code(text)) == len(text) + 2
