"""
A record as a curl command for Windows PowerShell and PowerShell 7.

The versions of PowerShell hand an argument with a double quote to a program in different ways, so nothing of a request
is an argument here. curl reads its options from its standard input, as lines of a configuration file, and each line is
one text in single quotes, in which PowerShell knows nothing but the quote itself. Such a line can hold line breaks, so
only bytes beyond ASCII, and other control characters, take the way through a file that is made and removed.
"""

from __future__ import annotations

from base64 import b64encode

from ..records.patterns import lazy
from ..records.record import Record
from .command import PIPED, Option, options
from .dialect import Dialect, Style, remark
from .quoting import show
from .request import obstacle, understand

__all__ = ["DIALECT", "render"]

_LONGEST_LINE = 100_000  # curl reads longer lines since version 8 only
_PLAIN = lazy(r"[ -~\r\n\t]*")
_IN_CONFIG = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_BODY_FILE = "$body"
_OPTIONS_FILE = "$options"


def render(record: Record, style: Style = "exact") -> str:
    """Return the record as a command; every style is printable ASCII, and `readable` alone has more than one line."""
    request = understand(record)
    reason = obstacle(request, _LONGEST_LINE)
    if reason:
        shown = (show(_line(option)) for option in options(request._replace(body=None), "exact", bool))
        return remark(f"not runnable: {reason}: curl.exe {' '.join(shown)}")
    found = [option for option in options(request, style, _takes) if option.name != "disable"]
    lines = [_line(option) for option in found if option != PIPED]
    body = request.body if PIPED in found else None
    command = "curl.exe -q -K -" if style == "exact" else "curl.exe -K -"
    if body is None and all(map(_PLAIN.fullmatch, lines)):
        return f"{_list(lines, style)} | {command}"
    return _with_files(lines, body, command, style)


DIALECT = Dialect("powershell", render)


def _takes(body: bytes) -> bool:
    return len(body) < _LONGEST_LINE and _PLAIN.fullmatch(body.decode("latin-1")) is not None


def _line(option: Option) -> str:
    """Return a line of curl's configuration file."""
    name, value = option.name, option.value
    return name if value is None else f'{name} = "{value.translate(_IN_CONFIG)}"'


def _list(lines: list[str], style: Style) -> str:
    """Return texts that PowerShell writes to a pipe line by line."""
    return (",\n" if style == "readable" else ", ").join(map(_quote, lines))


def _quote(line: str) -> str:
    # In single quotes nothing but the quote has a meaning, whatever language or version.
    return "'" + line.replace("'", "''") + "'"


def _with_files(lines: list[str], body: bytes | None, command: str, style: Style) -> str:
    """Return a command that writes what PowerShell cannot pipe to files of its own, and removes them."""
    steps, files = [], []
    if body is not None:
        steps += _file(_BODY_FILE, body)
        files.append(_BODY_FILE)
        command += f' --data-binary "@{_BODY_FILE}"'
    if all(map(_PLAIN.fullmatch, lines)):
        steps.append(f"{_list(lines, style)} | {command}")
    else:
        steps += _file(_OPTIONS_FILE, "\n".join(lines).encode("latin-1"))
        files.append(_OPTIONS_FILE)
        steps.append(command.replace("-K -", f"-K {_OPTIONS_FILE}"))
    steps.append(f"Remove-Item {', '.join(files)}")
    return ("\n" if style == "readable" else "; ").join(steps)


def _file(name: str, content: bytes) -> list[str]:
    return [
        f"{name} = [IO.Path]::GetTempFileName()",
        f"[IO.File]::WriteAllBytes({name}, [Convert]::FromBase64String('{b64encode(content).decode('ascii')}'))",
    ]
