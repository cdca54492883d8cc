"""Says at start what is wrong with the times that the environment gives."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from background_tasks.cron import parse_cron
from background_tasks.errors import InvalidCron
from background_tasks.schedule import SCHEDULE, get_schedule


@register()
def check_schedule(**kwargs: Any) -> list[CheckMessage]:
    """Errors for a TASK_ variable that names no task, and for a time that is none."""
    names = {task.name for task in SCHEDULE}
    problems: list[CheckMessage] = [
        Error(
            f"TASK_{name.upper()} names no task.",
            hint=f"Tasks: {', '.join(sorted(names))}.",
            id="background_tasks.E001",
        )
        for name in settings.BACKGROUND_TASKS_TIMES
        if name not in names
    ]
    for task in get_schedule():
        try:
            if task.enabled:
                parse_cron(task.cron)
        except InvalidCron as error:
            problems.append(Error(f"TASK_{task.name.upper()}: {error}", id="background_tasks.E002"))
    return problems
