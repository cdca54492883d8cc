"""Real server processes for tests: started on free ports, asked over HTTP, stopped or killed."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from tests.sse import ServerSentEvent, parse
from tests.stand_ins.server import free_port

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 60.0
POSTGRES = os.environ.get("DATABASE_URL", "")
REDIS = os.environ.get("REDIS_URL", "")
PASSWORD = "correct horse battery staple"
# The processes of one run share it.
SECRET_KEY = secrets.token_urlsafe(64)

# How each server is started; `{port}` is filled in.
SERVERS = {
    "uvicorn": "-m uvicorn config.asgi:application --host 127.0.0.1 --port {port}",
    "serve": "manage.py serve --only --port {port}",
    "gunicorn": "-m gunicorn -c deploy/gunicorn.conf.py config.wsgi",
    "runserver": "manage.py runserver --noreload 127.0.0.1:{port}",
}


def wait_for(met: Callable[[], Any]) -> Any:
    """What `met` gives once it is true; it fails while the server is not there yet."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if value := met():
                return value
        except (OSError, httpx2.HTTPError):
            pass
        time.sleep(0.02)
    pytest.fail("It did not come to that.")


@contextmanager
def postgresql_database(name: str) -> Iterator[str]:
    """The address of a new database on the server that `DATABASE_URL` names."""
    if not POSTGRES.startswith("postgres"):
        pytest.skip("DATABASE_URL names no PostgreSQL")
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"{POSTGRES.rsplit('/', 1)[0]}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Server:
    """One web server process."""

    def __init__(self, kind: str, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        arguments = SERVERS[kind].format(port=self.port).split()
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**environment, "PORT": str(self.port)},
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("SHOW_SERVERS") else subprocess.DEVNULL,
            # A group of its own: a preloading gunicorn's workers are killed with it.
            start_new_session=True,
        )

    def is_up(self) -> bool:
        """Whether it answers."""
        assert self.process.poll() is None, "the server ended by itself"
        return httpx2.get(f"{self.address}/health/live/").status_code == 200

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.terminate()

    def kill(self) -> None:
        """End it at once, with its workers."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def workers_of(parent: int) -> set[int]:
    """The processes that `manage.py serve` looks after."""
    listing = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    rows = (line.split(None, 1) for line in listing.splitlines())
    return {int(pid) for pid, arguments in rows if "--inherit" in arguments}


class Client:
    """A person at one server; `at` is the same person at another."""

    def __init__(self, server: Server, headers: dict[str, str] | None = None) -> None:
        self.http = httpx2.Client(
            base_url=f"{server.address}/api", headers=headers, timeout=PATIENCE_SECONDS
        )

    def at(self, server: Server) -> "Client":
        """The same person, asking another process."""
        return Client(server, {"authorization": self.http.headers["authorization"]})

    def register(self, name: str) -> None:
        """Open an account and log in."""
        account = {"username": name, "password": PASSWORD}
        self.post("/auth/register/", {**account, "email": f"{name}@example.com"})
        access = self.post("/auth/login/", account)["access"]
        self.http.headers["authorization"] = f"Bearer {access}"

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The body of a successful answer."""
        response = self.http.post(path, json=body or {}, headers=headers)
        assert response.is_success, response.text
        return response.json()

    def get(self, path: str) -> Any:
        """The body of a successful answer."""
        response = self.http.get(path)
        assert response.is_success, response.text
        return response.json()

    def message(self, message_id: str) -> dict[str, Any]:
        """A message as it is now."""
        return dict(self.get(f"/chat/messages/{message_id}/"))

    @contextmanager
    def ask(self, content: str = "How long?") -> Iterator[Iterator[ServerSentEvent]]:
        """The events of a new question's answer as they come."""
        body = {"content": content, "stream": True}
        with self.http.stream("POST", "/chat/messages/", json=body) as response:
            assert response.status_code == 200, response.read()
            yield read_events(response)

    @contextmanager
    def follow(self, message_id: str, after: int = 0) -> Iterator[Iterator[ServerSentEvent]]:
        """The events of an answer after `after`."""
        path, headers = f"/chat/messages/{message_id}/events/", {"last-event-id": str(after)}
        with self.http.stream("GET", path, headers=headers) as response:
            assert response.status_code == 200, response.read()
            yield read_events(response)


def read_events(response: httpx2.Response) -> Iterator[ServerSentEvent]:
    """Each event as soon as its last byte is here."""
    buffer = b""
    for piece in response.iter_raw():
        buffer += piece
        while b"\n\n" in buffer:
            block, _, buffer = buffer.partition(b"\n\n")
            yield from parse(block)


def environment(**values: str) -> dict[str, str]:
    """The environment of a server that limits nobody."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "READ_DOT_ENV": "false",
        "DEBUG": "false",
        "SECRET_KEY": SECRET_KEY,
        "LOG_LEVEL": "WARNING",
        "BACKGROUND_TASKS_AUTOSTART": "false",
        "ACCOUNT_MAIL_DELIVERY": "sweep",
        "WEB_CONCURRENCY": "1",
        "THREADS": "16",
        "THROTTLE_CHAT": "100000/m",
        "THROTTLE_LOGIN": "1000/m",
        "THROTTLE_REGISTER": "1000/h",
        "RAG_EMBEDDER": "local",
        "RAG_GENERAL_ANSWERS": "true",
        **values,
    }


def manage(environment: dict[str, str], *arguments: str) -> None:
    """Run a management command to its end."""
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
    )
