"""The page of a document's keys tells of each one, and of no other."""

from __future__ import annotations

import re

from support.hostile_records import record
from support.pages import DOCS, rows

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
        )
    )
    listed = [set(re.findall(r"`(\w+)`", row[0])) for row in rows((DOCS / "reference" / "document.md").read_text())]
    (inner,) = [row[1] for row in rows((DOCS / "reference" / "document.md").read_text()) if row[0] == "`restore`"]

    assert set().union(*listed) == set(full)
    times = {"started", "elapsed", "duration", "suppressed_since"}
    assert set(full["restore"]) - times <= set(re.findall(r"`(\w+)`", inner))
