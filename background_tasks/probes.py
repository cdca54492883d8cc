"""What readiness says of the tasks and of the backups; neither ever makes a process unready."""

from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from background_tasks.models import TaskState
from background_tasks.schedule import get_task
from background_tasks.selectors import last_backup
from common.health import Degraded, ProbeFailed

# A week, and a day for a backup that is made up for.
BACKUP_LIMIT = timedelta(days=8)


def probe_tasks() -> str:
    """How the tasks are doing; Degraded while one is failing."""
    try:
        failing = list(
            TaskState.objects.exclude(incident_since=None).values_list("task", flat=True)
        )
    except (DatabaseError, InterfaceError) as error:
        raise ProbeFailed("The ledger cannot be read.") from error
    if failing:
        raise Degraded(f"Failing: {', '.join(sorted(failing))}.")
    return "No task is failing."


def probe_backup() -> str:
    """The newest backup that a rehearsal restored; Degraded when there is none or it is old."""
    try:
        backup, since = last_backup(), _known_since()
    except (DatabaseError, InterfaceError) as error:
        raise ProbeFailed("The ledger cannot be read.") from error
    limit = timezone.now() - BACKUP_LIMIT
    if backup is not None and backup.ended_at is not None and backup.ended_at > limit:
        rows = backup.figures.get("verified_rows", 0)
        return f"{backup.ended_at:%Y-%m-%d}, {rows} rows restored as a rehearsal."
    # A new installation has a week to come to its first Sunday.
    if not get_task("backup").enabled or since is None or since > limit:
        return "None yet."
    raise Degraded("No whole backup for more than eight days.")


def _known_since() -> datetime | None:
    return TaskState.objects.filter(task="backup").values_list("since", flat=True).first()
