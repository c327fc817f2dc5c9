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
            caller="a.py:1 in b",
        )
    )
    (inner,) = [row[1] for row in table("Of a record") if row[0] == "`restore`"]

    assert listed("Of a record") == set(full)
    times = {"started", "elapsed", "duration", "suppressed_since"}
    assert set(full["restore"]) - times <= set(re.findall(r"`(\w+)`", inner))


def test_reference_lists_every_key_of_a_notice():
    """
    Each key of a notice's document has its line as well.
    """
    assert listed("Of a notice") == set(document(notice(suppressed=1, suppressed_since=1.0)))


def table(heading):
    return rows(sections(DOCS / "reference" / "document.md")[heading])


def listed(heading):
    return {name for row in table(heading) for name in re.findall(r"`(\w+)`", row[0])}
