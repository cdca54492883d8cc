"""The schedule: what runs when. Times are UTC, whatever zone the host is in.

`TASK_<NAME>` in the environment gives a task another time, or "off".
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.conf import settings

from background_tasks.cron import OFF
from background_tasks.errors import TaskNotFound

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Task:
    """A row of the schedule. A missed instant is made up for within `grace`."""

    name: str
    cron: str
    grace: timedelta
    summary: str
    # How often one instant is tried before it counts as failed for good.
    attempts: int = 3
    # Where the function is; by its name in `background_tasks.tasks` when nothing is said.
    path: str = ""

    @property
    def function(self) -> str:
        """The dotted path of what it calls."""
        return self.path or f"background_tasks.tasks.{self.name}"

    @property
    def enabled(self) -> bool:
        """Whether the clock starts it; an operator may start it by hand all the same."""
        return self.cron != OFF

    @property
    def frequent(self) -> bool:
        """A sweep: its next instant makes up for one that was missed or failed."""
        return self.attempts == 1


def sweep(name: str, cron: str, summary: str) -> Task:
    """A row for a sweep, which makes up for nothing but the last instants."""
    return Task(name, cron, MINUTE, summary, attempts=1)


# A table reads by its columns.
# fmt: off
SCHEDULE = (
    #    name               cron         grace      what it does
    Task("backup",          "0 1 * * 0", 24 * HOUR, "Write a backup, rehearse its restore, drop old ones"),  # noqa: E501
    Task("chat_cleanup",    "0 2 * * *", 12 * HOUR, "Delete messages past their days, and emptied sessions"),  # noqa: E501
    Task("token_cleanup",   "0 3 * * *", 12 * HOUR, "Delete expired verification, reset and login tokens"),  # noqa: E501
    Task("ledger_cleanup",  "0 4 * * *", 12 * HOUR, "Delete old rows of the tasks' ledger"),
    Task("activity_report", "0 8 * * *", 12 * HOUR, "Mail the day's figures to the admins"),

    #     name              cron               what it does
    sweep("idempotency",    "15 * * * *",      "Delete idempotency records past their hours"),
    sweep("ingestion",      "* * * * *",       "Take up documents whose worker died"),
    sweep("mail",           "* * * * *",       "Send mail that could not be sent at once"),
    sweep("outbox",         "* * * * *",       "Bring the indexes in step with the documents"),
    sweep("reconcile",      "45 * * * *",      "Compare an external vector store with the database"),  # noqa: E501
    sweep("stuck_answers",  "*/20 * * * * *",  "Mark answers failed whose worker died"),
)
# fmt: on


def get_schedule() -> tuple[Task, ...]:
    """The table with the environment's times (and "off") in place of its own."""
    times = settings.BACKGROUND_TASKS_TIMES
    return tuple(replace(task, cron=times.get(task.name, task.cron)) for task in SCHEDULE)


def get_task(name: str) -> Task:
    """The task of this name; TaskNotFound."""
    for task in get_schedule():
        if task.name == name:
            return task
    raise TaskNotFound
