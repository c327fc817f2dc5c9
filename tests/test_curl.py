"""`to_curl`: the command of a request that somebody has in the hand."""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from curl_interceptor import UNREDACTED, ConfigurationError, to_curl
from curl_interceptor.capture.draft import Draft
from curl_interceptor.capture.target import sent_url
from curl_interceptor.dialects import names
from curl_interceptor.policies import CapturePolicy


def test_requests_responses_and_prepared_requests_give_the_same() -> None:
    request = requests.Request("POST", "https://h/a", data="x")
    response = requests.Response()
    response.request = request.prepare()

    assert to_curl(request) == to_curl(request.prepare()) == to_curl(response)
    assert to_curl(request, style="compact") == "curl 'https://h/a' -H 'Content-Type:' --data-raw x"


def test_secrets_are_hidden_unless_asked_for() -> None:
    request = requests.Request("GET", "https://u:s3cret@h/?token=s3cret", headers={"X-Api-Key": "s3cret"})

    for dialect in names():
        assert "s3cret" not in to_curl(request, dialect=dialect)
    assert to_curl(request, redaction=UNREDACTED).count("s3cret") == 2


@pytest.mark.parametrize("body", [io.BytesIO(b"x"), iter([b"x"]), (part for part in [b"x"])], ids=type)
def test_a_body_that_only_the_sending_reads_is_said_and_not_read(body: Any) -> None:
    prepared = requests.Request("POST", "https://h/a", data=body).prepare()

    text = to_curl(prepared)

    assert text.startswith("# not runnable: the request body was not captured")
    assert b"".join(prepared.body) == b"x"  # type: ignore[arg-type]


class Hostile:
    """Every look at it is an error."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __bytes__ = __len__ = __iter__ = __bool__ = __str__  # type: ignore[assignment]


_ODD: list[Any] = [None, 5, 1.5, True, b"GET", "", "\0", [], ["a"], {}, {"a": 1}, object(), Hostile(), lambda: None]


@pytest.mark.parametrize("attribute", ["method", "url", "headers", "body", "hooks", "_cookies", "_body_position"])
@pytest.mark.parametrize("dialect", names())
def test_a_request_that_was_bent_by_hand_raises_nothing(attribute: str, dialect: str) -> None:
    for value in _ODD:
        prepared = requests.Request("POST", "https://h/a", data=b"x").prepare()
        setattr(prepared, attribute, value)
        assert isinstance(to_curl(prepared, dialect=dialect), str)


@pytest.mark.parametrize("value", [value for value in _ODD if not isinstance(value, (str, bytes, int))], ids=type)
def test_a_header_that_cannot_be_sent_gives_no_command(value: Any) -> None:
    prepared = requests.Request("GET", "https://h/a").prepare()
    prepared.headers["X"] = value

    assert to_curl(prepared).startswith("# not runnable: ")


@pytest.mark.parametrize(
    "source", [requests.Request("GET", "no url"), requests.Request(), requests.Request("GET", "http://")]
)
def test_a_request_that_cannot_be_prepared_gives_a_sentence(source: requests.Request) -> None:
    assert to_curl(source).startswith("# not runnable: requests could not send this request")


def test_wrong_arguments_are_errors() -> None:
    request = requests.Request("GET", "https://h/")

    with pytest.raises(ConfigurationError, match="takes a request"):
        to_curl("https://h/")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="dialect must be one of"):
        to_curl(request, dialect="klingon")
    with pytest.raises(ConfigurationError, match="style must be one of"):
        to_curl(request, style="pretty")  # type: ignore[arg-type]


# What the capture knows of the connection.


def _facts(**options: Any) -> Any:
    prepared = requests.Request("GET", "https://h/a").prepare()
    return Draft(None, CapturePolicy(), prepared, ((), options), 0.0, 0.0).exchange().request  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verify", "expected"),
    [
        (True, True),
        (False, False),
        (None, False),
        ("", False),
        (0, False),
        (1, True),
        (Path("/ca.pem"), "/ca.pem"),
        (b"/ca", "/ca"),
    ],
)
def test_verification_is_what_requests_makes_of_it(verify: Any, expected: Any) -> None:
    assert _facts(verify=verify).verify == expected


@pytest.mark.parametrize(
    ("url", "proxies", "expected"),
    [
        ("http://h/a?b=%20", (), "http://h/a?b=%20"),
        ("http://h/a[1]/%zz", (), "http://h/a%5B1%5D/%25zz"),
        ("http://h/a/../b?", (), "http://h/a/../b"),
        ("http://h/a/../b", (("http", "http://p"),), "http://h/b"),
        ("http://h", (), "http://h/"),
        ("http+unix://%2FRun%2Fx/a[", (), "http+unix://%2FRun%2Fx/a%5B"),
        ("", (), ""),
        ("no url [", (), "no url ["),
        ("http://[::1", (), "http://[::1"),
    ],
)
def test_the_url_is_the_one_of_the_wire(url: str, proxies: Any, expected: str) -> None:
    assert sent_url(url, proxies) == expected or sent_url(url, proxies) + "/" == expected


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_a_command_reaches_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "A b.sock"
    got = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                got.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http+unix://{str(path).replace('/', '%2F').replace(' ', '%20')}/info?a=1"
        subprocess.run(["bash", "-c", to_curl(requests.Request("GET", url))], check=True, timeout=20)
        thread.join(20)

    assert got[0].startswith(b"GET /info?a=1 HTTP/1.1\r\nHost: localhost\r\n")
