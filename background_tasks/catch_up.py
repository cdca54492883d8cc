"""What the clock did not announce: made up for within a task's grace, else written down."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import F
from django.db.models.functions import Now

from background_tasks import incidents, ledger
from background_tasks.cron import instants
from background_tasks.models import TaskRun, TaskState
from background_tasks.schedule import Task

# The clock's own announcement comes first; this is for when it does not come.
PATIENCE = timedelta(seconds=2)
# How far back a process looks when it starts: one period of the rarest task, and a day.
HORIZON = timedelta(days=8)


def announce_missed(tasks: Sequence[Task], now: datetime) -> None:
    """Announce the instants of the last `grace` that nobody has, for each task that is on."""
    since = dict(TaskState.objects.values_list("task", "since"))
    wanted = {
        (task.name, instant)
        for task in tasks
        if task.enabled and task.name in since
        for instant in instants(
            task.cron, after=max(since[task.name], now - task.grace), until=now - PATIENCE
        )
    }
    if not wanted:
        return
    known = TaskRun.objects.filter(
        task__in={name for name, _ in wanted}, scheduled_for__gte=min(at for _, at in wanted)
    )
    missing = wanted - set(known.values_list("task", "scheduled_for"))
    for name in {name for name, _ in missing}:
        ledger.announce(name, sorted(at for task, at in missing if task == name))


def record_missed(tasks: Sequence[Task], now: datetime) -> None:
    """Write down the instants that passed with their grace while no process lived.

    Asked once when a process starts; sweeps are left out, their next instant makes up for all.
    """
    since = dict(TaskState.objects.values_list("task", "since"))
    for task in tasks:
        if task.frequent or not task.enabled:
            continue
        horizon = max(since[task.name], now - HORIZON)
        passed = set(instants(task.cron, after=horizon, until=now - task.grace))
        known = TaskRun.objects.filter(task=task.name, scheduled_for__gt=horizon)
        ledger.announce(
            task.name, sorted(passed - set(known.values_list("scheduled_for", flat=True)))
        )


def close_missed(tasks: Mapping[str, Task], now: datetime) -> None:
    """Mark scheduled runs as missed that nobody began within their grace."""
    waiting = TaskRun.objects.filter(
        task__in=list(tasks),
        state=TaskRun.State.QUEUED,
        trigger=TaskRun.Trigger.SCHEDULE,
        token=0,
        not_before=F("scheduled_for"),
    )
    for run in waiting:
        task = tasks[run.task]
        if run.scheduled_for < now - task.grace:
            _miss(task, run)


def _miss(task: Task, run: TaskRun) -> None:
    never_begun = TaskRun.objects.filter(pk=run.pk, state=TaskRun.State.QUEUED, token=0)
    closed = never_begun.update(state=TaskRun.State.MISSED, ended_at=Now(), error="Missed")
    if closed and not task.frequent:
        run.refresh_from_db()
        incidents.report_failure(task, run)
