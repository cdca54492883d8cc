"""Several web processes behind one socket: replaced when they die or hang, reloaded in turn.

The parent holds the listening socket and loads nothing of the application. Each worker is a
fresh interpreter that inherits the socket and a pipe, on which its event loop beats: the first
beat says that it serves, silence that it hangs, and a pipe without a reader that the parent is
gone.
"""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time

import uvicorn
from django.conf import settings

from common.serving import BACKLOG, GracefulServer, build_config, clear_metrics

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
START_SECONDS = 60.0
# Beyond the grace that requests get: for answers to be ended, and for the interpreter's own end.
END_SECONDS = 20.0
POLL_SECONDS = 0.2
# A worker that dies at once would otherwise be started in a busy loop.
RESTART_SECONDS = 1.0


class Worker:
    """A web process, and the end of its pipe that is read here."""

    def __init__(self, listening: socket.socket) -> None:
        self.pipe, beats = os.pipe()
        os.set_blocking(self.pipe, False)
        inherited = (listening.fileno(), beats)
        command = [sys.executable, *sys.argv[:1], "serve", "--only"]
        self.process = subprocess.Popen(  # noqa: S603 (this very program, with two numbers)
            [*command, f"--inherit={inherited[0]},{inherited[1]}"], pass_fds=inherited
        )
        os.close(beats)
        self.started_at = self.beat_at = time.monotonic()
        self.ready = False

    def listen(self) -> None:
        """Take note of beats that have come."""
        try:
            if os.read(self.pipe, 1_024):
                self.beat_at, self.ready = time.monotonic(), True
        except BlockingIOError:
            return

    def lives(self) -> bool:
        """Whether it runs and its loop turns."""
        self.listen()
        patience = settings.WORKER_SILENCE_SECONDS if self.ready else START_SECONDS
        return self.process.poll() is None and time.monotonic() - self.beat_at < patience

    def end(self, *, patience: float) -> None:
        """Ask it to end, and see to it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            logger.warning("Worker %d did not end in time", self.process.pid)
        self.kill()

    def kill(self) -> None:
        """Leave nothing of it."""
        self.process.kill()
        self.process.wait()
        os.close(self.pipe)


class Supervisor:
    """Keeps `processes` workers until SIGINT or SIGTERM; SIGHUP replaces each in turn."""

    def __init__(self, *, bind: str, port: int, processes: int) -> None:
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self.listening = socket.create_server((bind, port), family=family, backlog=BACKLOG)
        self.processes = processes
        self.workers: list[Worker] = []
        self.ending = False
        self.reloading = False

    def run(self) -> None:
        """Serve until told to end."""
        clear_metrics()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, self._reload)
        self.workers = [Worker(self.listening) for _ in range(self.processes)]
        while not self.ending:
            self._replace_dead()
            if self.reloading:
                self.reloading = False
                self._replace_all()
            time.sleep(POLL_SECONDS)
        self._end_all()

    def _end(self, *signalled: object) -> None:
        self.ending = True

    def _reload(self, *signalled: object) -> None:
        self.reloading = True

    def _replace_dead(self) -> None:
        for index, worker in enumerate(self.workers):
            if worker.lives():
                continue
            logger.error("Worker %d died or hangs; it is replaced", worker.process.pid)
            worker.kill()
            if time.monotonic() - worker.started_at < RESTART_SECONDS:
                time.sleep(RESTART_SECONDS)
            self.workers[index] = Worker(self.listening)

    def _replace_all(self) -> None:
        """A fresh worker serves before each old one is retired; one that cannot stops it all."""
        for index, old in enumerate(self.workers):
            fresh = Worker(self.listening)
            while fresh.lives() and not fresh.ready and not self.ending:
                time.sleep(POLL_SECONDS)
            if not fresh.ready:
                logger.error("The fresh worker does not serve; the old ones stay")
                fresh.kill()
                return
            self.workers[index] = fresh
            old.end(patience=settings.SHUTDOWN_GRACE_SECONDS + END_SECONDS)

    def _end_all(self) -> None:
        self.listening.close()
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.end(patience=settings.SHUTDOWN_GRACE_SECONDS + END_SECONDS)


def work(listening: int, beats: int) -> None:
    """Be a worker: serve the inherited socket, and beat on the inherited pipe."""
    BeatingServer(build_config(), beats).run(sockets=[socket.socket(fileno=listening)])


class BeatingServer(GracefulServer):
    """Beats while its loop turns; ends when nobody listens any more."""

    def __init__(self, config: uvicorn.Config, pipe: int) -> None:
        super().__init__(config)
        self.pipe = pipe
        self.beating: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            try:
                os.write(self.pipe, b".")
            except BrokenPipeError:
                logger.warning("The parent process is gone")
                self.should_exit = True
                return
            await asyncio.sleep(BEAT_SECONDS)
