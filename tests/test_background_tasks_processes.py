"""Exactly once, with real processes that are killed and stopped, on both databases."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent
LEASE_SECONDS = 4
PATIENCE_SECONDS = 90
POSTGRES = os.environ.get("DATABASE_URL", "")


class Workers:
    """Worker processes over one database, the traces that they leave, and the ledger."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, count: int = 1) -> None:
        for _ in range(count):
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.task_worker", str(self.folder)],
                    cwd=ROOT,
                    env=self.environment(),
                )
            )

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": self.database_url,
            "USE_FAKE_REDIS": "true",
            "BACKGROUND_TASKS_LEASE_SECONDS": str(LEASE_SECONDS),
        }

    def manage(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(),
            check=True,
            capture_output=True,
        )

    def traces(self, word: str) -> list[list[str]]:
        file = self.folder / "traces"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split() for line in lines if line.startswith(word)]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if self.database_url.startswith("sqlite"):
            path = self.database_url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(self.database_url) as postgres:
            cursor = postgres.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, met: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if value := met():
                return value
            time.sleep(0.05)
        pytest.fail("The workers did not get there.")

    def stop(self) -> None:
        (self.folder / "stop").touch()
        for process in self.processes:
            process.wait(timeout=30)

    def announce(self, task: str) -> None:
        self.query(
            "INSERT INTO background_tasks_taskrun (id, task, scheduled_for, trigger, dry_run,"
            " state, token, failures, not_before, owner, figures, error, error_detail) VALUES"
            f" ('0190163d8694739bafea146ee3f4a7e1', '{task}', '2024-09-01 00:00:00+00:00',"
            " 'schedule', false, 'queued', 0, 0, '2024-09-01 00:00:00', '', '{}', '', '')"
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request, tmp_path_factory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'db.sqlite3'}"
        return
    if not POSTGRES.startswith("postgres"):
        pytest.skip("DATABASE_URL names no PostgreSQL")
    name = f"task_workers_{os.getpid()}"
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"{POSTGRES.rsplit('/', 1)[0]}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def migrated(database_url, tmp_path_factory) -> str:
    Workers(tmp_path_factory.mktemp("migrate"), database_url).manage("migrate", "-v0")
    return database_url


@pytest.fixture
def workers(migrated, tmp_path) -> Iterator[Workers]:
    workers = Workers(tmp_path, migrated)
    workers.query("DELETE FROM background_tasks_taskrun")
    yield workers
    for process in workers.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def moment(value: Any) -> datetime:
    return datetime.fromisoformat(str(value)).replace(tzinfo=None)


def test_four_processes_give_two_hundred_runs_for_two_hundred_instants(workers):
    (workers.folder / "announce").touch()

    workers.start(4)
    finished = "SELECT count(*) FROM background_tasks_taskrun WHERE state = 'succeeded'"
    workers.wait_for(lambda: workers.query(finished)[0][0] == 200)
    workers.stop()

    done = Counter(instant for _, _, instant in workers.traces("done"))
    assert len(done) == 200
    assert set(done.values()) == {1}
    assert workers.query("SELECT count(*), max(token) FROM background_tasks_taskrun") == [(200, 1)]
    assert len({worker for _, worker, _ in workers.traces("done")}) > 1


def test_a_killed_holder_is_taken_over_within_two_leases(workers):
    workers.announce("hang_once")
    workers.start()
    workers.wait_for(lambda: workers.traces("hung"))
    workers.start()
    # How long a process takes to start is not what is asked here.
    workers.wait_for(lambda: len(workers.traces("awake")) == 2)

    workers.processes[0].send_signal(signal.SIGKILL)
    killed = workers.query("SELECT max(lease_until) FROM background_tasks_taskrun")[0][0]
    workers.wait_for(lambda: workers.traces("done"))
    workers.stop()

    rows = workers.query("SELECT state, token, ended_at FROM background_tasks_taskrun")
    [(state, token, ended)] = rows
    assert (state, token) == ("succeeded", 2)
    # The lease was renewed at most a lease before it ran out: two leases after the kill at most.
    assert (moment(ended) - moment(killed)).total_seconds() <= LEASE_SECONDS


def test_a_stale_worker_that_wakes_up_cannot_write(workers):
    workers.announce("hang_once")
    workers.start()
    workers.wait_for(lambda: workers.traces("hung"))
    workers.processes[0].send_signal(signal.SIGSTOP)
    workers.start()
    workers.wait_for(lambda: workers.traces("done"))

    (workers.folder / "go").touch()
    workers.processes[0].send_signal(signal.SIGCONT)
    workers.wait_for(lambda: workers.traces("fenced"))
    workers.stop()

    assert len(workers.traces("done")) == 1
    [(state, token, figures)] = workers.query(
        "SELECT state, token, figures FROM background_tasks_taskrun"
    )
    assert (state, token) == ("succeeded", 2)
    assert "stale" not in str(figures)
