"""Where a suite is run: its sdist fetched, and a virtual environment made with what its tests need."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from transparency.suites import Suite

__all__ = ["Place", "Unavailable", "prepare"]

ROOT = Path(__file__).resolve().parents[2]
_EARLIER = 3  # how many earlier releases are looked at, if the newest one's sdist has no tests
_PATIENCE = 600  # seconds for one call of pip
_EVERYWHERE = ("pytest", "pytest-timeout")


class Unavailable(Exception):
    """A suite cannot be run; the text says why."""


@dataclass(frozen=True)
class Place:
    """What is needed to run a suite, again and again.

    Parameters
    ----------
    suite: The suite.
    version: The version of its project.
    sdist: The archive with its tests.
    python: The interpreter with everything installed.
    remark: What a reader of the result should know.
    """

    suite: Suite
    version: str
    sdist: Path
    python: Path
    remark: str = ""

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """Yield the folder of the sdist, fresh: what one run leaves behind is not there for the next."""
        with tempfile.TemporaryDirectory(prefix="transparency-", ignore_cleanup_errors=True) as folder:
            with tarfile.open(self.sdist) as archive:
                archive.extractall(folder, filter="data")
            (inside,) = Path(folder).iterdir()
            yield inside


def prepare(suite: Suite, cache: Path) -> Place:
    """Fetch a suite and install it.

    Parameters
    ----------
    suite: Which one.
    cache: A folder for downloads and environments, outside of the repository; what is there is used again.

    Raises
    ------
    Unavailable
        If the sdist has no tests, or if something cannot be fetched or installed.
    """
    sdist, found, remark = _sdist(suite, cache / "sdists")
    label = f"py{sys.version_info[0]}.{sys.version_info[1]}-requests{version('requests')}-urllib3{version('urllib3')}"
    python = _environment(suite, found, cache / label / suite.name)
    return Place(suite, found, sdist, python, "; ".join(text for text in (suite.remark, remark) if text))


def _sdist(suite: Suite, folder: Path) -> tuple[Path, str, str]:
    """Return the sdist, its version and a remark: the installed version's, or else the newest one that has tests."""
    try:
        wanted = f"=={version(suite.name)}"
    except PackageNotFoundError:
        wanted = ""
    without: list[str] = []
    for _ in range(_EARLIER + 1):
        sdist = _download(f"{suite.name}{wanted}", suite.name, folder)
        found = sdist.name.removesuffix(".tar.gz").rpartition("-")[2]
        if _has_tests(sdist, suite):
            return sdist, found, f"the sdist of {', '.join(without)} has no tests" if without else ""
        without.append(found)
        if wanted.startswith("=="):
            break
        wanted = f"<{found}"
    raise Unavailable(f"the sdist of {', '.join(without)} has no tests")


def _download(requirement: str, name: str, folder: Path) -> Path:
    pinned = re.fullmatch(r".+==(.+)", requirement)
    if pinned and (present := [path for path in folder.glob(f"*-{pinned[1]}.tar.gz") if _is_of(path, name)]):
        return present[0]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        _pip(Path(sys.executable), "download", "--no-deps", "--no-binary", name, "--dest", empty, requirement)
        found = [path for path in Path(empty).iterdir() if path.name.endswith(".tar.gz")]
        if not found:
            raise Unavailable(f"no sdist of {requirement} can be had")
        return found[0].replace(folder / found[0].name)


def _is_of(path: Path, name: str) -> bool:
    def plain(text: str) -> str:
        return re.sub(r"[-_.]+", "-", text).lower()

    return plain(path.name.rpartition("-")[0]) == plain(name)


def _has_tests(sdist: Path, suite: Suite) -> bool:
    with tarfile.open(sdist) as archive:
        names = ["/".join(name.split("/")[1:]) for name in archive.getnames()]
    return all(any(name.startswith(path) and name.endswith(".py") for name in names) for path in suite.paths)


def _environment(suite: Suite, found: str, folder: Path) -> Path:
    """Return the interpreter of an environment with the suite's project, its needs, and ours; made only if need be."""
    requirements = [f"{suite.install.format(name=suite.name)}=={found}", *_EVERYWHERE, *suite.needs, *_our_needs()]
    pins = [f"{name}=={version(name)}" for name in ("requests", "urllib3")]
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    made_of = folder / "made-of.json"
    if made_of.exists() and json.loads(made_of.read_text("utf-8")) == [requirements, pins]:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=_PATIENCE)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins) + "\n", "utf-8")
    _pip(python, "install", "--constraint", str(constraints), *requirements)
    made_of.write_text(json.dumps([requirements, pins]), "utf-8")
    return python


def _our_needs() -> Sequence[str]:
    """Return what our package stands on; the package itself is imported from where it lies."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", "utf-8")
    return settings["options"]["install_requires"].split()


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"pip {arguments[0]} took longer than {_PATIENCE} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise Unavailable(f"pip {arguments[0]} failed: {errors[-1]}")
