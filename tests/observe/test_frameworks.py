"""The endpoints mounted in the real Django and the real Flask, behind real servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families as parse_text

from curl_interceptor.observe.wsgi import PATHS, endpoints
from observe.health_rules import broken_rules

TOKEN = "a-token-of-32-characters-or-more"


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(app) -> Iterator[str]:
    """An app behind a real server on loopback."""
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def flask_app():
    """A Flask app with the endpoints under a prefix, as the how-to page mounts them."""
    flask = pytest.importorskip("flask")
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=lambda: "the shop")
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/internal": endpoints(token=TOKEN)})
    return app


@pytest.fixture
def django_app():
    """A Django app with one view for all pages, as the how-to page mounts them."""
    django = pytest.importorskip("django")
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    app = endpoints(token=TOKEN)

    def internal(request, page):
        status, headers, body = app.reply({**request.META, "PATH_INFO": f"/{page}"})
        return HttpResponse(body, status=int(status.split()[0]), headers=dict(headers))

    if not settings.configured:
        settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True)
        django.setup()
    global urlpatterns
    urlpatterns = [path("internal/<path:page>", internal), path("", lambda request: HttpResponse("the shop"))]
    return get_wsgi_application()


urlpatterns: list[object] = []


@pytest.mark.parametrize("framework", ["flask_app", "django_app"])
def test_all_pages_are_there_and_private(framework, request):
    """
    Under the prefix each page answers whoever knows the token, refuses everybody else, and the app is what it was.
    """
    app = request.getfixturevalue(framework)
    with served(app) as base, requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{base}/").text == "the shop"
        for path in PATHS:
            assert session.get(f"{base}/internal{path}").status_code == 401
            assert session.post(f"{base}/internal{path}").status_code == 405
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        for path in PATHS:
            for spelling in (path, f"{path}/"):
                answer = session.get(f"{base}/internal{spelling}")
                assert answer.status_code == 200, answer.text
                assert answer.headers["Cache-Control"] == "no-store"
            head = session.head(f"{base}/internal{path}")
            assert (head.status_code, head.content) == (200, b"")
        assert session.get(f"{base}/internal/nothing").status_code == 404
        health = session.get(f"{base}/internal/health")
        assert health.headers["Content-Type"] == "application/health+json"
        assert broken_rules(health.json(), health.status_code) == []
        assert list(parse_text(session.get(f"{base}/internal/metrics").text))


def test_a_proxy_fix_of_werkzeug_lets_nobody_in_by_mistake():
    """
    Where the app believes X-Forwarded-For, a caller that names loopback there is refused all the same.
    """
    pytest.importorskip("werkzeug")
    from werkzeug.middleware.proxy_fix import ProxyFix

    with served(ProxyFix(endpoints())) as base, requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{base}/metrics").status_code == 200
        spoofed = session.get(f"{base}/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
        assert spoofed.status_code == 403
