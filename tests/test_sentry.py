"""What leaves for Sentry: where it broke, and nothing of whom it broke for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# In a process of its own: the SDK changes the interpreter that it is started in.
SCRIPT = """
import json, sys
import django
from django.conf import settings
django.setup()
import sentry_sdk
from sentry_sdk.transport import Transport

class Kept(Transport):
    events = []
    def capture_envelope(self, envelope):
        self.events += [item.payload.json for item in envelope.items if item.type == "event"]

sentry_sdk.get_client().transport = Kept({"dsn": settings.SENTRY_DSN})
from django.test import Client
import tests.test_pages as pages
from django.http import HttpRequest

def broken(request):
    password = "secret-local"
    raise ValueError("secret-message " + request.body.decode())

pages.urlpatterns[0] = django.urls.path("api/broken/", broken)
Client(raise_request_exception=False).post(
    "/api/broken/?q=secret-query", data='{"a": "secret-body"}', content_type="application/json",
    headers={"Authorization": "Bearer secret-token", "X-Request-ID": "request-0001"},
    REMOTE_ADDR="203.0.113.77",
)
json.dump(Kept.events, sys.stdout, default=str)
"""


@pytest.fixture(scope="module")
def events() -> list[dict[str, object]]:
    """What was sent for one exception in a view of the API."""
    pytest.importorskip("sentry_sdk", reason="requirements/extras.txt is not installed")
    done = subprocess.run(
        [sys.executable, "-c", f"import django.urls\n{SCRIPT}"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings_sentry"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_exception_is_sent_once_with_its_place_and_request_id(events) -> None:
    assert len(events) == 1
    (exception,) = events[0]["exception"]["values"]
    assert exception["type"] == "ValueError"
    assert exception["stacktrace"]["frames"]
    assert events[0]["tags"]["request_id"] == "request-0001"


def without_source(value: object) -> object:
    """`value` without the lines of code around each frame: those are ours, not anybody's."""
    if isinstance(value, dict):
        source = {"pre_context", "context_line", "post_context"}
        return {key: without_source(inner) for key, inner in value.items() if key not in source}
    return [without_source(inner) for inner in value] if isinstance(value, list) else value


def test_nothing_that_somebody_sent_goes_along(events) -> None:
    text = json.dumps(without_source(events))
    assert "secret" not in text
    assert "203.0.113.77" not in text


@pytest.mark.parametrize("part", ["user", "extra", "breadcrumbs", "server_name"])
def test_event_has_no(events, part: str) -> None:
    assert not events[0].get(part)
