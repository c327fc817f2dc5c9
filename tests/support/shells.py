"""The shells that run commands: as scripts in a hostile room, and typed into at a prompt."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings

__all__ = ["FEW", "SHELLS", "Room", "Terminal", "command_line", "terminal"]

_SHELLS = {
    "bash": ("bash", "--norc"),
    "dash": ("dash",),
    "zsh": ("zsh", "-f"),
    "ksh": ("ksh93",),
    "mksh": ("mksh",),
    "ash": ("busybox", "sh"),
    "fish": ("fish", "--no-config"),
}
FEW = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
"""For properties that start a shell each time."""
SHELLS = [name for name, (program, *_) in _SHELLS.items() if shutil.which(program)]


def command_line(shell: str) -> tuple[str, ...]:
    """Return how a shell is started so that it reads no settings."""
    return _SHELLS[shell]


class Room:
    """A working directory with a secret, a home with a bad `.curlrc`, and an environment full of dead proxies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"
        self.work.mkdir()
        for name in ("secret.txt", "passwd", "x"):
            (self.work / name).write_text("SECRET OF THIS MACHINE\n")
        (path / ".curlrc").write_text('header = "X-Evil: 1"\nuser-agent = "evil"\nproxy = "http://127.0.0.1:1"\n')
        dead = "http://127.0.0.1:1"
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), dead)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(path),
            "LC_ALL": "C.UTF-8",
            "no_proxy": "",
            **proxies,
        }

    def run(self, shell: str, commands: list[str], **environment: str) -> bytes:
        """Run the commands as one script, and return its output; a shell for each would take most of the time."""
        return self._run(shell, [commands], environment)[0]

    def run_in_any_order(self, shell: str, commands: list[str], **environment: str) -> None:
        """Run the commands as two scripts at once: most of the time is that in which curl starts."""
        self._run(shell, [commands[::2], commands[1::2]], environment)

    def _run(self, shell: str, scripts: list[list[str]], environment: dict[str, str]) -> list[bytes]:
        running = []
        for number, commands in enumerate(scripts):
            script = self.path / f"script{number}"
            script.write_text("".join(f"{command}\n" for command in commands), encoding="ascii")
            running.append(
                subprocess.Popen(
                    [*_SHELLS[shell], str(script)],
                    cwd=self.work,
                    env=self.environment | environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            )
        return [process.communicate(timeout=120)[0] for process in running]

    def is_untouched(self) -> bool:
        return sorted(path.name for path in self.work.iterdir()) == ["passwd", "secret.txt", "x"]


class Terminal:
    """An interactive shell at a pseudo terminal, typed into like a person does."""

    def __init__(self, room: Room, shell: str) -> None:
        self._child, self._fd = pty.fork()
        if not self._child:
            os.chdir(room.work)
            program, *options = _SHELLS[shell]
            os.execvpe(program, [program, *options, "-i"], room.environment | {"PS1": "READY> ", "TERM": "dumb"})
        self._screen = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait_for(b"READY> ")  # before its prompt a shell leaves the line to the terminal, which keeps 4 KB of it

    def _read(self) -> None:
        # All the time: a shell whose echo nobody reads stands still.
        with contextlib.suppress(OSError):
            while data := os.read(self._fd, 65536):
                self._screen += data

    def wait_for(self, text: bytes) -> None:
        """Wait until a text has come up on the screen."""
        deadline = time.monotonic() + 10
        while text not in self._screen:
            assert time.monotonic() < deadline, self._screen
            time.sleep(0.01)

    def type(self, line: str) -> None:
        self._screen = b""
        data = line.encode("ascii") + b"\r"
        while data:
            data = data[os.write(self._fd, data[:256]) :]
        self.wait_for(b"READY> ")

    def close(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        self._reader.join(5)
        os.close(self._fd)


@contextlib.contextmanager
def terminal(room: Room, shell: str) -> Iterator[Terminal]:
    found = Terminal(room, shell)
    try:
        yield found
    finally:
        found.close()
