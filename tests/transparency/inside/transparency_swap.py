"""
A pytest plugin: puts our class in the place of the one that a suite tests or stands on, before anything imports it.

Everything is captured, and delivered in earnest to a receiver on the loopback interface, so that what our threads do
in the background is part of the evidence. Our own pytest plugin would record in the place of delivering, and is off.
"""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path
from typing import Any

# The package of this very repository, whatever is installed; and no folder beside it may hide one of the suite's.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from curl_interceptor import BatchPolicy, CaptureMixin, CurlInterceptor, LanePolicy, Match, Pipeline, WebhookInspector

sys.path.pop(0)


_pipeline = Pipeline(linger=0.03)
_OPTIONS: dict[str, Any] = {
    "inspectors": WebhookInspector(
        os.environ["TRANSPARENCY_WEBHOOK"],
        match=Match(statuses="100-999", errors=True),
        cooldown=None,
        batch=BatchPolicy(50, 0.2),
        lane=LanePolicy(records=100_000, bytes=1_000_000_000),
    ),
    "pipeline": _pipeline,
}


class Interceptor(CurlInterceptor):
    """What stands in the place of `HTTPAdapter`: the adapter with settings, wherever it is made without arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**_OPTIONS, **kwargs})


def _sessions_adapter() -> None:
    """Replace what sessions mount. For those who patch `HTTPAdapter.send` itself, which ours goes on to call."""
    import requests

    requests.sessions.HTTPAdapter = Interceptor


def _adapter() -> None:
    """Replace the name, too: whoever derives an adapter of his own derives it from ours."""
    import requests

    _sessions_adapter()
    requests.adapters.HTTPAdapter = Interceptor


def _requests_mock_adapter() -> None:
    """Stand before requests-mock's own adapter, which takes the place of all others."""
    import requests_mock.mocker

    class Adapter(CaptureMixin, requests_mock.adapter.Adapter):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**_OPTIONS, **kwargs})

    # Their class finds itself by its name in its module, so the module stays, and others see a copy of it.
    seen = types.ModuleType(requests_mock.adapter.__name__)
    vars(seen).update(vars(requests_mock.adapter), Adapter=Adapter)
    requests_mock.Adapter = Adapter
    requests_mock.adapter = requests_mock.mocker.adapter = seen
    _sessions_adapter()


def _pool_managers() -> None:
    """Replace urllib3's pool managers, the one behind `urllib3.request` too."""
    import urllib3.poolmanager

    from curl_interceptor import CapturePoolManager, CaptureProxyManager

    class PoolManager(CapturePoolManager):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**_OPTIONS, **kwargs})

    class ProxyManager(CaptureProxyManager):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**_OPTIONS, **kwargs})

    for module in (urllib3, urllib3.poolmanager):
        module.PoolManager = PoolManager
        module.ProxyManager = ProxyManager
    urllib3._DEFAULT_POOL = PoolManager()


{
    "adapter": _adapter,
    "session": _sessions_adapter,
    "requests-mock": _requests_mock_adapter,
    "pool managers": _pool_managers,
}[os.environ["TRANSPARENCY_SWAP"]]()


def pytest_unconfigure() -> None:
    """Write down how much was captured: a class that captures nothing is transparent, and no evidence."""
    _pipeline.flush(30)
    stats = _pipeline.stats()
    line = {"kind": "captured", "captured": stats.accepted, "dropped": dict(stats.dropped), "balanced": stats.balanced}
    with open(os.environ["TRANSPARENCY_REPORT"], "a", encoding="utf-8") as report:
        report.write(json.dumps(line) + "\n")
