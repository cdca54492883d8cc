"""What Prometheus gets, and who may ask."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError
from django.test import Client

from common.metrics import Measure
from tests.factories import make_document

ROOT = Path(__file__).resolve().parent.parent


pytestmark = pytest.mark.django_db


def oracle_measures() -> list[Measure]:
    """Two numbers of one family, as an app would read them from the database."""
    return [
        Measure(name="docent_oracle", help="Pending.", value=3, labels={"kind": kind})
        for kind in ("a", "b")
    ]


def test_scrape_counts_requests_by_route_and_never_by_path(client: Client) -> None:
    client.get("/api/nowhere/sensitive-token-123/")
    text = client.get("/metrics").content.decode()
    assert 'docent_requests_total{method="GET",route="unmatched",status="404"}' in text
    assert "sensitive-token-123" not in text


def test_scrape_reads_the_sources(client: Client, settings) -> None:
    settings.METRICS_SOURCES = ["tests.test_metrics.oracle_measures"]
    text = client.get("/metrics").content.decode()
    assert 'docent_oracle{kind="a"} 3.0\ndocent_oracle{kind="b"} 3.0\n' in text


def broken_measures() -> list[Measure]:
    """What a source does when the database is away."""
    raise OperationalError("gone")


def test_scrape_goes_on_without_the_database(client: Client, settings) -> None:
    settings.METRICS_SOURCES = [
        "tests.test_metrics.broken_measures",
        "tests.test_metrics.oracle_measures",
    ]
    response = client.get("/metrics")
    assert response.status_code == 200
    assert "docent_oracle" in response.content.decode()


def test_stranger_finds_no_metrics(client: Client, settings) -> None:
    settings.METRICS_TOKEN = "let-me-in"
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", "Bearer l\xe9t"])
def test_wrong_token_finds_no_metrics(client: Client, settings, given: str) -> None:
    settings.METRICS_TOKEN = "let-me-in"
    response = client.get("/metrics", REMOTE_ADDR="203.0.113.9", HTTP_AUTHORIZATION=given)
    assert response.status_code == 404


def test_empty_token_opens_nothing(client: Client, settings) -> None:
    settings.METRICS_TOKEN = ""
    response = client.get("/metrics", REMOTE_ADDR="203.0.113.9", HTTP_AUTHORIZATION="Bearer ")
    assert response.status_code == 404


def test_token_opens_the_metrics(client: Client, settings) -> None:
    settings.METRICS_TOKEN = "let-me-in"
    response = client.get(
        "/metrics", REMOTE_ADDR="203.0.113.9", HTTP_AUTHORIZATION="Bearer let-me-in"
    )
    assert response.status_code == 200


SCRIPT = """
import django, sys
django.setup()
from common import metrics
metrics.requests_total.labels("GET", "r", "200").inc(int(sys.argv[1]))
metrics.streams_open.inc(int(sys.argv[1]))
sys.stdout.write(metrics.render().decode())
"""


def test_scrape_of_one_process_adds_up_all_and_forgets_the_streams_of_the_dead(tmp_path) -> None:
    environment = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PYTHONPATH": str(ROOT),
    }
    texts = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT, count],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in ("3", "4")
    ]
    last = texts[-1]
    assert re.search(r'docent_requests_total{method="GET",route="r",status="200"} 7\.0', last)
    assert re.search(r"docent_streams_open 4\.0", last)


@pytest.mark.django_db(transaction=True)
def test_scrape_tells_of_answers_retrieval_and_documents(client: Client, user_api) -> None:
    make_document("# Herons\n\nThe grey heron nests in tall trees near water.\n", title="Herons")
    user_api.post("/api/chat/messages/", {"content": "Where does the grey heron nest?"})
    text = client.get("/metrics").content.decode()
    assert 'docent_answers_total{mode="extractive",status="complete"}' in text
    assert re.search(r"docent_retrieval_seconds_count [1-9]", text)
    assert 'docent_documents{status="ready"} 1.0' in text
    assert "docent_answers_stuck 0.0" in text
    assert "docent_streams_open 0.0" in text


def test_scrape_counts_refusals_by_scope(client: Client, settings) -> None:
    settings.THROTTLES = settings.THROTTLES | {"try": {"address": "1/m"}}
    for _ in range(2):
        client.get("/?q=anything")
    assert 'docent_throttled_total{scope="try"}' in client.get("/metrics").content.decode()
