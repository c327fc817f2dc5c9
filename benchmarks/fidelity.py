"""
How many requests come back byte by byte: our commands and those of other libraries, on the corpus of the tests.

    python benchmarks/fidelity.py [--shell bash] [--cases]

Each library that is installed gets the same prepared requests, and bash runs what it makes of them, with curl in a
friendly environment: no proxies, no `.curlrc`. A raw server keeps the bytes, and the judge of the tests compares them.
Cases with a proxy are left out, since a prepared request knows nothing of it. Installed beside us are looked for:
curlify, curlify3, curlifier, curlify2, requests-to-curl, httpx-debug, py2curl.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.corpus import CORPUS, Case, Sent, judge, perform, prepare
from support.shells import SHELLS, Room, command_line
from support.wire import WireServer

from curl_interceptor import UNREDACTED, render, to_curl

Maker = Callable[[requests.PreparedRequest], str]

PEERS: dict[str, tuple[str, Callable[[Any], Maker]]] = {
    "curlify": ("curlify", lambda module: module.to_curl),
    "curlify3": ("curlify3", lambda module: module.to_curl),
    "curlifier": ("curlifier", lambda module: lambda request: module.curlify(prepared_request=request)),
    "curlify2": ("curlify2", lambda module: lambda request: module.Curlify(request).to_curl()),
    "requests-to-curl": (
        "requests_to_curl",
        lambda module: lambda request: module.parse(request, return_it=True, print_it=False),
    ),
    "httpx-debug": ("httpx_debug", lambda module: lambda request: module.to_curl(request, redact=False)),
    "py2curl": ("py2curl", lambda module: module.render),
}
VERDICTS = ("exact", "equivalent", "says so", "different", "no command", "reads a file", "runs code")
SECRET = b"SECRET OF THIS MACHINE"


def makers() -> dict[str, Maker]:
    """Return what makes commands, by the name and version of the library."""
    found: dict[str, Maker] = {"ours, to_curl(request)": lambda request: to_curl(request, redaction=UNREDACTED)}
    for name, (module, maker) in PEERS.items():
        try:
            found[f"{name} {version(name)}"] = maker(import_module(module))
        except (PackageNotFoundError, ImportError):
            continue
    return found


def run(command: str, shell: str, room: Room) -> None:
    """Run one command in a shell of its own: a quote that is not closed would swallow the next."""
    script = room.path / "script"
    script.write_bytes(command.encode("utf-8", "surrogateescape"))
    environment = {"PATH": room.environment["PATH"], "HOME": str(room.work), "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        [*command_line(shell), str(script)],
        cwd=room.work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            process.wait(4)
        except subprocess.TimeoutExpired:
            process.kill()


def verdict_of(command: str, sent: Sent, server: WireServer, shell: str, room: Room) -> str:
    """Return what came of a command, the worst first."""
    if command.startswith("# not runnable"):
        return "says so"
    server.take_all()
    run(command, shell, room)
    made = [path for path in room.work.iterdir() if path.name not in ("secret.txt", "passwd", "x")]
    for path in made:
        path.unlink()
    if any("pwned" in path.name for path in made):
        return "runs code"
    verdict = judge(sent, server)
    if SECRET.decode() in str(verdict):
        return "reads a file"
    return verdict.kind


def measure(
    name: str, maker: Maker | None, cases: list[tuple[Case, Sent, WireServer]], shell: str, room: Room
) -> dict[str, str]:
    """Return the verdict on each case; without a maker the commands are those of an adapter's record."""
    verdicts = {}
    for case, sent, server in cases:
        try:
            if maker is None:
                command = render(sent.record)
            else:
                request = sent.request
                if case.chunks is not None or hasattr(request.body, "read"):  # consumed by its sending
                    with requests.Session() as session:
                        session.trust_env = False
                        request = prepare(case, server, session)
                command = maker(request)
        except Exception:
            verdicts[case.name] = "no command"
            continue
        verdicts[case.name] = verdict_of(command, sent, server, shell, room)
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shell", choices=SHELLS, default="bash")
    parser.add_argument("--cases", action="store_true", help="name the cases that are not reproduced")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, WireServer() as server:
        room = Room(Path(folder))
        cases = [(case, perform(case, server), server) for case in CORPUS if not case.proxied]
        print(f"{len(cases)} requests, {options.shell}\n")
        print("| commands of | " + " | ".join(VERDICTS) + " |\n|---|" + "---|" * len(VERDICTS), flush=True)
        for name, maker in {"ours, adapter's record": None, **makers()}.items():
            verdicts = measure(maker, cases, options.shell, room)
            counts = Counter(verdicts.values())
            print(f"| {name} | " + " | ".join(str(counts[verdict]) for verdict in VERDICTS) + " |", flush=True)
            if options.cases:
                bad = [f"{case}: {verdict}" for case, verdict in verdicts.items() if verdict not in VERDICTS[:2]]
                print("\n".join(f"    {line}" for line in bad))


if __name__ == "__main__":
    main()
