"""Inspectors of other packages: registered by an entry point, or any object of the shape."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import traceback
import zipfile
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest
import requests
from support.process import environment
from support.receiver import status

from curl_interceptor import (
    BatchPolicy,
    ConfigurationError,
    DeadEndpoint,
    Inspector,
    Payload,
    RateLimit,
    mount,
)
from curl_interceptor.inspectors.base import json_payload
from curl_interceptor.testing import check_inspector

PAGER = '''
print("pager is imported")
from curl_interceptor import Inspector
from curl_interceptor.inspectors.base import json_payload


class PagerInspector(Inspector):
    """Posts to a pager."""

    kind = "pager"
    hosts = ("pager.example.com", "hooks.slack.com")
    schemes = ("pager",)

    @classmethod
    def from_url(cls, url):
        if "broken" in url:
            raise RuntimeError(url)
        return cls(url.replace("pager://", "https://pager.example.com/"))

    def payloads(self, entries, *, plain=False):
        return [json_payload([entry], {"text": entry.outcome}) for entry in entries]
'''


def wheel(folder: Path, name: str, module: str, *entries: str) -> Path:
    """Build a wheel with one module, whose entry points are in the group of inspectors."""
    file = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    lines = "\n".join(entries)
    texts = {
        f"{name}.py": module,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[curl_interceptor.inspectors]\n{lines}\n",
    }
    record = "".join(f"{path},,\n" for path in [*texts, f"{info}/RECORD"])
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in {**texts, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return file


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip has installed a pager, and plugins that are broken in several ways."""
    folder = tmp_path_factory.mktemp("wheels")
    wheels = [
        wheel(folder, "pager", PAGER, "pager = pager:PagerInspector", "cellar = pager:no_such_thing"),
        wheel(folder, "broken_import", "import no_such_module", "attic = broken_import:X"),
        wheel(folder, "broken_exit", "raise SystemExit(3)", "barn = broken_exit:X"),
        wheel(folder, "broken_class", "class X: pass", "den = broken_class:X"),
    ]
    target = folder / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(target), *wheels],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return target


def python(installed, script, *flags):
    """Run a script where the plugins are installed."""
    ended = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(script)],
        env=environment(installed),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.returncode, ended.stdout.splitlines(), ended.stderr


@pytest.mark.parametrize("url", ["https://pager.example.com/hook/abc", "pager://abc"])
def test_a_url_of_its_host_or_scheme_is_its(installed, url):
    """
    A text is enough: the plugin is loaded, and the record is rendered by it.
    """
    code, out, _ = python(
        installed,
        f"""
        import curl_interceptor, requests
        from curl_interceptor import testing
        session = requests.Session()
        adapter = curl_interceptor.mount(session, {url!r})
        print(type(adapter.inspectors[0]).__name__, adapter.inspectors[0].label.partition("-")[0])
        """,
    )

    assert code == 0
    assert out == ["pager is imported", "PagerInspector pager:pager.example.com"]


def test_it_is_imported_when_it_is_needed_and_not_before(installed):
    """
    Neither our import nor a URL that we know imports a plugin, or reads the metadata of packages.
    """
    code, out, err = python(
        installed,
        """
        import importlib.metadata, sys
        importlib.metadata.entry_points = lambda **_: print("asked for the plugins")
        import curl_interceptor, requests
        curl_interceptor.mount(requests.Session(), "https://hooks.slack.com/services/T0/B0/xyz", "file:/tmp/x.ndjson")
        print("pager" in sys.modules)
        """,
    )

    assert (code, out, err) == (0, ["False"], "")


def test_ours_win(installed):
    """
    A plugin that claims a host of Slack does not get it.
    """
    _, out, _ = python(
        installed,
        """
        from curl_interceptor.inspectors.recognise import inspector_for
        inspector_for("https://unknown.example/x")
        print(type(inspector_for("https://hooks.slack.com/services/T0/B0/xyz")).__name__)
        """,
    )

    assert out[-1] == "SlackInspector"


def test_a_broken_one_is_a_warning_that_names_it(installed):
    """
    Four are broken, each in another way; each is told once, and the URL gets the generic webhook all the same.
    """
    code, out, err = python(
        installed,
        """
        from curl_interceptor.inspectors.recognise import inspector_for
        print(type(inspector_for("https://unknown.example/s3cr3t")).__name__)
        print(type(inspector_for("https://unknown.example/s3cr3t")).__name__)
        """,
    )

    assert (code, out[-2:]) == (0, ["WebhookInspector"] * 2)
    assert "s3cr3t" not in err
    for name, reason in [
        ("attic", "importing it raised ModuleNotFoundError"),
        ("barn", "importing it raised SystemExit"),
        ("cellar", "importing it raised AttributeError"),
        ("den", "it is no class that derives from Inspector"),
    ]:
        assert len(re.findall(f"the inspector '{name}' .* cannot be used: {reason}", err)) == 1


def test_a_broken_one_is_no_error_where_warnings_are(installed):
    """
    An app that makes errors of warnings starts as well.
    """
    script = """
        from curl_interceptor.inspectors.recognise import inspector_for
        print(type(inspector_for("https://unknown.example/x")).__name__)
    """
    code, out, _ = python(installed, script, "-W", "error::RuntimeWarning")

    assert (code, out[-1]) == (0, "WebhookInspector")


def test_one_that_cannot_read_its_url_is_told_without_the_url(installed):
    """
    What its `from_url` raises is not shown: it may hold the secret.
    """
    code, _, err = python(
        installed,
        """
        from curl_interceptor.inspectors.recognise import inspector_for
        inspector_for("pager://broken-s3cr3t")
        """,
    )

    assert code == 1
    assert "ConfigurationError: the inspector 'pager' of another package could make nothing of the URL" in err
    assert "s3cr3t" not in err.replace('inspector_for("pager://broken-s3cr3t")', "")


def test_a_lazy_one_has_them_loaded_before_the_dispatcher_asks(installed):
    """
    Nothing is imported in our thread.
    """
    _, out, _ = python(
        installed,
        """
        import sys
        from curl_interceptor import LazyInspector
        LazyInspector(lambda: "pager://abc")
        print("pager" in sys.modules)
        """,
    )

    assert out == ["pager is imported", "True"]


def test_the_command_line_knows_it_by_its_name(installed):
    """
    `test-webhook --service` takes the name of the entry point.
    """
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "curl_interceptor",
            "test-webhook",
            "--dry-run",
            "--service",
            "pager",
            "http://a.test/x",
        ],
        env=environment(installed),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == '{"text":"503"}'


# Any object.


class Pigeon:
    """Not an Inspector: it has the shape."""

    def __init__(self, address):
        self.address = address

    def payloads(self, entries, *, plain=False):
        return [json_payload(entries, {"plain": plain, "told": [entry.outcome for entry in entries]})]


class Falcon(Pigeon):
    """It has all that an inspector may have."""

    label = "falcon"
    critical = True
    options = MappingProxyType({"batch": BatchPolicy(1, 0), "rate_limit": RateLimit(100, 1)})
    defaults = MappingProxyType({"cooldown": None})

    def verdict(self, answer):
        if answer.body == b"no":
            raise DeadEndpoint("it said no")

    def renewed(self, payload):
        return payload


def test_an_object_of_the_shape_delivers(api, receiver, session, pipeline):
    """
    Address and payloads are enough.
    """
    adapter = mount(session, Pigeon(receiver.url("/pigeon")), pipeline=pipeline)
    session.get(api.url("/status/503"))

    assert adapter.flush(5)
    assert json.loads(receiver.bodies("/pigeon")[0]) == {"plain": False, "told": ["503"]}
    assert adapter.stats().inspectors[0].delivered == 1


def test_all_that_it_has_is_used(api, receiver, session, pipeline):
    """
    Its label, options, defaults and verdict.
    """
    receiver.default = status(200, body=b"no")
    adapter = mount(session, Falcon(receiver.url("/falcon")), pipeline=pipeline)
    session.get(api.url("/status/503"))
    adapter.flush(2)

    books = adapter.stats().inspectors[0]
    assert (books.label, books.last_error) == ("falcon", "it said no")
    assert adapter.inspectors[0].critical
    assert repr(adapter.inspectors[0]) == "Falcon('falcon')"


def test_it_may_be_a_fallback_or_made_by_a_factory(api, receiver, session, pipeline):
    """
    Wherever an inspector may be given.
    """
    receiver.script("/gone", then=status(410))
    adapter = mount(
        session,
        lambda: Pigeon(receiver.url("/gone")),
        fallbacks=Pigeon(receiver.url("/home")),
        pipeline=pipeline,
    )
    session.get(api.url("/status/503"))

    assert adapter.flush(5)
    assert len(receiver.bodies("/home")) == 1


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        (SimpleNamespace(payloads=lambda entries, plain: []), "SimpleNamespace has no address"),
        (SimpleNamespace(payloads=lambda entries, plain: [], address=7), "SimpleNamespace has no address"),
        (SimpleNamespace(address="https://a.example/x"), "without payloads(entries, *, plain)"),
        (SimpleNamespace(address="https://a.example/x", payloads=7), "payloads of SimpleNamespace must be callable"),
        (Pigeon("ftp://a.example/s3cr3t"), "must begin with http:// or https://"),
        (SimpleNamespace(address="https://a.example/x", payloads=lambda entries: []), "and the keyword plain"),
        (
            SimpleNamespace(address="https://a.example/x", payloads=lambda entries, plain: [], verdict=7),
            "verdict of Simple",
        ),
        (
            SimpleNamespace(address="https://a.example/x", payloads=lambda entries, plain: [], label=""),
            "label must be a",
        ),
        (object(), "inspectors must be inspectors, webhook URLs, dotted paths or factories"),
    ],
)
def test_what_is_missing_is_named(thing, sentence):
    """
    At construction, and without the address.
    """
    with pytest.raises(ConfigurationError, match=re.escape(sentence)) as refused:
        mount(requests.Session(), thing)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "MTk4NjIyNDgzNDcx.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
        "SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc1s5cr",
        "a1b2c3d4e5f6.f6e5d4c3b2a1",
        "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
        "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
        "hooks.example.com/services/T0/B0/s3cr3t",
    ],
)
@pytest.mark.parametrize("where", ["inspectors", "fallbacks"])
def test_a_token_in_the_place_of_an_inspector_is_not_repeated(token, where):
    """
    Whoever pastes the wrong half of a configuration does not find it in a log.
    """
    given = {"inspectors": token} if where == "inspectors" else {"fallbacks": [token]}
    with pytest.raises(ConfigurationError) as refused:
        mount(requests.Session(), **given)

    told = "".join(traceback.format_exception(refused.value))
    shown = [line for line in told.splitlines() if not line.startswith("  ")]  # not the lines of this test
    assert not any(part in "\n".join(shown) for part in re.split(r"[./:-]", token) if len(part) > 8)
    assert "webhook URL" in str(refused.value)


@pytest.mark.parametrize("path", ["myapp.alerts.inspector", "my_app2.v1.ALERTS", "myapp.Alerts.forTeam", "_x.HTTPHook"])
def test_a_dotted_path_that_cannot_be_imported_is_named(path):
    """
    It is most often a slip of the pen.
    """
    with pytest.raises(ConfigurationError, match=re.escape(f"inspectors: '{path}' cannot be imported")):
        mount(requests.Session(), path)


def test_a_class_that_knows_no_plain_form_is_refused_when_it_is_made():
    """
    Else each of its deliveries would fail later.
    """

    class Forgetful(Inspector):
        def payloads(self, entries):
            return []

    with pytest.raises(ConfigurationError, match=r"payloads of Forgetful must take .* and the keyword plain"):
        Forgetful("https://a.example/x")


# What others may ask of theirs.


class Sound(Inspector):
    """Holds everything."""

    def payloads(self, entries, *, plain=False):
        return [json_payload([entry], {"text": entry.outcome}) for entry in entries]


def broken(**methods):
    return type("Broken", (Sound,), methods)("https://pager.example.com/hook/s3cr3t-path")


def leaking(self, entries, *, plain=False):
    return [json_payload([entry], {"to": self.address}) for entry in entries]


def moody(self, entries, *, plain=False):
    self.count = getattr(self, "count", 0) + 1
    return [json_payload(entries, {"count": self.count})]


def furious(self, answer):
    json.loads(answer.body)["ok"]


@pytest.mark.parametrize(
    ("inspector", "sentence"),
    [
        (broken(payloads=lambda self, entries, plain=False: iter(())), "returns no list"),
        (broken(payloads=lambda self, entries, plain=False: []), "each entry has to be in one payload"),
        (broken(payloads=lambda self, entries, plain=False: [Payload(tuple(entries), "x", "a/b")]), "is no bytes"),
        (broken(payloads=lambda self, entries, plain=False: [Payload(tuple(entries), b"{", "a/json")]), "is none"),
        (broken(payloads=lambda self, entries, plain=False: [Payload(tuple(entries), b"", "a\r\nb")]), "a line break"),
        (broken(payloads=moody), "asked twice"),
        (broken(payloads=leaking), "its payload tells the webhook's URL"),
        (broken(__repr__=lambda self: self.address), "its repr tells the webhook's URL"),
        (broken(verdict=furious), "verdict() of 0 b'' raises JSONDecodeError"),
        (broken(verdict=lambda self, answer: None), "verdict() calls status 302 delivered"),
    ],
)
def test_what_an_inspector_does_not_hold_is_said(inspector, sentence):
    """
    `check_inspector` finds it.
    """
    with pytest.raises(AssertionError, match=re.escape(sentence)):
        check_inspector(inspector)


def test_one_that_holds_all_passes():
    """
    Also an object that only has the shape.
    """
    check_inspector(Sound("https://pager.example.com/hook/abc"))
    check_inspector(Pigeon("https://pager.example.com/hook/abc"))
