"""`curl-interceptor curl` from the command line's point of view."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from curl_interceptor import UNREDACTED, to_curl
from curl_interceptor.cli import main
from curl_interceptor.dialects import names


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, str]:
        try:
            code = main(["curl", *arguments])
        except SystemExit as exit:
            code = int(exit.code or 0)
        captured = capsys.readouterr()
        return code, captured.out or captured.err

    return run


def test_a_described_request_becomes_a_command(run: Any) -> None:
    code, text = run("POST", "https://h/a?b=[1]", "-H", "X-A: it's", "-H", "X-A: 2", "-H", "Empty:", "--data", "@x")

    assert code == 0
    assert text == (
        "curl -q -g --path-as-is --http1.1 --noproxy '*' 'https://h/a?b=[1]' -H 'User-Agent:' -H 'Accept:'"
        " -H 'Content-Type:' -H 'X-A: it'\\''s' -H 'X-A: 2' -H 'Empty;' --data-raw '@x'\n"
    )


def test_secrets_are_hidden_unless_asked_for(run: Any) -> None:
    request = ("GET", "https://u:p@h/?access_token=s3cret", "-H", "Authorization: Bearer s3cret")

    assert "s3cret" not in run(*request)[1]
    assert run(*request, "--unredacted")[1].count("s3cret") == 2


def test_a_body_comes_from_a_file_or_the_input(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "body").write_bytes(b"\0\xff\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from the input")))

    assert "printf '\\000\\377\\n' | curl" in run("PUT", "http://h/", "--data-file", str(tmp_path / "body"))[1]
    assert "--data-raw 'from the input'" in run("PUT", "http://h/", "--data-file", "-")[1]


@pytest.mark.parametrize("dialect", names())
@pytest.mark.parametrize("style", ["exact", "readable", "compact"])
def test_every_dialect_and_style_is_there(dialect: str, style: str, run: Any) -> None:
    code, text = run("GET", "https://h/", "--dialect", dialect, "--style", style)

    assert code == 0
    assert "https://h/" in text or "GET / HTTP/1.1\nHost: h" in text


@pytest.mark.parametrize("dialect", names())
def test_what_is_not_runnable_ends_with_1(dialect: str, run: Any) -> None:
    code, text = run("GET /x", "https://h/", "--dialect", dialect)

    assert (code, "not runnable: the method is no HTTP token" in text) == (1, True) or dialect in ("har", "raw")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "takes METHOD and URL"),
        (("GET",), "takes METHOD and URL"),
        (("GET", "http://h/", "-H", "no colon"), "-H takes 'NAME: VALUE'"),
        (("GET", "http://h/", "--data-file", "/nowhere/at/all"), "cannot read '/nowhere/at/all'"),
        (("GET", "http://h/", "--dialect", "klingon"), "invalid choice"),
        (("--har", "/nowhere/at/all"), "cannot read"),
        (("GET", "http://h/", "--har", "x"), "--har takes the requests from its file"),
    ],
)
def test_what_is_not_called_rightly_ends_with_2(arguments: tuple[str, ...], sentence: str, run: Any) -> None:
    code, text = run(*arguments)

    assert code == 2
    assert sentence in text


# Archives.


def test_an_archive_of_our_own_gives_the_same_commands(run: Any, tmp_path: Path) -> None:
    """
    A request, written as an entry and read again, is the request.
    """
    prepared = requests.Request(
        "POST", "http://h/a", data=b"\0\xff'\n", headers={"X": b"\xe9", "User-Agent": "u"}
    ).prepare()
    (tmp_path / "one.har").write_text(to_curl(prepared, dialect="har", redaction=UNREDACTED))

    assert run("--har", str(tmp_path / "one.har")) == (0, to_curl(prepared, redaction=UNREDACTED) + "\n")


def _archive(path: Path, *requests: dict[str, Any]) -> str:
    entries = [{"request": {"headers": [], **request}} for request in requests]
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return str(path)


def test_an_archive_of_a_browser_gives_a_command_for_each_request(run: Any, tmp_path: Path) -> None:
    length = {"name": "content-length", "value": "3"}
    form = {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a", "value": "1 2"}]}
    name = _archive(
        tmp_path / "x.har",
        {"method": "GET", "url": "https://h/1", "headers": [{"name": ":authority", "value": "h"}]},
        {
            "method": "POST",
            "url": "https://h/2",
            "headers": [length],
            "postData": {"mimeType": "", "text": "\u00e9x"},
        },
        {"method": "POST", "url": "https://h/3", "postData": form},
        {"method": "POST", "url": "https://h/4", "headers": [length]},
    )

    code, text = run("--har", name, "--style", "compact")
    first, second, third, fourth = text.splitlines()

    assert code == 1
    assert first == "curl 'https://h/1'"
    assert second.startswith("printf '\\303\\251x' | curl ")
    assert third.endswith("--data-raw 'a=1+2'")
    assert fourth.startswith("# not runnable: the request body was not captured")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"log": {}}', '{"log": {"entries": []}}', '{"request": 1}', "\xff"]
)
def test_what_is_no_archive_says_so(content: str, run: Any, tmp_path: Path) -> None:
    (tmp_path / "x.har").write_text(content)

    code, text = run("--har", str(tmp_path / "x.har"))

    assert code == 2
    assert "HTTP Archive" in text


def test_it_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "curl_interceptor", "curl", "GET", "http://h/", "--style", "compact"],
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "curl 'http://h/'\n", "")
