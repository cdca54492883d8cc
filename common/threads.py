"""A few threads that are kept, the warm ones first."""

import threading
from collections import deque
from collections.abc import Callable
from functools import cached_property

from django.db import connections

# It must not raise: there is nobody who would hear of it.
Job = Callable[[], None]


class Threads:
    """At most `size` threads; each is begun when all others are busy, and keeps its connections.

    The thread that was busy last is asked first: its pages of the database and its prepared
    statements are warm, and as few threads as the load needs ever open a connection. A
    `ThreadPoolExecutor` hands work round, and takes twice the processor time to do it.
    """

    def __init__(self, size: Callable[[], int], name: str) -> None:
        self._get_size = size
        self.name = name
        self._lock = threading.Lock()
        self._threads: list[_Thread] = []
        self._idle: list[_Thread] = []
        self._jobs: deque[Job] = deque()
        self._beginnings: deque[Job] = deque()

    @cached_property
    def size(self) -> int:
        """How many there may be: asked when the first is wanted, settings being known then."""
        return self._get_size()

    def submit(self, job: Job, *, begins: bool = False) -> None:
        """Have `job` done by the next thread that is free.

        One that `begins` something waits for all others: what is under way ends before more of it
        is begun. Where each beginning leads to so many more jobs and no further, it has its turn.
        """
        with self._lock:
            if self._idle:
                thread = self._idle.pop()
            elif len(self._threads) < self.size:
                thread = _Thread(self, f"{self.name}_{len(self._threads)}")
                self._threads.append(thread)
                thread.start()
            else:
                (self._beginnings if begins else self._jobs).append(job)
                return
        thread.give(job)

    def next_job(self, thread: "_Thread") -> Job | None:
        """What `thread` does next; None once it should end. Blocks until there is something."""
        with self._lock:
            for jobs in (self._jobs, self._beginnings):
                if jobs:
                    return jobs.popleft()
            if thread not in self._threads:
                return None
            self._idle.append(thread)
        return thread.take()

    def close(self) -> None:
        """Return when what was submitted is done and the threads and their connections ended."""
        with self._lock:
            threads, self._threads = self._threads, []
            idle, self._idle = self._idle, []
        for thread in idle:
            thread.give(None)
        for thread in threads:
            thread.join()


class _Thread(threading.Thread):
    """Does one job after another; ends with its connections."""

    def __init__(self, threads: Threads, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._of = threads
        self._job: Job | None = None
        # Held while there is no job: a lock is what wakes a thread with the least ado.
        self._given = threading.Lock()
        self._given.acquire()

    def give(self, job: Job | None) -> None:
        """Hand over the next job; None: there is no more."""
        self._job = job
        self._given.release()

    def take(self) -> Job | None:
        """Wait for what is given; nothing of it is kept."""
        self._given.acquire()
        job, self._job = self._job, None
        return job

    def run(self) -> None:
        job = self.take()
        while job is not None:
            job()
            # Nothing of it may live on while the thread waits.
            del job
            job = self._of.next_job(self)
        connections.close_all()
