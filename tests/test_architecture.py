"""The shape of the package: imports point down, and the front door is a list that is true."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import curl_interceptor

ROOT = Path(curl_interceptor.__file__).parent

# From the ground up; a module imports from its own floor and from those below.
FLOORS: list[set[str]] = [
    {"errors", "policies", "recording", "version"},
    {"records"},
    {"dialects"},
    {"inspectors", "observe"},
    {"delivery", "capture"},
    {"capturing"},
    {"adapter", "curl", "handler", "pool_manager"},
    {"testing", "checking", "__init__"},
    {"pytest_plugin", "cli", "contrib"},
    {"__main__"},
]
# Rooms of one floor know each other only where it says so.
APART = [("delivery", "capture"), ("inspectors", "observe")]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


@functools.cache
def modules() -> list[str]:
    found = pkgutil.walk_packages([str(ROOT)], "curl_interceptor.")
    return ["curl_interceptor", *sorted(module.name for module in found)]


@functools.cache
def imports(module: str) -> set[str]:
    """Modules of this package that a module imports, also inside of functions."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    package = module if spec.submodule_search_locations else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = (
                importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                if node.level
                else node.module
            )
            if base == "curl_interceptor" or not node.module:
                found.update(f"{base}.{alias.name}" for alias in node.names)
            elif base:
                found.add(base)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.split(".")[0] == "curl_interceptor"}


def floor(name: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if name in rooms:
            return number
    raise AssertionError(f"{name} has no floor: add it to FLOORS")


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module):
    """
    A module imports from its own room and from lower floors, never from above.
    """
    here = room(module)
    for imported in imports(module):
        there = room(imported)
        if (
            there == here
            or (here, there) == ("cli", "__init__")
            or (not (ROOT / f"{there}.py").exists() and not (ROOT / there).is_dir())
        ):
            continue
        assert floor(there) <= floor(here), f"{module} imports {imported}, which lies above it"
        for pair in APART:
            assert {here, there} != set(pair), f"{module} imports {imported}, its neighbour"


@pytest.mark.parametrize("module", modules())
def test_modules_of_a_room_make_no_ring(module):
    """
    Following the imports of a module never leads back to it.
    """
    seen: set[str] = set()
    ahead = [module]
    while ahead:
        for imported in imports(ahead.pop()):
            assert imported != module or room(module) == "__init__", f"{module} imports itself by way of others"
            if imported not in seen and importlib.util.find_spec(imported.rpartition(".")[0]) and imported in modules():
                seen.add(imported)
                ahead.append(imported)


@pytest.mark.parametrize("module", modules())
def test_every_module_says_what_it_is_for(module):
    """
    A file opens with a sentence.
    """
    if module.endswith("__main__"):
        return
    doc = importlib.import_module(module).__doc__
    assert doc
    assert doc.strip().splitlines()[0].strip()


@pytest.mark.parametrize("module", modules())
def test_all_is_what_exists(module):
    """
    `__all__` names things that are there, each once.
    """
    if module.endswith("__main__"):
        return
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", [])
    assert len(names) == len(set(names))
    for name in names:
        assert hasattr(loaded, name), f"{module}.__all__ names {name}"


def test_the_front_door_is_complete():
    """
    Every public name of the package is in `__all__`, and nothing else is.
    """
    public = {
        name
        for name, value in vars(curl_interceptor).items()
        if not name.startswith("_") and type(value).__name__ != "module" and name != "annotations"
    }
    assert public | {"__version__"} == set(curl_interceptor.__all__)


def test_every_file_has_its_line_on_the_page():
    """
    The page on the architecture lists each file of each room, and none that is not there.
    """
    page = (Path(__file__).parents[1] / "docs" / "explanation" / "architecture.md").read_text("utf-8")
    rooms = dict(re.findall(r"^### (\S+)\n((?:\|.*\n)+)", page, re.MULTILINE))
    listed = {
        f"{room}/{name}.py"
        for room, table in rooms.items()
        for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    }
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py") if path.stem != "__init__"}

    assert listed == {path for path in there if "/" in path}
    for path in there - listed:
        assert path in page or path in ("__main__.py", "version.py"), f"{path} is not on the page"
