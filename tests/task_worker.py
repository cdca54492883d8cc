"""A worker process for the tests of exactly-once: `python -m tests.task_worker FOLDER`.

It works off the ledger with tasks that leave traces in FOLDER, until FOLDER/stop exists.
"""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

FIRST = datetime(2024, 9, 1, tzinfo=UTC)
INSTANTS = [FIRST + timedelta(seconds=second) for second in range(200)]


def trace(run, word: str) -> None:
    """Append a line that tells who did what."""
    write(f"{word} {os.getpid()} {run.scheduled_for.isoformat()}")


def write(text: str) -> None:
    """Append a line; one write, so that lines never mix."""
    line = f"{text}\n".encode()
    with open(Path(os.environ["TRACES"]) / "traces", "ab", buffering=0) as file:
        file.write(line)


def write_line(run) -> dict[str, int]:
    """A short task."""
    run.fence()
    trace(run, "done")
    return {"worker": os.getpid()}


def hang_once(run) -> dict[str, int]:
    """Hang where FOLDER/hang names nobody yet, so that the holder can be killed or stopped."""
    from django.db import transaction

    from background_tasks.errors import LeaseLost

    mark = Path(os.environ["TRACES"]) / "hung"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        trace(run, "done")
        return {"worker": os.getpid()}
    trace(run, "hung")
    while not (Path(os.environ["TRACES"]) / "go").exists():
        time.sleep(0.02)
    try:
        with transaction.atomic():
            run.fence()
            trace(run, "done")
    except LeaseLost:
        trace(run, "fenced")
        # As a task would that does not ask: what it returns must not reach the ledger either.
    return {"worker": os.getpid(), "stale": 1}


def main(folder: str) -> None:
    """Announce all instants, work until told to stop."""
    os.environ["TRACES"] = folder
    import django

    django.setup()
    from background_tasks import ledger
    from background_tasks.schedule import Task
    from background_tasks.scheduler import Scheduler

    century = timedelta(days=36_500)
    tasks = [
        Task(name, "off", century, "", path=f"tests.task_worker.{name}")
        for name in ("write_line", "hang_once")
    ]
    scheduler = Scheduler(tasks)
    if (Path(folder) / "announce").exists():
        ledger.announce("write_line", INSTANTS)
    scheduler.start()
    write(f"awake {os.getpid()}")
    while not (Path(folder) / "stop").exists():
        time.sleep(0.05)
    scheduler.stop()


if __name__ == "__main__":
    main(sys.argv[1])
