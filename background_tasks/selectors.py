"""What is known about the tasks: for the API, the metrics and the probes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from background_tasks.cron import next_instant
from background_tasks.models import TaskRun, TaskState
from background_tasks.schedule import Task, get_schedule, get_task
from common.errors import NotFound
from common.metrics import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatus:
    """A row of the schedule with what came of it."""

    task: Task
    next_run_at: datetime | None
    last_run: TaskRun | None
    failing_since: datetime | None


def list_tasks() -> list[TaskStatus]:
    """Every task of the schedule, in its order; two queries and one for each task."""
    incidents = dict(TaskState.objects.values_list("task", "incident_since"))
    now = timezone.now()
    return [
        TaskStatus(
            task=task,
            next_run_at=next_instant(task.cron, now) if task.enabled else None,
            last_run=_last_run(task.name),
            failing_since=incidents.get(task.name),
        )
        for task in get_schedule()
    ]


def list_runs(name: str) -> QuerySet[TaskRun]:
    """The ledger of one task, the newest instant first. Raises TaskNotFound."""
    return TaskRun.objects.filter(task=get_task(name).name).order_by("-scheduled_for")


def get_run(name: str, run_id: UUID) -> TaskRun:
    """One run. Raises TaskNotFound, NotFound."""
    run = list_runs(name).filter(pk=run_id).first()
    if run is None:
        raise NotFound
    return run


def last_backup() -> TaskRun | None:
    """The newest backup that was written and then restored as a rehearsal."""
    runs = TaskRun.objects.filter(task="backup", state=TaskRun.State.SUCCEEDED, dry_run=False)
    return runs.order_by("-ended_at").first()


def measure_tasks() -> list[Measure]:
    """The tasks and the newest backup, for Prometheus."""
    now = timezone.now()
    measures = [measure for status in list_tasks() for measure in _measure(status, now)]
    backup = last_backup()
    if backup is not None and backup.ended_at is not None:
        age = (now - backup.ended_at).total_seconds()
        size = backup.figures.get("bytes", 0)
        measures += [
            Measure(
                name="docent_backup_age_seconds",
                help="Since the newest backup that a rehearsal restored.",
                value=age,
            ),
            Measure(name="docent_backup_bytes", help="Size of the newest backup.", value=size),
        ]
    return measures


def _measure(status: TaskStatus, now: datetime) -> list[Measure]:
    labels = {"task": status.task.name}
    measures = [
        Measure(
            name="docent_task_failing",
            help="Whether the task failed the last time it ran.",
            value=float(status.failing_since is not None),
            labels=labels,
        )
    ]
    run = status.last_run
    if run is not None and run.ended_at is not None and run.started_at is not None:
        measures += [
            Measure(
                name="docent_task_age_seconds",
                help="Since the task's last run ended.",
                value=(now - run.ended_at).total_seconds(),
                labels=labels,
            ),
            Measure(
                name="docent_task_seconds",
                help="How long the task's last run took.",
                value=(run.ended_at - run.started_at).total_seconds(),
                labels=labels,
            ),
        ]
    return measures


def _last_run(name: str) -> TaskRun | None:
    runs = TaskRun.objects.filter(task=name, dry_run=False)
    return runs.exclude(state=TaskRun.State.QUEUED).order_by("-scheduled_for").first()
