"""The pages of the documentation, and what is to be found in them."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PATTERNS = DOCS / "patterns"

# What is no part of the tests' own requirements; the tox environments "frameworks" and "apprise" have it.
_EXTRAS = {
    "django": re.compile(r"^ *(?:from|import) django\b", re.MULTILINE),
    "flask": re.compile(r"^ *(?:from|import) flask\b", re.MULTILINE),
    "apprise": re.compile(r"\bAppriseInspector\("),
}
_ABSENT = [pattern for name, pattern in _EXTRAS.items() if find_spec(name) is None]
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[str]:
    """The blocks of a page, each moved down to its own line, so that a traceback shows where it stands."""
    text = page.read_text("utf-8")
    blocks = ["\n" * text.count("\n", 0, found.start(1)) + found[1] for found in _BLOCK.finditer(text)]
    return [block for block in blocks if not any(pattern.search(block) for pattern in _ABSENT)]


def run_examples(page: Path) -> None:
    """Run the blocks from top to bottom as one program."""
    namespace: dict[str, Any] = {"__name__": "__example__"}
    for example in examples(page):
        exec(compile(example, str(page), "exec"), namespace)


def sections(page: Path) -> dict[str, str]:
    """The text under each heading of a page; that under the title has its name, too."""
    headings = re.split(r"^#{1,2} (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(headings[::2], headings[1::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, heads and lines left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {number - 1 for number, row in enumerate(cells) if set("".join(row)) <= set("-:")}
    return [row for number, row in enumerate(cells) if number not in heads and number - 1 not in heads]
