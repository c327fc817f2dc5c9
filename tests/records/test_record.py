"""What a record says of those that the cooldown held back before it."""

from __future__ import annotations

from dataclasses import fields, replace

from curl_interceptor.records.record import Record


def test_a_count_changes_nothing_else() -> None:
    """
    A record that tells of its equals is the same in all else.
    """
    record = Record(*[field.name for field in fields(Record)])

    assert record.telling(3, 9.0) == replace(record, suppressed=3, suppressed_since=9.0)
