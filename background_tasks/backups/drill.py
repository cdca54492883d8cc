"""The rehearsal: a backup counts when it has been restored, elsewhere, row for row."""

import json
import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from background_tasks.errors import NotVerified

COPY_BYTES = 1_000_000
SECONDS = 3 * 3_600


def rehearse(name: str, work: Path) -> int:
    """Restore backup `name` into a new SQLite database under `work`; the rows that came back.

    Runs in a process of its own, which knows no other database. Raises NotVerified with its
    last words.
    """
    database = work / "rehearsal.sqlite3"
    told = subprocess.run(  # noqa: S603 (our own command, with a name of our own making)
        [sys.executable, "-m", "django", "restore_backup", _reachable(name), "--migrate", "--json"],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite:///{database}",
            "BACKUP_DIR": str(settings.BACKUP_DIR),
            "BACKUP_ENCRYPTION_KEY": settings.BACKUP_ENCRYPTION_KEY,
            "BACKGROUND_TASKS_AUTOSTART": "false",
            "USE_FAKE_REDIS": "true",
            # Production refuses several processes on SQLite; this is one, and serves nobody.
            "WEB_CONCURRENCY": "1",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if told.returncode:
        raise NotVerified(f"The rehearsal of {name} failed: {_last_line(told.stderr)}")
    rows: int = json.loads(told.stdout.splitlines()[-1])["rows"]
    return rows


def _reachable(name: str) -> str:
    # A file in BACKUP_DIR goes by its path, so that settings made in tests hold there too.
    file = Path(settings.BACKUP_DIR) / name
    return str(file) if file.is_file() else name


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
