"""The app of a scenario, in a process of its own: it fails as often as it is told, and watches the books meanwhile.

    app = App(url, hook, batch=BatchPolicy(1, 0))
    app.fail(20)
    app.until(lambda: app.delivered == 20, 10)
    app.tell(delivered=app.delivered)

Whoever runs it reads what was told with `heard`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

import curl_interceptor
from curl_interceptor.delivery.pipeline import pipelines
from curl_interceptor.observe.stats import InspectorStats, Stats

from .process import Ended


class App:
    """A session with an interceptor, and a thread that looks whether the books balance, a hundred times a second.

    Parameters
    ----------
    url: An API where every call fails.
    hooks: Inspectors or webhook URLs.
    options: Keywords of `mount`; the cooldown is off unless they say otherwise.
    """

    def __init__(self, url: str, *hooks: Any, **options: Any) -> None:
        self.url = url
        self.session = requests.Session()
        self.adapter = curl_interceptor.mount(self.session, *hooks, **{"cooldown": None, **options})
        self.calls = 0
        self._wrong: list[Stats] = []
        threading.Thread(target=self._watch, daemon=True, name="watches the books").start()

    def _watch(self) -> None:
        while True:
            self._wrong += [stats for stats in (pipeline.stats() for pipeline in pipelines()) if not stats.balanced]
            time.sleep(0.01)

    def fail(self, count: int = 1) -> float:
        """Let so many calls fail, numbered from 0 on; return the seconds that the slowest one took."""
        slowest = 0.0
        for _ in range(count):
            began = time.monotonic()
            self.session.get(f"{self.url}?{self.calls}")
            slowest = max(slowest, time.monotonic() - began)
            self.calls += 1
        return slowest

    def until(self, condition: Callable[[], object], timeout: float) -> float:
        """Wait for it; return the seconds that it took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > timeout:
                raise AssertionError(f"it did not come true within {timeout} s: {self.stats}")
            time.sleep(0.005)
        return time.monotonic() - began

    @property
    def stats(self) -> Stats:
        """The books."""
        return self.adapter.stats()

    @property
    def delivered(self) -> int:
        """Entries that were delivered."""
        return self.stats.delivered

    @property
    def lane(self) -> InspectorStats:
        """The books of the only webhook, as soon as it has some."""
        self.until(lambda: self.stats.inspectors, 5)
        (lane,) = self.stats.inspectors
        return lane

    def tell(self, **what: Any) -> None:
        """Print it for the test, and check that the books balanced at every moment."""
        assert not self._wrong, self._wrong[0]
        assert self.stats.balanced, self.stats
        print(json.dumps(what), flush=True)


def heard(ended: Ended) -> dict[str, Any]:
    """Return what a scenario told, if it ended well and quietly."""
    assert (ended.status, ended.err) == (0, ""), f"status {ended.status}\n{ended.out}\n{ended.err}"
    told: dict[str, Any] = json.loads(ended.out.strip().splitlines()[-1])
    return told
