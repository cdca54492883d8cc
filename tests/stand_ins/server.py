"""Serving a stand-in: in a thread for tests, in a process for benchmarks."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

BACKLOG = 4_096


class _Server(uvicorn.Server):
    """Tells when it serves, by an event."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        self.serving.set()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address at which `app` is served by a thread, on a free port, until the block ends."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    server = _Server(config_of(app))
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="stand-in", daemon=True
    )
    thread.start()
    assert server.serving.wait(10), "the stand-in did not start"
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
        listener.close()


def config_of(app: Any, **more: Any) -> uvicorn.Config:
    """uvicorn without logs, signals or limits of its own."""
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        loop="asyncio",
        backlog=BACKLOG,
        timeout_graceful_shutdown=1,
        **more,
    )


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
