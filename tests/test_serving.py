"""`manage.py serve` as an operator runs it: several processes, reloads, deaths, the end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common import serving
from tests.server_process import workers_of

ROOT = Path(__file__).resolve().parent.parent
# Longer than a silence after which a process counts as hung.
PATIENCE_SECONDS = 90


class Served:
    """A running server, its address and its processes."""

    def __init__(self, folder: Path, processes: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "READ_DOT_ENV": "false",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "REDIS_URL": "",
            "BACKGROUND_TASKS_AUTOSTART": "false",
            "PROMETHEUS_MULTIPROC_DIR": f"{folder}/metrics",
            "SERVE_STEPS": "",
            "WORKER_SILENCE_SECONDS": "5",
        }
        command = [sys.executable, "manage.py", "serve", f"--port={port}"]
        self.process = subprocess.Popen(
            [*command, f"--processes={processes}"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def alive(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/health/live/", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def workers(self) -> set[int]:
        """The processes that answer requests."""
        return workers_of(self.process.pid)


def wait_until(fact: Callable[[], bool]) -> None:
    """Return once `fact` holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < deadline, "it never came to be"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two processes, ready."""
    served = Served(tmp_path_factory.mktemp("served"), processes=2)
    try:
        wait_until(lambda: served.alive() and len(served.workers()) == 2)
        yield served
    finally:
        served.process.terminate()
        served.process.wait(timeout=30)


def test_reload_replaces_every_process_and_refuses_nobody(served: Served) -> None:
    before = served.workers()
    outcomes: list[bool] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            outcomes.append(served.alive())

    asking = threading.Thread(target=keep_asking)
    asking.start()
    served.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(served.workers()) == 2 and not served.workers() & before)
    done.set()
    asking.join()
    assert outcomes
    assert all(outcomes)


def test_process_that_is_killed_is_replaced(served: Served) -> None:
    victim = min(served.workers())
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(served.workers()) == 2 and victim not in served.workers())
    wait_until(served.alive)


def test_process_that_hangs_is_replaced(served: Served) -> None:
    victim = min(served.workers())
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: len(served.workers()) == 2 and victim not in served.workers())


def test_scrape_has_the_requests_of_all_processes(served: Served) -> None:
    for _ in range(30):
        wait_until(served.alive)
    with urllib.request.urlopen(f"{served.url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    name = 'docent_requests_total{method="GET",route="health/live/",status="200"} '
    (count,) = [line.removeprefix(name) for line in text.splitlines() if line.startswith(name)]
    assert float(count) >= 30


def test_terminated_server_ends_with_all_its_processes(tmp_path: Path) -> None:
    served = Served(tmp_path, processes=2)
    try:
        wait_until(lambda: served.alive() and len(served.workers()) == 2)
        workers = served.workers()
    finally:
        served.process.terminate()
        served.process.wait(timeout=30)
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_signal_ends_a_server_that_is_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "TICK_SECONDS", 3_600.0)

    async def be_told_to_end() -> None:
        server = serving.GracefulServer(serving.build_config())
        looping = asyncio.ensure_future(server.main_loop())
        await asyncio.sleep(0)
        assert not looping.done()
        server.handle_exit(signal.SIGTERM, None)
        await asyncio.wait_for(looping, PATIENCE_SECONDS)

    asyncio.run(be_told_to_end())
