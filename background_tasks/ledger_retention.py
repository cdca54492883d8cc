"""Keeps the ledger short: what has ended goes after a time, sweeps sooner."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from background_tasks.models import TaskRun
from background_tasks.schedule import SCHEDULE

BATCH_ROWS = 1_000


def purge_runs(
    *,
    before: datetime,
    sweeps_before: datetime,
    dry_run: bool = False,
    fence: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Delete runs that ended before `before`, and succeeded sweeps before `sweeps_before`."""
    sweeps = [task.name for task in SCHEDULE if task.frequent]
    quiet = Q(task__in=sweeps, state=TaskRun.State.SUCCEEDED, ended_at__lt=sweeps_before)
    old = TaskRun.objects.filter(Q(state__in=TaskRun.FINAL, ended_at__lt=before) | quiet)
    if dry_run:
        return {"runs": old.count()}
    deleted = 0
    while True:
        with transaction.atomic():
            fence()
            batch = list(old.order_by("pk").values_list("pk", flat=True)[:BATCH_ROWS])
            TaskRun.objects.filter(pk__in=batch).delete()
        deleted += len(batch)
        if len(batch) < BATCH_ROWS:
            return {"runs": deleted}
