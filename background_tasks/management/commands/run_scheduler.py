"""`manage.py run_scheduler`: the background tasks in a process of their own."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from background_tasks.scheduler import Scheduler


class Command(BaseCommand):
    """Works off the schedule until it is told to stop (SIGTERM, SIGINT)."""

    help = "Run the background tasks alone. Any number of these may run at once."

    def handle(self, *args: Any, **options: Any) -> None:
        """Block until a signal comes; what runs then is given back or finished."""
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        scheduler = Scheduler()
        scheduler.start()
        self.stdout.write("The scheduler runs. Stop it with Ctrl-C.")
        ended.wait()
        self.stdout.write("Stopping.")
        scheduler.stop()
