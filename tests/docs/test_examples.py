"""Every Python example that a page shows is run, in the order of the page."""

from __future__ import annotations

import re
import socket

import pytest
import responses
from support.pages import DOCS, PATTERNS, ROOT, examples, rows, run_examples, sections

import curl_interceptor
from curl_interceptor.inspectors.options import DELIVERY_KEYWORDS
from curl_interceptor.observe.stats import HostStats, InspectorStats, Stats
from curl_interceptor.policies import PipelinePolicy

# Those of the patterns deliver for real, see test_patterns.py.
PAGES = [ROOT / "README.md", *(page for page in sorted(DOCS.rglob("*.md")) if page.parent != PATTERNS)]


@pytest.fixture
def no_network(monkeypatch):
    """Whoever wants to connect to anywhere, or to learn where that is, fails the test."""

    def refuse(*_: object) -> None:
        raise AssertionError("an example wants to leave the machine")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def own_pipeline(monkeypatch):
    """Every page is a process of its own, as far as its books and its labels go."""
    monkeypatch.setattr("curl_interceptor.delivery.pipeline._default", None)
    monkeypatch.setattr("curl_interceptor.records.context._origin", ())


@pytest.fixture
def broken_api():
    """An API of others that answers 503 to everything."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as api:
        for method in ("GET", "POST", "PUT", "DELETE"):
            api.add(method, re.compile(r"https://api\.example\.com/"), json={"error": "try again later"}, status=503)
        yield api


@pytest.mark.records
@pytest.mark.usefixtures("no_network", "broken_api", "own_pipeline")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if examples(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_examples_of_a_page_run(page):
    """
    Read from top to bottom, the blocks of a page are one program that works; its webhooks are recorded.
    """
    run_examples(page)


def test_reference_lists_every_public_name():
    """
    The page of names has an entry for each name that can be imported, and for no other.
    """
    page = (ROOT / "docs" / "reference" / "api.md").read_text("utf-8")
    listed = re.findall(r"^\.\. auto\w+:: curl_interceptor\.(\w+)$", page, re.MULTILINE)

    assert sorted(listed) == sorted(curl_interceptor.__all__)


def test_reference_lists_every_keyword():
    """
    Each keyword of an adapter has its line, and nothing else has one.
    """
    page = (ROOT / "docs" / "reference" / "keywords.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    own = {"inspectors", "match", "capture", "redaction", "recovery", "enabled", "pipeline"}

    assert listed == own | DELIVERY_KEYWORDS | set(PipelinePolicy.__dataclass_fields__)


@pytest.mark.parametrize(
    ("kind", "heading"),
    [(Stats, "Of a pipeline"), (InspectorStats, "Of a destination"), (HostStats, "Of a host that the app calls")],
)
def test_reference_lists_every_figure(kind, heading):
    """
    Each figure has its line under the thing that it is about, and nothing else has one.
    """
    table = rows(sections(DOCS / "reference" / "stats.md")[heading])
    listed = {name for row in table for name in re.findall(r"`(\w+)`", row[0])}
    derived = {name for name, value in vars(kind).items() if isinstance(value, property)}

    assert listed == set(kind.__dataclass_fields__) | derived
