"""Tells the admins of a failure: once an incident, whatever is tried again meanwhile."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import mail_admins
from django.utils import timezone

from background_tasks.models import TaskRun, TaskState
from background_tasks.schedule import Task

logger = logging.getLogger(__name__)

BODY = """The task "{task}" {what}.

  What it does     {summary}
  Scheduled for    {scheduled_for:%Y-%m-%d %H:%M:%S} UTC
  Error            {error}
  What happens now {next}

No further mail comes about this until the task has succeeded again.
Every run stands in the ledger: {url}
"""


def remember(task: Task) -> TaskState:
    """The task's row of state; made, or begun anew when its cron has changed."""
    now = timezone.now()
    state, _ = TaskState.objects.get_or_create(
        task=task.name, defaults={"cron": task.cron, "since": now}
    )
    if state.cron != task.cron:
        TaskState.objects.filter(task=task.name, cron=state.cron).update(cron=task.cron, since=now)
        state.refresh_from_db()
    return state


def report_failure(task: Task, run: TaskRun) -> None:
    """Open an incident, or add to the open one; mail when nobody has yet."""
    remember(task)
    TaskState.objects.open_incident(task.name, run)
    if not TaskState.objects.take_notice(task.name):
        return
    try:
        what = "was missed" if run.state == TaskRun.State.MISSED else "failed"
        mail_admins(f"Task {task.name} {what}", _describe(task, run, what))
    except (SMTPException, OSError):
        logger.exception("The admins could not be told that task %s failed", task.name)
        TaskState.objects.give_back_notice(task.name)


def _describe(task: Task, run: TaskRun, what: str) -> str:
    again = run.state == TaskRun.State.QUEUED
    return BODY.format(
        task=task.name,
        what=f"{what} on {run.host}" if run.host else what,
        summary=task.summary,
        scheduled_for=run.scheduled_for,
        error=": ".join(filter(None, (run.error, run.error_detail))),
        next=f"tried again at {run.not_before:%H:%M:%S} UTC" if again else "the next scheduled run",
        url=f"{settings.PUBLIC_URL}/admin/background_tasks/taskrun/{run.pk}/change/",
    )
