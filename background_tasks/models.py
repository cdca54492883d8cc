"""The ledger: every run of every task, and what is remembered about a task between its runs."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.identifiers import new_id

# A run that took its holder's process down with it this often is not tried again by itself.
MAX_TAKEOVERS = 5


class TaskRunQuerySet(models.QuerySet["TaskRun"]):
    """The rules over many runs. Leases are measured by the database's clock, which is one."""

    def due(self, tasks: Collection[str]) -> Self:
        """Runs of `tasks` that anybody may claim: queued and ripe, or their holder's lease out."""
        ripe = Q(state=TaskRun.State.QUEUED, not_before__lte=Now())
        orphaned = Q(state=TaskRun.State.RUNNING, lease_until__lt=Now(), token__lt=MAX_TAKEOVERS)
        return self.filter(ripe | orphaned, task__in=tasks)

    def held(self, *, run_id: Any, token: int) -> Self:
        """The run, if the holder with this fencing token still has it."""
        return self.filter(pk=run_id, token=token, state=TaskRun.State.RUNNING)

    def finished_before(self, instant: datetime) -> Self:
        """Runs that ended for good before `instant`."""
        return self.filter(state__in=TaskRun.FINAL, ended_at__lt=instant)

    def between(self, after: datetime, until: datetime) -> Self:
        """Runs that ended in `(after, until]`, rehearsals left out."""
        return self.filter(ended_at__gt=after, ended_at__lte=until, dry_run=False)


class TaskRun(models.Model):
    """One run of a task: unique on (task, scheduled instant), held by a lease, fenced by a token.

    The token grows with every claim. Whoever writes names the token it claimed with, so that a
    worker that slept through its lease and was taken over cannot write any more.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        MISSED = "missed"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule"
        MANUAL = "manual"

    RETRYABLE: ClassVar[tuple[str, ...]] = (State.FAILED, State.MISSED)
    FINAL: ClassVar[tuple[str, ...]] = (State.SUCCEEDED, *RETRYABLE)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    task = models.CharField(max_length=64)
    scheduled_for = models.DateTimeField()
    trigger = models.CharField(max_length=16, choices=Trigger, default=Trigger.SCHEDULE)
    dry_run = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    token = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    figures = models.JSONField(default=dict, blank=True)
    error = models.CharField(max_length=200, blank=True)
    error_detail = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = TaskRunQuerySet.as_manager()

    class Meta:
        ordering = ("-scheduled_for",)
        constraints = (
            models.UniqueConstraint(fields=("task", "scheduled_for"), name="one_run_an_instant"),
        )
        indexes = (
            models.Index(
                fields=("state", "task"),
                condition=Q(state__in=("queued", "running")),
                name="task_runs_open",
            ),
            models.Index(fields=("ended_at",), name="task_runs_ended"),
        )

    def __str__(self) -> str:
        return f"{self.task} at {self.scheduled_for:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def host(self) -> str:
        """The machine that the run's last holder ran on."""
        return self.owner.partition(":")[0]

    @property
    def duration(self) -> timedelta | None:
        """From the first start to the end."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at

    @property
    def retryable(self) -> bool:
        """Whether the run is over without having succeeded."""
        return self.state in self.RETRYABLE


class TaskStateQuerySet(models.QuerySet["TaskState"]):
    """The rules of incidents: one opens with the first failure and closes with a success."""

    def open_incident(self, task: str, run: TaskRun) -> None:
        """A failure happened: the task is in an incident from now on, if it was not already."""
        self.filter(task=task, incident_since=None).update(
            incident_since=Now(), incident_run=run, notified_at=None
        )
        self.filter(task=task).update(failures_in_a_row=F("failures_in_a_row") + 1)

    def close_incident(self, task: str) -> None:
        """A success happened: the next failure is a new incident."""
        self.filter(task=task).exclude(incident_since=None, failures_in_a_row=0).update(
            incident_since=None, incident_run=None, notified_at=None, failures_in_a_row=0
        )

    def take_notice(self, task: str) -> bool:
        """Whether it falls to the caller, and to no other process, to mail about the incident."""
        pending = self.filter(task=task, notified_at=None).exclude(incident_since=None)
        return pending.update(notified_at=Now()) == 1

    def give_back_notice(self, task: str) -> None:
        """The mail could not be sent: the next failure tries again."""
        self.filter(task=task).update(notified_at=None)


class TaskState(models.Model):
    """What is known of a task between runs: since when its cron holds, and its open incident."""

    task = models.CharField(primary_key=True, max_length=64)
    cron = models.CharField(max_length=120)
    # Instants before this were never due: a new task or a new time makes up for nothing.
    since = models.DateTimeField()
    incident_since = models.DateTimeField(null=True, blank=True)
    incident_run = models.ForeignKey(
        TaskRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    notified_at = models.DateTimeField(null=True, blank=True)
    failures_in_a_row = models.PositiveIntegerField(default=0)

    objects = TaskStateQuerySet.as_manager()

    def __str__(self) -> str:
        return self.task
