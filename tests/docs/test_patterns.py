"""Every delivery pattern has its page, and what the page says of keywords, defaults, ranges and figures is so."""

from __future__ import annotations

import inspect
import math
import re
import socket
import sys
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pytest
from support.pages import PATTERNS, ROOT, examples, rows, run_examples, sections

import curl_interceptor
from curl_interceptor import ConfigurationError, CurlInterceptor, Pipeline, policies
from curl_interceptor.delivery import pipeline as pipelines
from curl_interceptor.inspectors.options import DELIVERY_KEYWORDS, check_options
from curl_interceptor.observe import stats, wsgi
from curl_interceptor.policies import PipelinePolicy

# What the project was founded for. A pattern that is taken out here is lost.
KEYWORDS = {
    "fire-and-forget": ["overflow", "linger", "exit_timeout"],
    "circuit-breaker": ["breaker", "BreakerPolicy(failures=)"],
    "batching": ["batch", "BatchPolicy(size=)"],
    "retry": ["retry", "RetryPolicy(retries=)"],
    "resource-pool": ["transport", "TransportPolicy(pool_size=)", "workers"],
    "error-isolation": ["Match(predicate=)", "fallbacks"],
    "fallback": ["fallbacks", "fallback_after"],
    "lazy-initialisation": ["LazyInspector(factory=)"],
    "cooldown": ["cooldown", "Cooldown(seconds=)"],
    "rate-limiting": ["rate_limit", "RateLimit(count=)"],
    "error-recovery": ["WebhookInspector.verdict()"],
    "graceful-degradation": ["lane", "LanePolicy(records=)"],
    "error-logging": ["LoggingInspector(logger=)"],
    "memory": ["queue_size", "queue_bytes", "LanePolicy(bytes=)", "capture"],
    "match": ["match", "Match(statuses=)"],
    "configuration": ["adapter.configure()", "adapter.pause()", "adapter.pipeline.reset()"],
    "metrics": ["adapter.stats()"],
    "health": ["endpoints(token=)"],
    "discord": ["DiscordInspector(url=)"],
}
PAGES = [PATTERNS / f"{name}.md" for name in KEYWORDS]
HEADINGS = ["Example", "Under failure", "In the figures"]
NAMES = {**vars(curl_interceptor), "endpoints": wsgi.endpoints, "adapter": CurlInterceptor}
KEYWORD = re.compile(r"`([\w.]+)(?:\((?:(\w+)=)?\))?`")
FIGURE = re.compile(r'`(\w+(?:\.\w+)+)(?:\["(\w+)"\])?`')
RANGE = re.compile(r"(?:([\d.,]+) to|up to) ([\d,.]*\d)")


class Row(NamedTuple):
    """A line of a page's table of keywords."""

    keyword: str
    value: str
    default: str


def keywords(page: Path) -> list[Row]:
    """The table of keywords: the first one of a page, under its title."""
    title = next(iter(sections(page).values()))
    return [Row(*row) for row in rows("|" + title.partition("\n\n|")[2].partition("\n\n")[0])]


@pytest.fixture
def playground(monkeypatch):
    """The two servers of the examples, and a pipeline that ends with the page; nobody leaves the machine."""
    real = socket.socket.connect

    def connect(sock: socket.socket, address: Any) -> None:
        assert sock.family == socket.AF_UNIX or address[0] == "127.0.0.1", "an example wants to leave the machine"
        real(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(pipelines, "_default", None)
    monkeypatch.syspath_prepend(str(PATTERNS))
    monkeypatch.delitem(sys.modules, "playground", raising=False)
    yield
    if pipelines._default is not None:
        pipelines._default.close(0.5)
    sys.modules.pop("playground").close()


@pytest.mark.usefixtures("playground")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_example_of_a_pattern_shows_its_effect_on_real_sockets(page):
    """
    Each page has a program that anybody can copy; it delivers to a webhook on this machine.
    """
    assert examples(page)
    run_examples(page)


def test_every_page_is_a_pattern_of_the_list_and_every_pattern_is_found():
    """
    Folder, index, its toctree and the README name the same patterns, in the same order.
    """
    index = (PATTERNS / "index.md").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")

    assert {page.stem for page in PATTERNS.glob("*.md")} - {"index"} == set(KEYWORDS)
    assert re.findall(r"^\| \{doc\}`([\w-]+)` \|", index, re.MULTILINE) == list(KEYWORDS)
    assert index.partition("```{toctree}\n:hidden:\n\n")[2].partition("\n```")[0].split() == list(KEYWORDS)
    assert re.findall(r"\(docs/patterns/([\w-]+)\.md\)", readme) == list(KEYWORDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_have_one_shape(page):
    """
    A sentence, a table, an example, what happens under failure, and the figures that show it.
    """
    title, *others = sections(page)

    assert others == HEADINGS
    assert sections(page)[title].strip()[0].isalpha()
    assert sections(page)["Under failure"].count("\n- **") >= 2
    assert len(page.read_text("utf-8").splitlines()) <= 70


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_the_keywords_of_its_pattern(page):
    """
    Whoever looks for a keyword finds it on the page of the pattern it belongs to.
    """
    assert {f"`{name}`" for name in KEYWORDS[page.stem]} <= {row.keyword for row in keywords(page)}


@pytest.mark.parametrize(
    ("page", "row"),
    [pytest.param(page, row, id=f"{page.stem}-{row.keyword}") for page in PAGES for row in keywords(page)],
)
def test_a_page_tells_the_truth_about_a_keyword(page, row):
    """
    It exists, its default is the one in the code, and its range is the one that is accepted.
    """
    found = KEYWORD.fullmatch(row.keyword)
    assert found, f"{row.keyword} is no keyword"
    owner, name = found.groups()
    bare = owner == row.keyword.strip("`")
    if not bare and name is None:  # a method
        assert callable(_method(owner))
        assert not row.default
        return
    actual = _defaults()[owner] if bare else _default(_method(owner), name)
    if row.default == "required":
        assert actual is inspect.Parameter.empty
    else:
        assert re.fullmatch("`.+`", row.default)
        stated = eval(row.default.strip("`"), dict(NAMES))
        assert (stated, type(stated)) == (actual, type(actual))
    if span := RANGE.search(row.value):
        _check_range(owner, name, actual, *span.groups())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_figures_of_a_page_exist(page):
    """
    Whoever looks for a figure that a page names finds it in `stats()`.
    """
    figures = [row[0] for row in rows(sections(page)["In the figures"])]
    assert figures

    for figure in figures:
        found = FIGURE.fullmatch(figure)
        assert found, f"{figure} is no figure"
        path, key = found.groups()
        name, *attributes = path.split(".")
        kind = getattr(stats, name)
        for attribute in attributes:
            kind = _figure(kind, attribute)
        if key:
            assert f'"{key}"' in _sources(), f"nothing is counted as {key}"


def test_no_number_is_without_its_page():
    """
    Every keyword of delivery, and every field of every policy, stands in some table.
    """
    written = {row.keyword.strip("`") for page in PAGES for row in keywords(page)}
    numbers = {*DELIVERY_KEYWORDS, *PipelinePolicy.__dataclass_fields__} | {
        f"{name}({field.name}=)"
        for name in set(curl_interceptor.__all__) & set(policies.__all__)
        for field in fields(getattr(policies, name))
    }

    assert numbers <= written


# What the code says.


@cache
def _defaults() -> dict[str, Any]:
    """What holds for an adapter to which nothing is said but where to send."""
    pipeline = Pipeline()
    adapter = CurlInterceptor(inspectors="https://hooks.example.com/failures", pipeline=pipeline)
    (destination,) = adapter._curl_interceptor.route.destinations
    policies = destination.policies
    pipeline.close(0)
    return {
        **{field.name: getattr(policies, field.name) for field in fields(policies)},
        **{field.name: field.default for field in fields(PipelinePolicy)},
        "fallbacks": destination.fallbacks,
        "match": destination.match,
        "redaction": destination.redaction,
        "capture": adapter._curl_interceptor.plan.capture,
        **{name: _default(CurlInterceptor, name) for name in ("inspectors", "enabled", "pipeline")},
    }


def _method(path: str) -> Any:
    first, *others = path.split(".")
    found: Any = NAMES[first]
    for name in others:
        found = Pipeline if (found, name) == (CurlInterceptor, "pipeline") else getattr(found, name)
    return found


def _default(owner: Any, name: str) -> Any:
    """The default of a parameter, of a base class too; else what a service asks for."""
    for kind in inspect.getmro(owner) if isinstance(owner, type) else (owner,):
        parameters = inspect.signature(kind).parameters
        if name in parameters:
            return parameters[name].default
        if name in getattr(kind, "defaults", {}):
            return kind.defaults[name]
    raise AssertionError(f"{owner.__name__} has no {name}")


def _check_range(owner: str, name: str | None, default: Any, lowest: str | None, highest: str) -> None:
    whole = isinstance(default, int) or (owner, name) == ("RateLimit", "count")
    read = (lambda text: int(text.replace(",", ""))) if whole else (lambda text: float(text.replace(",", "")))
    high = read(highest)
    _set(owner, name, high)
    with pytest.raises(ConfigurationError):
        _set(owner, name, high + 1 if whole else math.nextafter(high, math.inf))
    if lowest is not None:
        low = read(lowest)
        _set(owner, name, low)
        with pytest.raises(ConfigurationError):
            _set(owner, name, low - 1 if whole else math.nextafter(low, -math.inf))


def _set(owner: str, name: str | None, value: Any) -> None:
    if name is not None:
        kind = NAMES[owner]
        needed = {field.name: 1 for field in fields(kind) if field.default is MISSING}
        above = {field.name: 86_400 for field in fields(kind) if field.name == f"max_{name}"}
        kind(**{**needed, **above, name: value})
    elif owner in PipelinePolicy.__dataclass_fields__:
        PipelinePolicy(**{owner: value})
    else:
        check_options("the page", {owner: value})


def _figure(kind: type, name: str) -> type:
    """The class of a figure."""
    if name in get_type_hints(kind):
        return get_type_hints(kind)[name]
    assert isinstance(inspect.getattr_static(kind, name), property)
    return object


@cache
def _sources() -> str:
    package = Path(curl_interceptor.__file__).parent
    return "\n".join(path.read_text("utf-8") for path in package.rglob("*.py"))
