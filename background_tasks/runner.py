"""Runs one claimed run: the task's function, its fence, and what the ledger is told after."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from background_tasks import incidents, ledger
from background_tasks.errors import LeaseLost, RunStopped
from background_tasks.models import TaskRun
from background_tasks.schedule import Task

logger = logging.getLogger(__name__)

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a task is told: for which instant it runs, whether for real, and its fence."""

    claim: ledger.Claim
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def scheduled_for(self) -> datetime:
        """The instant that the run stands for; limits are counted from it, not from the clock."""
        return self.claim.scheduled_for

    @property
    def dry_run(self) -> bool:
        """Whether to say what would be done and do nothing."""
        return self.claim.dry_run

    def fence(self) -> None:
        """Call it before each batch of writes, inside the batch's transaction.

        Raises LeaseLost when the run is another worker's by now, RunStopped at a shutdown.
        """
        if self.stopping.is_set():
            raise RunStopped
        ledger.check(self.claim)


def lease_time() -> timedelta:
    """How long a run is held without a sign of life."""
    return timedelta(seconds=settings.BACKGROUND_TASKS_LEASE_SECONDS)


def execute(task: Task, run: Run) -> None:
    """Run the task and write down how it ended; nothing it raises gets out of here."""
    # Sweeps run all day long; their lines would bury the others.
    level = logging.DEBUG if task.frequent else logging.INFO
    logger.log(level, "Task %s for %s begins", task.name, run.scheduled_for.isoformat())
    try:
        function: Callable[[Run], Figures] = import_string(task.function)
        ledger.succeed(run.claim, function(run))
        logger.log(level, "Task %s for %s is done", task.name, run.scheduled_for.isoformat())
    except LeaseLost:
        logger.warning("Task %s for %s was taken over", task.name, run.scheduled_for.isoformat())
    except RunStopped:
        _give_back(run)
    except Exception as error:  # noqa: BLE001 (whatever a task raises, the ledger records it)
        _record_failure(task, run, error)


def _give_back(run: Run) -> None:
    try:
        ledger.release(run.claim)
    except LeaseLost:
        logger.warning("Task %s was taken over while it stopped", run.claim.task)


def _record_failure(task: Task, run: Run, error: Exception) -> None:
    logger.error("Task %s failed", task.name, exc_info=error)
    try:
        ledger.fail(run.claim, task, error)
    except LeaseLost:
        logger.warning("Task %s failed after it was taken over", task.name)
        return
    if not run.dry_run:
        incidents.report_failure(task, TaskRun.objects.get(pk=run.claim.run_id))


def run_now(task: Task, *, dry_run: bool = False, requested_by: Any = None) -> TaskRun:
    """Run the task here and now, with its lease kept alive, and return its row of the ledger."""
    row = ledger.request_run(task.name, dry_run=dry_run, requested_by=requested_by)
    held = ledger.claim(row.pk, lease=lease_time())
    if held is not None:
        with keep_alive(held):
            execute(task, Run(claim=held))
    row.refresh_from_db()
    return row


class keep_alive:  # noqa: N801 (used as a function: `with keep_alive(held):`)
    """Renews a claim from a thread of its own for as long as the block runs."""

    def __init__(self, held: ledger.Claim) -> None:
        self._held = held
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="task-lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        from django.db import Error, connection

        lease = lease_time()
        while not self._done.wait(lease.total_seconds() / 3):
            try:
                if not ledger.renew(self._held, lease=lease):
                    return
            except Error:
                logger.warning("The lease of task %s could not be renewed", self._held.task)
            finally:
                connection.close()
