"""Liveness, readiness and the page for people."""

from collections.abc import Iterator

import pytest
from django.test import Client

from common.health import Degraded, Dependency, ProbeFailed, reset_health


@pytest.fixture(autouse=True)
def _fresh_health() -> Iterator[None]:
    reset_health()
    yield
    reset_health()


class Probe:
    """Answers as it is told: "ok", "degraded" or "down"."""

    def __init__(self, answer: str = "ok") -> None:
        self.answer = answer

    def __call__(self) -> str:
        if self.answer == "down":
            raise ProbeFailed("It does not answer.")
        if self.answer == "degraded":
            raise Degraded("It limps.")
        return "fine"


def statuses(answers: str) -> list[str]:
    """What a dependency is after each of `answers`: o(k), w(eak), x (no answer)."""
    probe = Probe()
    dependency = Dependency("it", probe, needed=True)
    found = []
    for letter in answers:
        probe.answer = {"o": "ok", "w": "degraded", "x": "down"}[letter]
        found.append(dependency.check().status)
    return found


def test_one_failure_degrades_and_three_in_a_row_bring_down() -> None:
    assert statuses("oxxx") == ["ok", "degraded", "degraded", "down"]


def test_one_success_after_down_is_degraded_and_two_are_ok() -> None:
    assert statuses("oxxxoo")[-2:] == ["degraded", "ok"]


def test_flapping_never_reaches_down() -> None:
    assert "down" not in statuses("oxoxoxoxoxxo")


def test_failure_while_down_stays_down() -> None:
    assert statuses("oxxxox")[-1] == "degraded"
    assert statuses("oxxxx")[-1] == "down"


def test_dependency_that_never_answered_is_down_at_once_and_ok_at_once() -> None:
    assert statuses("xo") == ["down", "ok"]


def test_degraded_verdict_shows_while_it_lasts() -> None:
    assert statuses("owo") == ["ok", "degraded", "ok"]


def failing_probe() -> str:
    """A probe that finds nothing."""
    raise ProbeFailed("Nobody is there.")


def test_live_answers_without_the_database(client: Client) -> None:
    # No django_db mark: a query would fail the test.
    response = client.get("/health/live/")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_names_each_dependency(client: Client) -> None:
    body = client.get("/health/ready/").json()
    assert body["status"] == "ok"
    assert {"database", "redis"} <= set(body["dependencies"])


@pytest.mark.parametrize(
    ("needed", "status", "word"), [(True, 503, "down"), (False, 200, "degraded")]
)
def test_ready_is_503_only_for_what_is_needed(client, settings, needed, status, word) -> None:
    settings.HEALTH_CHECKS = {
        "oracle": {"PROBE": "tests.test_health.failing_probe", "NEEDED": needed}
    }
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["status"]) == (status, word)
    assert response.json()["dependencies"] == {"oracle": "down"}


def test_page_tells_people_what_is_down(client, settings) -> None:
    settings.HEALTH_CHECKS = {
        "oracle": {"PROBE": "tests.test_health.failing_probe", "NEEDED": True}
    }
    response = client.get("/health/")
    assert response.status_code == 503
    assert "Nobody is there." in response.content.decode()


def test_probes_that_come_fast_share_one_finding(client, settings, monkeypatch) -> None:
    settings.HEALTH_CHECKS = {"counted": {"PROBE": "tests.test_health.counted", "NEEDED": True}}
    counted.calls = 0
    monkeypatch.setattr("common.health.FRESH_SECONDS", 3_600.0)
    for _ in range(5):
        client.get("/health/ready/")
    assert counted.calls == 1


def counted() -> str:
    """A probe that counts its calls."""
    counted.calls += 1
    return "fine"


@pytest.mark.parametrize("path", ["/health/live/", "/health/ready/", "/health/"])
def test_probes_take_no_post(client: Client, path: str) -> None:
    response = client.post(path)
    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert response.headers["Allow"] == "GET, HEAD"


def test_redis_that_is_away_is_named(client, settings) -> None:
    from common.redis import get_redis

    settings.USE_FAKE_REDIS = False
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.HEALTH_CHECKS = {"redis": {"PROBE": "common.probes.probe_redis", "NEEDED": False}}
    get_redis.cache_clear()
    try:
        response = client.get("/health/ready/")
    finally:
        get_redis.cache_clear()
    assert response.json() == {"status": "degraded", "dependencies": {"redis": "down"}}
