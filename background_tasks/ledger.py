"""Who may run what: a run is announced, claimed, renewed and ended here, once each."""

import logging
import os
import socket
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from background_tasks.errors import LeaseLost, RunNotRetryable
from background_tasks.models import MAX_TAKEOVERS, TaskRun, TaskState
from background_tasks.schedule import Task

logger = logging.getLogger(__name__)

RETRY_SECONDS = 60
DETAIL_CHARS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that this process holds until `lease` runs out; `token` fences its writes."""

    run_id: uuid.UUID
    task: str
    scheduled_for: datetime
    dry_run: bool
    token: int


@cache
def _process_name(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{uuid.uuid4().hex[:8]}"


def process_name() -> str:
    """This process as the ledger names it: host, process id, and what tells it from a namesake."""
    return _process_name(os.getpid())


def announce(task: str, instants: list[datetime]) -> None:
    """Put scheduled instants into the ledger; those that stand there already stay as they are."""
    rows = [TaskRun(task=task, scheduled_for=at, not_before=at) for at in instants]
    TaskRun.objects.bulk_create(rows, ignore_conflicts=True)


def request_run(task: str, *, dry_run: bool = False, requested_by: Any = None) -> TaskRun:
    """A run asked for by hand, queued for whichever process takes it first."""
    now = timezone.now()
    return TaskRun.objects.create(
        task=task,
        scheduled_for=now,
        not_before=now,
        trigger=TaskRun.Trigger.MANUAL,
        dry_run=dry_run,
        requested_by=requested_by,
    )


def claim(run_id: uuid.UUID, *, lease: timedelta) -> Claim | None:
    """The run, now this process's; None when another was faster. One conditional UPDATE decides."""
    run = TaskRun.objects.filter(pk=run_id).first()
    if run is None:
        return None
    won = TaskRun.objects.due([run.task]).filter(pk=run_id, token=run.token)
    taken = won.update(
        state=TaskRun.State.RUNNING,
        token=run.token + 1,
        owner=process_name(),
        started_at=Coalesce("started_at", Now()),
        lease_until=Now() + lease,
    )
    if not taken:
        return None
    return Claim(
        run_id=run.pk,
        task=run.task,
        scheduled_for=run.scheduled_for,
        dry_run=run.dry_run,
        token=run.token + 1,
    )


def renew(held: Claim, *, lease: timedelta) -> bool:
    """Prolong the lease; False when it is no longer ours."""
    rows = TaskRun.objects.held(run_id=held.run_id, token=held.token)
    return rows.update(lease_until=Now() + lease) == 1


def check(held: Claim) -> None:
    """Raise LeaseLost unless the run is still ours.

    Inside a transaction the run's row stays locked until the commit: nobody can take the run
    over between this check and the writes that follow it.
    """
    rows = TaskRun.objects.held(run_id=held.run_id, token=held.token)
    if transaction.get_connection().in_atomic_block:
        rows = rows.select_for_update()
    if not rows.values_list("pk", flat=True).first():
        raise LeaseLost


def succeed(held: Claim, figures: dict[str, Any]) -> None:
    """The run is done. Raises LeaseLost when it is not ours any more."""
    _end(held, state=TaskRun.State.SUCCEEDED, figures=figures, error="", error_detail="")
    if not held.dry_run:
        TaskState.objects.close_incident(held.task)


def fail(held: Claim, task: Task, error: BaseException) -> bool:
    """The run failed: tried again later, or failed for good (then True). Raises LeaseLost.

    What was asked for by hand is not tried again behind its asker's back.
    """
    run = TaskRun.objects.held(run_id=held.run_id, token=held.token).first()
    if run is None:
        raise LeaseLost
    by_hand = run.trigger == TaskRun.Trigger.MANUAL
    final = by_hand or run.failures + 1 >= task.attempts
    texts = {
        "error": type(error).__name__,
        "error_detail": str(error)[:DETAIL_CHARS],
        "failures": run.failures + 1,
    }
    if final:
        _end(held, state=TaskRun.State.FAILED, **texts)
    else:
        wait = timedelta(seconds=RETRY_SECONDS * 2**run.failures)
        _write(held, state=TaskRun.State.QUEUED, not_before=Now() + wait, lease_until=None, **texts)
    return final


def release(held: Claim) -> None:
    """Give the run back unfinished; the next process takes it at once."""
    _write(held, state=TaskRun.State.QUEUED, not_before=Now(), lease_until=None)


def _end(held: Claim, **values: Any) -> None:
    _write(held, ended_at=Now(), lease_until=None, **values)


def _write(held: Claim, **values: Any) -> None:
    if not TaskRun.objects.held(run_id=held.run_id, token=held.token).update(**values):
        raise LeaseLost


def retry(run: TaskRun) -> None:
    """Queue a run that failed or was missed once more. Raises RunNotRetryable."""
    over = TaskRun.objects.filter(pk=run.pk, state__in=TaskRun.RETRYABLE)
    if not over.update(state=TaskRun.State.QUEUED, not_before=Now(), ended_at=None, failures=0):
        raise RunNotRetryable


def abandon(tasks: Collection[str]) -> list[TaskRun]:
    """End the runs of `tasks` that keep killing their process; returns them."""
    lost = Q(state=TaskRun.State.RUNNING, lease_until__lt=Now(), token__gte=MAX_TAKEOVERS)
    abandoned = []
    for run in TaskRun.objects.filter(lost, task__in=list(tasks)):
        ended = TaskRun.objects.filter(lost, pk=run.pk, token=run.token).update(
            state=TaskRun.State.FAILED, ended_at=Now(), lease_until=None, error="WorkerLost"
        )
        if ended:
            abandoned.append(run)
    return abandoned
