"""The suites of others that we run: what they are called, what they need, and what our class takes the place of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SUITES", "Suite"]


@dataclass(frozen=True)
class Suite:
    """One project's tests.

    Parameters
    ----------
    name: The name of the project where packages are published.
    paths: Its test files and folders, in its sdist.
    swap: What our class takes the place of; a name that `inside/transparency_swap.py` knows.
    needs: What its tests import, as requirements.
    install: How the project itself is asked for, if it has extras.
    arguments: Further arguments for pytest.
    environment: Variables that its tests ask for.
    remark: What a reader of the result should know, such as which of its tests are left out.
    public_name: The name of ours without which there is nothing to put in place.
    """

    name: str
    paths: tuple[str, ...] = ("tests",)
    swap: str = "adapter"
    needs: tuple[str, ...] = ()
    install: str = "{name}"
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""
    public_name: str = "CurlInterceptor"


_ALL = (
    Suite(
        "requests",
        needs=("pytest-httpbin==2.1.0", "httpbin~=0.10.0", "pytest-mock", "trustme", "wheel"),
        install="{name}[socks]",
    ),
    Suite(
        "responses",
        paths=("responses/tests",),
        # It patches HTTPAdapter.send, which has to stay the one that ours goes on to call.
        swap="session",
        needs=("pytest-asyncio", "pytest-httpserver", "tomli-w", "tomli"),
        arguments=("--asyncio-mode=auto",),
    ),
    Suite(
        "requests-mock",
        # It answers in the place of every adapter, so ours is combined with its own.
        swap="requests-mock",
        needs=("fixtures", "purl", "testtools", "requests-futures"),
    ),
    Suite(
        "requests-cache",
        needs=(
            *("itsdangerous", "orjson", "psutil", "pytest-httpbin", "pyyaml", "redis", "requests-mock", "responses"),
            *("rich", "tenacity", "time-machine", "ujson"),
        ),
        arguments=tuple(f"--ignore=tests/integration/test_{name}.py" for name in ("dynamodb", "mongodb", "redis")),
        environment={"USE_PYTEST_HTTPBIN": "true"},
        remark="without the tests of databases that are servers",
    ),
    Suite("CacheControl", needs=("cherrypy", "cheroot>=11.1.2"), install="{name}[filecache,redis]"),
    Suite("pytest-httpbin", needs=("requests",)),
    Suite(
        "vcrpy",
        paths=(
            "tests/integration/test_requests.py",
            "tests/integration/test_proxy.py",
            "tests/integration/test_wild.py",
        ),
        needs=("pytest-asyncio", "pytest-httpbin", "requests"),
        arguments=("-o", "usefixtures=httpbin_ca_bundle"),
        remark="the tests that send by requests",
    ),
    Suite(
        "urllib3",
        paths=("test",),
        swap="pool managers",
        needs=(
            *("anyio[trio]>=4.8", "cryptography", "h2", "httpx", "hypercorn", "idna", "pyopenssl", "pysocks"),
            *("pytest-socket", "quart", "quart-trio", "trio", "trustme"),
        ),
        arguments=("--ignore=test/contrib/emscripten",),
        remark="without the tests in a browser",
        public_name="CapturePoolManager",
    ),
)
SUITES: Mapping[str, Suite] = {suite.name: suite for suite in _ALL}
