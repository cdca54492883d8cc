"""Starts the background tasks with the web server, of whatever kind, and with nothing else.

ASGI: `config.asgi` begins and ends them in its lifespan. WSGI has no such moment, and a
preloading gunicorn imports the application before it forks; so there the first request starts
them, and `deploy/gunicorn.conf.py` does so already when a worker begins. Django's own
`runserver` imports the application only in the process that serves.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable
from typing import Any

from background_tasks.scheduler import start_in_server, stop_in_server

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


async def begin_tasks() -> None:
    """The ASGI server starts: start this process's background tasks."""
    start_in_server()


async def end_tasks() -> None:
    """The ASGI server ends: let what runs stop at its next fence."""
    await asyncio.to_thread(stop_in_server)


def starting_tasks(application: Application) -> Application:
    """`application`, which starts this process's background tasks with its first request."""
    if is_runserver():
        start_in_server()

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # Cheap and idempotent: only the first call of a process does anything.
        start_in_server()
        return application(environ, start_response)

    return serve


def is_runserver() -> bool:
    """Whether this process is Django's development server."""
    return sys.argv[1:2] == ["runserver"]
