"""The clock: APScheduler says when an instant has come, and nothing else.

What it says goes on a queue; the scheduler's own thread writes it into the ledger. So neither
a slow database nor a long task ever holds the clock up, and it may stop altogether (Redis
gone): the scheduler finds the instants that were not announced by itself, only later.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from django.conf import settings

from background_tasks.cron import parse_cron
from background_tasks.job_store import ANNOUNCE, JSONJobStore
from background_tasks.schedule import Task
from common.redis import RedisError

logger = logging.getLogger(__name__)

STORE_RETRY_SECONDS = 10

Listener = Callable[[str, Sequence[datetime]], None]


def announced(*, cron: str) -> None:
    """What a job is said to call; its executor passes the instants on instead."""


class AnnouncingExecutor(BaseExecutor):  # type: ignore[misc]
    """Hands a due job's instants to a listener, in place of running anything."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:
        """Never refuses: how many runs there may be at once is not the clock's to say."""
        self._do_submit_job(job, run_times)

    def _do_submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:
        self._listener(job.id, run_times)


class Clock:
    """An APScheduler that is kept alive and kept in step with the schedule."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._scheduler: Any = None
        self._store_down = False

    def keep(self, tasks: Sequence[Task]) -> None:
        """Start or restart it where it is not running, and put in the jobs that are missing."""
        try:
            if not self.alive():
                self._start()
            for task in tasks:
                self._register(task)
            self._store_down = False
        except RedisError as error:
            # Once an outage: the scheduler goes on by itself meanwhile.
            if not self._store_down:
                logger.warning("Redis is down, the clock goes on without: %s", error)
            self._store_down = True

    def alive(self) -> bool:
        """Whether its thread lives; APScheduler itself says "running" of a dead one too."""
        thread = getattr(self._scheduler, "_thread", None)
        return thread is not None and thread.is_alive()

    def stop(self) -> None:
        """End it; its jobs stay in the store."""
        if self._scheduler is not None and self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        self._scheduler = None

    def _start(self) -> None:
        if self._scheduler is not None:
            logger.error("The clock had stopped; it is started again")
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore() if settings.USE_FAKE_REDIS else JSONJobStore()},
            executors={"default": AnnouncingExecutor(self._listener)},
            jobstore_retry_interval=STORE_RETRY_SECONDS,
        )
        self._scheduler.start()

    def _register(self, task: Task) -> None:
        job = self._scheduler.get_job(task.name)
        if not task.enabled:
            if job is not None:
                self._scheduler.remove_job(task.name)
            return
        # Replacing a job that has not changed would forget an instant that it has not told yet.
        if job is not None and job.kwargs["cron"] == task.cron:
            return
        self._scheduler.add_job(
            ANNOUNCE,
            parse_cron(task.cron),
            id=task.name,
            name=task.name,
            kwargs={"cron": task.cron},
            misfire_grace_time=int(task.grace.total_seconds()),
            coalesce=False,
            replace_existing=True,
        )
