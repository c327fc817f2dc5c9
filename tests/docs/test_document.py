"""The page of a document's keys tells of each one, and of no other."""

from __future__ import annotations

import re

from support.hostile_notices import notice
from support.hostile_records import record
from support.pages import DOCS, rows, sections

from curl_interceptor.inspectors.document import document


def test_reference_lists_every_key_of_a_document():
    """
    Each key has its line; so have those inside of `restore`.
    """
    report = document(notice(suppressed=1, suppressed_since=1.0))
    full = document(
        record(
            retried=("503",),
            peer="127.0.0.1:80",
            variables=(("API_TOKEN", "Authorization"),),
            notes=("request body left out",),
            suppressed=1,
            suppressed_since=1.0,
            error="a.B",
            target="/x",
            verify=False,
            cert="a",
            proxies=(("all", "http://p"),),
        )
    )
    tables = sections(DOCS / "reference" / "document.md")
    table = rows(tables["Of a record"])
    (inner,) = [row[1] for row in table if row[0] == "`restore`"]

    assert {name for row in table for name in re.findall(r"`(\w+)`", row[0])} == set(full)
    notices = {name for row in rows(tables["Of a notice"]) for name in re.findall(r"`(\w+)`", row[0])}
    assert notices == set(report)
    times = {"started", "elapsed", "duration", "suppressed_since"}
    assert set(full["restore"]) - times <= set(re.findall(r"`(\w+)`", inner))
