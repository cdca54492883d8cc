"""PostgreSQL restarts under a served product: clean refusals meanwhile, and nothing lost."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.postgres import Postgres, running_postgres
from tests.providers import served
from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.server import free_port

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery staple"
REFUNDS = (
    "# Refunds\n\nYou may return goods within 30 days of delivery. The buyer pays the postage."
)
QUESTION = {"content": "Within how many days may I return goods?"}
SAID = "You may return goods within 30 days of delivery. [1]"
CHAT = "POST /v1/chat/completions"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        server.psql("CREATE DATABASE product;")
        yield server


@pytest.fixture
def mistral() -> Iterator[MistralStandIn]:
    with served(MistralStandIn()) as app:
        yield app


@pytest.fixture
def product(postgres: Postgres, mistral: MistralStandIn, tmp_path: Path) -> Iterator[httpx.Client]:
    """A logged-in client of the product, served by a process of its own over PostgreSQL."""
    (tmp_path / "refunds.md").write_text(REFUNDS)
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "READ_DOT_ENV": "false",
        "DATABASE_URL": postgres.url("product"),
        "MISTRAL_API_KEY": "key",
        "MISTRAL_SERVER_URL": mistral.url,
        "RAG_EMBEDDER": "local",
        "RAG_DECLINE_BELOW": "0",
        "RAG_UNCERTAIN_BELOW": "0",
        "BACKGROUND_TASKS_AUTOSTART": "false",
        "DATABASE_POOL_TIMEOUT_SECONDS": "1",
        "BACKUP_DIR": str(tmp_path / "backups"),
    }
    for command in (["migrate", "-v0"], ["populate_documents", str(tmp_path)]):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
    with running_product(environment) as client:
        log_in(client)
        yield client


@contextmanager
def running_product(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of a server process, once it is live."""
    port = free_port()
    arguments = [sys.executable, "manage.py", "serve", "--only", "--port", str(port)]
    process = subprocess.Popen(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_until(lambda: process.poll() is None and is_live(client))
            yield client
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_live(client: httpx.Client) -> bool:
    """Whether the server answers."""
    try:
        return client.get("/health/live/").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(condition, *, seconds: float = 60) -> None:  # type: ignore[no-untyped-def]
    """Return once `condition()` holds; the seconds bound a failing test, nothing else."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def log_in(client: httpx.Client) -> None:
    """Make an account and send its token from now on."""
    name = f"person{time.time_ns()}"
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert client.post("/api/auth/register/", json=account).status_code == 201
    login = client.post("/api/auth/login/", json={"username": name, "password": PASSWORD})
    assert login.status_code == 200, login.text
    client.headers["Authorization"] = f"Bearer {login.json()['access']}"


def messages_of(client: httpx.Client, session: str) -> list[dict[str, object]]:
    """All messages of a session."""
    response = client.get(f"/api/chat/sessions/{session}/messages/")
    assert response.status_code == 200, response.text
    results: list[dict[str, object]] = response.json()["results"]
    return results


def test_restart_in_the_middle_of_an_answer_loses_nothing(product, postgres, mistral):
    session = product.post("/api/chat/messages/", json=QUESTION).json()["bot_message"]["session"]
    path = f"/api/chat/sessions/{session}/messages/"
    mistral.first_token_seconds = 1.0
    mistral.tokens_per_second = 5
    before = mistral.requests[CHAT]
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(product.post, path, json=QUESTION)
        wait_until(lambda: mistral.requests[CHAT] > before)
        postgres.stop()
        refused = [product.get(path), product.post(path, json=QUESTION)]
        wait_until(lambda: mistral.open_streams == 0)
        postgres.start()
        answered = asked.result(timeout=60)

    for response in refused:
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) > 0
        assert response.json()["code"] == "unavailable"
    assert answered.status_code == 201, answered.text
    assert answered.json()["bot_message"]["content"] == SAID
    stored = messages_of(product, session)
    assert [message["status"] for message in stored] == ["complete"] * 4
    assert stored[-1]["content"] == SAID


def test_pool_heals_by_itself(product, postgres):
    for _ in range(3):
        postgres.stop()
        assert product.get("/api/chat/sessions/").status_code == 503
        postgres.start()
        wait_until(lambda: product.get("/api/chat/sessions/").status_code == 200, seconds=20)
    assert product.post("/api/chat/messages/", json=QUESTION).status_code == 201


def test_readiness_tells_while_liveness_stays(product, postgres):
    assert product.get("/health/ready/").status_code == 200
    postgres.stop()
    wait_until(lambda: product.get("/health/ready/").status_code == 503)
    assert product.get("/health/live/").status_code == 200
    postgres.start()
    wait_until(lambda: product.get("/health/ready/").status_code == 200)
