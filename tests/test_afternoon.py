"""An operator's afternoon: production settings, nginx with TLS, two processes, a scheduler.

While people ask, a process is killed and all are reloaded; then everything is restored into a new
database. No question may be lost or asked twice, and every answer must be there in the end.
"""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.server_process import (
    PASSWORD,
    REDIS,
    ROOT,
    environment,
    manage,
    postgresql_database,
    wait_for,
    workers_of,
)
from tests.stand_ins.mistral import MistralStandIn
from tests.stand_ins.server import serving
from tests.test_nginx import NGINX, Site

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(NGINX is None, reason="no nginx on this machine"),
]

PEOPLE = 4
PAGE = 100
# docs/operations.md, "Deploy"
GUIDE = ("check --deploy", "migrate --noinput", "collectstatic --noinput", "populate_documents")
ANSWER = "An access token lives fifteen minutes [1]."


class Person:
    """Somebody behind the proxy who does not give up until each question has its answer."""

    def __init__(self, site: Site, name: str) -> None:
        self.name = name
        self.http = httpx2.Client(
            base_url=f"https://127.0.0.1:{site.https}",
            headers={"host": "docent.example"},
            verify=False,
            timeout=20,
        )
        self.asked: list[str] = []
        self.retries = 0

    def register(self) -> None:
        """Open the account."""
        account = {"username": self.name, "password": PASSWORD, "email": f"{self.name}@example.com"}
        assert self.http.post("/api/auth/register/", json=account).status_code == 201

    def log_in(self) -> None:
        """Take a new access token."""
        login = {"username": self.name, "password": PASSWORD}
        answer = self.http.post("/api/auth/login/", json=login)
        assert answer.status_code == 200, answer.text
        self.http.headers["authorization"] = f"Bearer {answer.json()['access']}"

    def open_session(self) -> None:
        """Where all the questions go."""
        opened = self.http.post("/api/chat/sessions/", json={"title": "An afternoon"})
        self.session = opened.json()["id"]

    def ask_until(self, end: threading.Event) -> None:
        """One question after another."""
        while not end.is_set():
            self.ask(f"Question {len(self.asked)} of {self.name}: how long does a token live?")

    def ask(self, question: str) -> None:
        """Send it, and again under the same key whenever no answer comes."""
        self.asked.append(question)
        key = {"idempotency-key": str(uuid4())}
        for _ in range(200):
            try:
                sent = self.http.post(
                    f"/api/chat/sessions/{self.session}/messages/",
                    json={"content": question},
                    headers=key,
                )
            except httpx2.TransportError:
                sent = None
            if sent is not None and sent.status_code == 201:
                return
            assert sent is None or sent.status_code in (409, 429, 502, 503, 504), sent.text
            self.retries += 1
            time.sleep(0.2)
        pytest.fail(f"{question} was never answered.")

    def answers(self) -> dict[str, dict[str, Any]]:
        """The answer to each question of the history; no question stands there twice."""
        messages: list[dict[str, Any]] = []
        path = f"/api/chat/sessions/{self.session}/messages/"
        while True:
            page = self.http.get(
                path, params={"page_size": PAGE, "page": 1 + len(messages) // PAGE}
            ).json()
            messages += page["results"]
            if page["next"] is None:
                break
        found = {
            question["content"]: answer
            for question, answer in zip(messages[::2], messages[1::2], strict=True)
        }
        assert len(found) * 2 == len(messages)
        return found

    def is_answered(self) -> bool:
        """Whether no answer is being written any more; what broke off is begun again."""
        states = set()
        for answer in self.answers().values():
            if answer["status"] == "failed":
                path = f"/api/chat/messages/{answer['id']}/regenerate/"
                assert self.http.post(path, json={}).status_code == 201
            states.add(answer["status"])
        return states == {"complete"}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[tuple[Site, dict[str, str]]]:
    """nginx, a provider, PostgreSQL and Redis, set up by the guide's commands."""
    provider = MistralStandIn()
    provider.replies = [ANSWER] * 100_000
    provider.tokens_per_second = 20.0
    with ExitStack() as stack:
        database = stack.enter_context(postgresql_database(f"afternoon_{secrets.token_hex(4)}"))
        site = Site(tmp_path)
        site.write()
        values = production(
            database, site, tmp_path, provider=stack.enter_context(serving(provider))
        )
        for command in GUIDE:
            manage(values, *command.split())
        stack.enter_context(running(*site.command()))
        yield site, values


def production(database: str, site: Site, folder: Path, *, provider: str) -> dict[str, str]:
    """/etc/docent/env, and a certificate that nobody has signed."""
    return environment(
        DJANGO_SETTINGS_MODULE="config.settings.production",
        DATABASE_URL=database,
        REDIS_URL=REDIS,
        REDIS_PREFIX=f"docent-afternoon-{os.getpid()}:",
        ALLOWED_HOSTS="docent.example",
        PUBLIC_URL="https://docent.example",
        TRUSTED_PROXIES="1",
        WEB_CONCURRENCY="2",
        BACKUP_DIR=str(folder / "backups"),
        PROMETHEUS_MULTIPROC_DIR=str(folder / "metrics"),
        STATIC_ROOT=str(folder / "static"),
        EMAIL_HOST="127.0.0.1",
        EMAIL_VERIFICATION="optional",
        MISTRAL_API_KEY="key",
        MISTRAL_SERVER_URL=provider,
        RAG_REWRITE_SECONDS="0",
        CHAT_STUCK_SECONDS="8",
        PORT=str(site.upstream),
    )


@contextmanager
def running(
    *command: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended with the block."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def serving_docent(site: Site, values: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Two web processes and the scheduler, ready behind the proxy."""
    manage_py = (sys.executable, "manage.py")
    with (
        running(*manage_py, "serve", "--only", environment=values) as web,
        running(*manage_py, "run_scheduler", environment=values),
    ):
        visitor = Person(site, "visitor")
        wait_for(lambda: visitor.http.get("/health/ready/").status_code == 200)
        wait_for(lambda: len(workers_of(web.pid)) == 2)
        yield web


@contextmanager
def asking(people: list[Person]) -> Iterator[None]:
    """All of them ask until the block ends, and get the answer to what they asked last."""
    end = threading.Event()
    with ThreadPoolExecutor(len(people)) as threads:
        working = [threads.submit(person.ask_until, end) for person in people]
        try:
            yield
        finally:
            end.set()
        for work in working:
            work.result()


def questions_since(people: list[Person], before: int) -> bool:
    """Whether each of them has asked three more by now."""
    return all(len(person.asked) > before + 3 for person in people)


def test_no_answer_is_lost_in_an_afternoon(
    installation: tuple[Site, dict[str, str]], tmp_path: Path
) -> None:
    site, values = installation
    people = [Person(site, f"person{number}") for number in range(PEOPLE)]
    with serving_docent(site, values) as web:
        for person in people:
            person.register()
            person.log_in()
            person.open_session()
        with asking(people):
            wait_for(lambda: questions_since(people, 0))
            victim = min(workers_of(web.pid))
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: len(workers_of(web.pid)) == 2 and victim not in workers_of(web.pid))
            before, asked = workers_of(web.pid), max(len(person.asked) for person in people)
            web.send_signal(signal.SIGHUP)
            wait_for(lambda: len(workers_of(web.pid)) == 2 and not workers_of(web.pid) & before)
            wait_for(lambda: questions_since(people, asked))
        wait_for(lambda: all(person.is_answered() for person in people))
        history = [person.answers() for person in people]
        manage(values, "run_task", "backup")
    assert [set(answers) for answers in history] == [set(person.asked) for person in people]
    others = [a for answers in history for a in answers.values() if a["content"] != ANSWER]
    assert others == []
    (backup,) = (tmp_path / "backups").glob("*.gz")
    with postgresql_database(f"restored_{secrets.token_hex(4)}") as fresh:
        restored = {**values, "DATABASE_URL": fresh}
        manage(restored, "restore_backup", str(backup))
        with serving_docent(site, restored):
            for person, answers in zip(people, history, strict=True):
                person.log_in()
                assert person.answers() == answers
                person.ask("And after the restore?")
