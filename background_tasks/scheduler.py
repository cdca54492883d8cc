"""The scheduler of a process: claims what is due, runs it, keeps its leases and its clock.

Any number of processes may run one. None is special: the ledger decides who runs what.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from background_tasks import incidents, ledger
from background_tasks.catch_up import announce_missed, close_missed, record_missed
from background_tasks.clock import Clock
from background_tasks.models import TaskRun
from background_tasks.runner import Run, execute, lease_time
from background_tasks.schedule import Task, get_schedule

logger = logging.getLogger(__name__)


class Scheduler:
    """Works off a schedule in threads of its own, until it is stopped."""

    def __init__(self, tasks: Sequence[Task] | None = None) -> None:
        self._tasks = {task.name: task for task in (get_schedule() if tasks is None else tasks)}
        self._announced: queue.SimpleQueue[tuple[str, Sequence[datetime]]] = queue.SimpleQueue()
        self._clock = Clock(self._hear)
        self._held: dict[ledger.Claim, threading.Thread] = {}
        self._lock = threading.Lock()
        self._pause = lease_time().total_seconds() / 6
        self._next_round = 0.0
        self._remembered = False
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="task-scheduler", daemon=True)

    def start(self) -> None:
        """Begin; returns at once, the database is first asked in the scheduler's own thread."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing new, and wait SHUTDOWN_GRACE_SECONDS for what runs to reach a fence.

        A run that does not is taken over by another process when its lease runs out.
        """
        self._stopping.set()
        self._awake.set()
        deadline = time.monotonic() + settings.SHUTDOWN_GRACE_SECONDS
        for thread in (self._thread, *list(self._held.values())):
            thread.join(max(0.0, deadline - time.monotonic()))

    def wake(self) -> None:
        """Look for due runs now instead of at the next tick."""
        self._awake.set()

    def alive(self) -> bool:
        """Whether its thread lives."""
        return self._thread.is_alive()

    def _hear(self, task: str, instants: Sequence[datetime]) -> None:
        self._announced.put((task, instants))
        self._awake.set()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._tick()
            except Error as error:
                # Not migrated yet, or the database is away: the next tick finds what was missed.
                logger.warning("The scheduler has no database: %s", str(error).strip())
            except Exception:
                # The last line of defence: a bug in one tick must not end all scheduled work.
                logger.exception("A tick of the scheduler failed")
            finally:
                connection.close()
            self._awake.wait(self._pause)
            self._awake.clear()
        self._clock.stop()

    def _tick(self) -> None:
        self._renew()
        self._write_announced()
        if time.monotonic() >= self._next_round:
            self._make_round()
            self._next_round = time.monotonic() + self._pause
        self._claim_due()

    def _make_round(self) -> None:
        tasks = list(self._tasks.values())
        if not self._remembered:
            for task in tasks:
                incidents.remember(task)
            record_missed(tasks, timezone.now())
            self._remembered = True
        self._clock.keep(tasks)
        announce_missed(tasks, timezone.now())
        close_missed(self._tasks, timezone.now())
        for run in ledger.abandon(self._tasks):
            incidents.report_failure(self._tasks[run.task], run)

    def _renew(self) -> None:
        # One that is lost, or done just now, is not ours to renew: its own thread says which.
        for held in list(self._held):
            ledger.renew(held, lease=lease_time())

    def _write_announced(self) -> None:
        while not self._announced.empty():
            name, instants = self._announced.get()
            task = self._tasks.get(name)
            # A job of another version of the code, or of a task that was switched off.
            if task is None or not task.enabled:
                continue
            limit = timezone.now() - task.grace
            ledger.announce(name, [instant for instant in instants if instant > limit])

    def _claim_due(self) -> None:
        free = settings.BACKGROUND_TASKS_THREADS - len(self._held)
        if free <= 0 or self._stopping.is_set():
            return
        due = TaskRun.objects.due(list(self._tasks)).order_by("not_before")
        for run_id in list(due.values_list("pk", flat=True)[:free]):
            held = ledger.claim(run_id, lease=lease_time())
            if held is not None:
                self._begin(held)

    def _begin(self, held: ledger.Claim) -> None:
        thread = threading.Thread(
            target=self._work, args=(held,), name=f"task-{held.task}", daemon=True
        )
        with self._lock:
            self._held[held] = thread
        thread.start()

    def _work(self, held: ledger.Claim) -> None:
        try:
            execute(self._tasks[held.task], Run(claim=held, stopping=self._stopping))
        except Error:
            # The ledger could not be told: the lease runs out and the run is taken over.
            logger.exception("The end of task %s could not be recorded", held.task)
        finally:
            connection.close()
            with self._lock:
                del self._held[held]
            self._awake.set()


_lock = threading.Lock()
_running: Scheduler | None = None


def _forget() -> None:
    # A forked child has none of its parent's threads.
    global _lock, _running
    _lock = threading.Lock()
    _running = None


os.register_at_fork(after_in_child=_forget)


def start_in_server() -> Scheduler | None:
    """Start this process's scheduler with its web server; once, however often it is called.

    Returns None where BACKGROUND_TASKS_AUTOSTART is off.
    """
    global _running
    if not settings.BACKGROUND_TASKS_AUTOSTART:
        return None
    with _lock:
        if _running is None:
            _running = Scheduler()
            _running.start()
        return _running


def stop_in_server() -> None:
    """Stop what `start_in_server` started."""
    global _running
    with _lock:
        running, _running = _running, None
    if running is not None:
        running.stop()


def wake() -> None:
    """Let this process's scheduler, if it has one, look for due runs now."""
    with _lock:
        running = _running
    if running is not None:
        running.wake()
