"""`manage.py run_task NAME`: one background task, here and now."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from background_tasks.errors import TaskNotFound
from background_tasks.models import TaskRun
from background_tasks.runner import run_now
from background_tasks.schedule import get_schedule, get_task


class Command(BaseCommand):
    """Runs a task through the ledger and prints its figures."""

    help = "Run one background task now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """NAME and --dry-run."""
        names = ", ".join(task.name for task in get_schedule())
        parser.add_argument("name", help=f"one of: {names}")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, and do nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the outcome; CommandError (exit 1) when the task failed."""
        try:
            task = get_task(options["name"])
        except TaskNotFound as error:
            names = "\n".join(f"  {task.name:<16} {task.summary}" for task in get_schedule())
            raise CommandError(f"There is no task {options['name']!r}. Tasks:\n{names}") from error
        run = run_now(task, dry_run=options["dry_run"])
        figures = json.dumps(run.figures, indent=2, default=str)
        if run.state != TaskRun.State.SUCCEEDED:
            raise CommandError(f"{task.name} failed: {run.error}: {run.error_detail}")
        self.stdout.write(f"{task.name}{' (dry run)' if run.dry_run else ''}: done\n{figures}")
