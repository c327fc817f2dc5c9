"""
Draws the pictures of messages: real payloads in a mock-up of each service's look, photographed by a headless browser.

    python docs/pictures/draw.py            all of them
    python docs/pictures/draw.py discord    one

Needs `chromium` (or $CHROMIUM) and the fonts of the machine; nothing is loaded from elsewhere. Each file in `looks/` is
named like its inspector's file, and has `inspector()`, and `page(payloads)`, which returns the HTML of what a reader
would see.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from curl_interceptor import Record, Redaction
from curl_interceptor.records.exchange import Exchange, Failure, RequestFacts, ResponseFacts
from curl_interceptor.records.redaction import redact

HERE = Path(__file__).parent
STARTED = 1_714_572_127.5
CONTEXT = (("service", "checkout"), ("environment", "production"), ("host", "web-3"), ("request_id", "8f3a91"))


def main(names: list[str]) -> None:
    """Draw the pictures of these services, or of all."""
    sys.path.insert(0, str(HERE))
    for name in names or sorted(path.stem for path in (HERE / "looks").glob("*.py")):
        look = importlib.import_module(f"looks.{name}")
        payloads = look.inspector().payloads([_payment(), _timeout()])
        photograph(look.page(payloads), HERE / f"{name}.png", look.SIZE)
        print(f"{name}.png: {(HERE / f'{name}.png').stat().st_size / 1024:.0f} KB")


def photograph(page: str, picture: Path, size: tuple[int, int]) -> None:
    """Let a browser without a screen draw a page."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "page.html")
        source.write_text(page, encoding="utf-8")
        subprocess.run(
            [
                os.environ.get("CHROMIUM", "chromium"),
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *(f"--user-data-dir={folder}/profile", f"--screenshot={picture}"),
                f"--window-size={size[0]},{size[1]}",
                source.as_uri(),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )


def _payment() -> Record:
    """A payment that a server refuses, for the 37th time."""
    sent = b'{"amount": 1250, "currency": "EUR", "note": "it\'s for the cafe", "card_token": "tok_secret"}'
    got = b'{"error": {"code": "overloaded", "message": "Try again later", "retry": true}, "request_id": "req_8Qz"}'
    json = (("Content-Type", "application/json"),)
    request = RequestFacts(
        "POST", "https://api.example.com/v1/payments", (*json, ("Authorization", "Bearer secret")), sent, "complete",
        len(sent), False, timeout=5,
    )  # fmt: skip
    response = ResponseFacts(503, "Service Unavailable", json, (got,), "complete", len(got))
    exchange = Exchange(request, response, None, STARTED, 1.234, None, CONTEXT)
    return redact(exchange, Redaction(), id="1").telling(36, STARTED - 420)


def _timeout() -> Record:
    """A server that does not answer."""
    request = RequestFacts("GET", "https://stock.example.com/v2/items/42?fields=price", (), timeout=10)
    failure = Failure("requests.exceptions.ReadTimeout", "Read timed out. (read timeout=10)", ())
    return redact(Exchange(request, None, failure, STARTED + 2, 10.01, None, CONTEXT), Redaction(), id="2")


if __name__ == "__main__":
    main(sys.argv[1:])
