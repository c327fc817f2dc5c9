"""What is promised to those who install, run or build the project."""

from __future__ import annotations

import os
import re
import stat
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import pytest

from curl_interceptor.cli import main
from curl_interceptor.version import __version__

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXTS = ("*.py", "*.md", "*.cfg", "*.toml", "*.ini", "*.in", "*.yml", "*.yaml")
PLACES = ("curl_interceptor", "tests", "docs", "benchmarks", ".ci")


def block_under(heading: str) -> list[str]:
    """The lines of the first fenced block under a heading of the README."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README.read_text("utf-8"), re.M | re.S)
    assert section, f"the README has no heading {heading!r}"
    block = re.search(r"^```\w*\n(.*?)^```", section[1], re.M | re.S)
    assert block, f"there is no fenced block under {heading!r}"
    return block[1].splitlines()


def project_files() -> list[Path]:
    found = [path for pattern in TEXTS for path in ROOT.glob(pattern)]
    for place in PLACES:
        found += [path for path in (ROOT / place).rglob("*") if path.is_file() and "_build" not in path.parts]
    return [path for path in found if path.suffix not in {".pyc", ".png"}]


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_readme_says_it_in_one_line(heading):
    """
    One line sets everything up and does what the heading says.
    """
    lines = block_under(heading)

    assert len(lines) == 1
    assert lines[0].startswith("python3 -m venv .venv && ")


def test_readme_runs_the_demo_and_the_tests():
    """
    The two lines run what they are for.
    """
    assert block_under("Run it")[0].endswith("curl-interceptor demo")
    assert block_under("Test it")[0].endswith("pytest")


@pytest.mark.skipif(os.name != "posix", reason="there is no such permission elsewhere")
@pytest.mark.parametrize("name", ["run", "package"])
def test_scripts_of_ci_can_be_executed(name):
    """
    The scripts carry the permission to be executed.
    """
    assert (ROOT / ".ci" / name).stat().st_mode & stat.S_IXUSR


@pytest.fixture(scope="module")
def distribution() -> metadata.Distribution:
    try:
        return metadata.distribution("curl-interceptor")
    except metadata.PackageNotFoundError:
        pytest.skip("the package is not installed, only imported")


def test_version_is_written_once(distribution):
    """
    What pip knows is what the package says.
    """
    assert distribution.version == __version__


def test_command_is_installed(distribution):
    """
    The console script leads to the command line.
    """
    (script,) = [point for point in distribution.entry_points if point.name == "curl-interceptor"]

    assert script.load() is main


def test_every_entry_point_can_be_loaded(distribution):
    """
    No entry point names something that is not there: pytest, for one, would not start any more.
    """
    for point in distribution.entry_points:
        point.load()


def test_type_hints_are_shipped():
    """
    The marker that makes type checkers read our hints lies in the package.
    """
    assert files("curl_interceptor").joinpath("py.typed").is_file()


def test_files_tell_nothing_of_the_machine_they_were_written_on():
    """
    No path of somebody's machine stands in the project.
    """
    path_of_a_machine = re.compile(r"(?<![\w./])/(?:root|work)/[\w/.-]*")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in project_files()
        for match in path_of_a_machine.finditer(path.read_text("utf-8"))
    ]

    assert found == []
