"""Backups between real databases: from one engine to the other and back, and under writes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from background_tasks.backups.restore import check_backup

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = os.environ.get("DATABASE_URL", "")
QUESTIONS = ["How long are messages kept?", "Who was Napoleon?"]
# A restore gives the index another epoch: that row, and no other, is not the archive's.
RENEWED = {"rag.indexcounter"}


class Installation:
    """One database with its backups, worked by commands in processes of their own."""

    def __init__(self, url: str, backups: Path) -> None:
        self.url = url
        self.backups = backups

    def run(self, *arguments: str, **options: Any) -> str:
        told = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert told.returncode == 0, told.stderr
        return told.stdout

    def manage(self, *arguments: str) -> str:
        return self.run("manage.py", *arguments)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": self.url,
            "BACKUP_DIR": str(self.backups),
            "USE_FAKE_REDIS": "true",
            "REDIS_URL": "",
        }

    def back_up(self) -> Path:
        self.manage("run_task", "backup")
        return max(self.backups.glob("*.tar.gz"))

    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(self.manage("ask", "--json", question)) for question in QUESTIONS]


@pytest.fixture
def make_installation(tmp_path) -> Iterator[Any]:
    made: list[str] = []

    def make(engine: str) -> Installation:
        number = len(made)
        backups = tmp_path / f"backups{number}"
        if engine == "sqlite":
            made.append("")
            url = f"sqlite:///{tmp_path / f'db{number}.sqlite3'}"
        else:
            name = f"restore_{os.getpid()}_{number}"
            made.append(name)
            with psycopg.connect(POSTGRES, autocommit=True) as server:
                server.execute(f"CREATE DATABASE {name}")
            url = f"{POSTGRES.rsplit('/', 1)[0]}/{name}"
        installation = Installation(url, backups)
        installation.manage("migrate", "-v0")
        return installation

    yield make
    for name in filter(None, made):
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


NEEDS_POSTGRES = pytest.mark.skipif(
    not POSTGRES.startswith("postgres"), reason="DATABASE_URL names no PostgreSQL"
)
ENGINES = ["sqlite", pytest.param("postgresql", marks=NEEDS_POSTGRES)]


def digests(backup: Path) -> dict[str, tuple[int, str]]:
    tables = check_backup(str(backup)).tables
    return {
        table.model: (table.rows, table.sha256) for table in tables if table.model not in RENEWED
    }


def without_times(answer: Any) -> Any:
    """An answer without what no two answers share."""
    if isinstance(answer, dict):
        return {k: without_times(v) for k, v in answer.items() if not k.startswith("timings")}
    return [without_times(item) for item in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize("engine", ENGINES)
def test_there_and_back_the_rows_and_the_answers_are_the_same(make_installation, engine):
    origin, target, back = (make_installation(name) for name in ("sqlite", engine, "sqlite"))
    origin.manage("populate_documents", "documents/policies")
    origin.run("-m", "tests.awkward_rows")
    backup = origin.back_up()

    target.manage("restore_backup", str(backup))
    returned = target.back_up()
    back.manage("restore_backup", str(returned))

    assert digests(returned) == digests(backup)
    assert digests(backup)["chat.chatmessage"][0] > 0
    # Answers rest on the lexical index too, whose scores are each engine's own.
    assert without_times(back.answers()) == without_times(origin.answers())
    assert [a["answer"] for a in target.answers()][-1] == origin.answers()[-1]["answer"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_backup_under_writes_is_one_moment(make_installation, engine, tmp_path):
    installation = make_installation(engine)
    stop = tmp_path / "stop"
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.awkward_rows", str(stop)],
            cwd=ROOT,
            env=installation.environment(),
        )
        for _ in range(2)
    ]
    try:
        backups = [installation.back_up() for _ in range(2)]
    finally:
        stop.touch()
        for writer in writers:
            assert writer.wait(timeout=60) == 0

    counts = [
        {table.model: table.rows for table in check_backup(str(backup)).tables}
        for backup in backups
    ]
    for rows in counts:
        # Each session was committed with its two messages, and never is there without them.
        assert rows["chat.chatmessage"] == 2 * rows["chat.chatsession"]
    assert counts[0]["chat.chatsession"] < counts[-1]["chat.chatsession"]
