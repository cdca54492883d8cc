"""The scheduler starts with each kind of server, once a process, and with nothing else."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def family(process: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(pid for child in children for pid in family(int(child)))]


def wait_for(met: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if value := met():
                return value
        except (OSError, ValueError):
            pass  # the server is not there yet
        time.sleep(0.1)
    pytest.fail("It did not come to that.")


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    values = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "USE_FAKE_REDIS": "true",
        "REDIS_URL": "",
        "BACKGROUND_TASKS_AUTOSTART": "true",
        "BACKGROUND_TASKS_LEASE_SECONDS": "6",
        # Something to do at once, in every process.
        "TASK_MAIL": "* * * * * *",
        "TASK_IDEMPOTENCY": "* * * * * *",
        "THREADS": "2",
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=values, check=True
    )
    return values


@contextmanager
def server(arguments: list[str], environment: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ledger(environment: dict[str, str]) -> list[str]:
    """The owner of each run."""
    path = environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        query = "SELECT owner FROM background_tasks_taskrun WHERE owner <> ''"
        return [owner for (owner,) in connection.execute(query)]


def workers(environment: dict[str, str]) -> set[int]:
    """The process ids that the ledger knows of."""
    return {int(owner.split(":")[1]) for owner in ledger(environment)}


def test_runserver_starts_them_in_the_process_that_serves(environment):
    port = free_port()
    with server(["manage.py", "runserver", str(port)], environment) as parent:
        seen = wait_for(lambda: workers(environment))
        child = set(family(parent)) - {parent}

    assert seen <= child


def test_runserver_without_its_reloader_starts_them_too(environment):
    port = free_port()
    with server(["manage.py", "runserver", "--noreload", str(port)], environment) as process:
        assert wait_for(lambda: workers(environment)) == {process}


@pytest.mark.parametrize("preload", ["True", "False"])
def test_gunicorn_starts_them_in_its_workers_and_not_in_its_master(environment, preload, tmp_path):
    conf = tmp_path / "gunicorn.conf.py"
    text = (ROOT / "deploy" / "gunicorn.conf.py").read_text()
    conf.write_text(text.replace("preload_app = True", f"preload_app = {preload}"))
    arguments = ["-m", "gunicorn", "-c", str(conf), "--bind", f"127.0.0.1:{free_port()}",
                 "config.wsgi"]  # fmt: skip
    with server(arguments, environment) as master:
        wait_for(lambda: len(workers(environment)) == 2)
        seen, processes = workers(environment), set(family(master)) - {master}

    assert seen == processes


def test_uvicorn_starts_them_in_its_lifespan(environment):
    arguments = ["-m", "uvicorn", "config.asgi:application", "--port", str(free_port())]
    with server(arguments, environment) as process:
        assert wait_for(lambda: workers(environment)) == {process}


def test_switched_off_no_server_starts_them(environment):
    """A scheduler beside it has all the work to itself."""
    off = environment | {"BACKGROUND_TASKS_AUTOSTART": "false"}
    arguments = ["-m", "uvicorn", "config.asgi:application", "--port", str(free_port())]
    with server(arguments, off), server(["manage.py", "run_scheduler"], environment) as alone:
        wait_for(lambda: len(ledger(environment)) > 4)
        assert workers(environment) == {alone}


def test_run_scheduler_runs_them_alone_and_ends_when_told(environment):
    with server(["manage.py", "run_scheduler"], environment) as process:
        assert wait_for(lambda: workers(environment)) == {process}


def test_wsgi_without_a_hook_starts_them_with_the_first_request(environment):
    """As a server does that knows nothing of us: import, fork, then serve."""
    code = (
        "import io, os, time; from config.wsgi import application;"
        "from background_tasks import scheduler;"
        "assert scheduler._running is None;"
        "pid = os.fork();"
        "serve = lambda: list(application({'REQUEST_METHOD': 'GET', 'PATH_INFO': '/health/live/',"
        " 'SERVER_NAME': 'localhost', 'SERVER_PORT': '80', 'wsgi.input': io.BytesIO(),"
        " 'wsgi.url_scheme': 'http'}, lambda *a: None));"
        "pid == 0 and (serve(), serve(), time.sleep(60));"
        "pid and os.waitpid(pid, 0)"
    )
    with server(["-c", code], environment) as parent:
        seen = wait_for(lambda: workers(environment))
        child = set(family(parent)) - {parent}
        for process in child:
            os.kill(process, signal.SIGKILL)

    assert seen == child
