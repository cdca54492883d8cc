"""The web server of one process: uvicorn, made to end without cutting anybody off."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from socket import socket
from types import FrameType

import uvicorn
from django.conf import settings

APPLICATION = "config.asgi:application"
# Connections that were accepted just before the end get this long to say what they want.
LAST_REQUESTS_SECONDS = 0.5
# Streams that the application has just ended get this long to be read to their end.
LAST_EVENTS_SECONDS = 2.0
BACKLOG = 2_048
# An idle server wakes so often, and each time has uvicorn do what it does at every tenth tick.
TICK_SECONDS = 1.0
EVERY_TICK = 0


def serve(*, bind: str, port: int) -> None:
    """Answer requests on `bind`:`port` in this process until SIGINT or SIGTERM."""
    clear_metrics()
    GracefulServer(build_config(host=bind, port=port)).run()


def build_config(**address: str | int) -> uvicorn.Config:
    """uvicorn's settings for this product."""
    return uvicorn.Config(
        APPLICATION,
        # Django's LOGGING has the last word; access is logged by our own middleware.
        log_config=None,
        access_log=False,
        server_header=False,
        # Who the client is, is decided by TRUSTED_PROXIES alone (common.clients).
        proxy_headers=False,
        ws="none",
        # A start that fails must be seen to fail; left alone, uvicorn takes it for "unsupported".
        lifespan="on",
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.SHUTDOWN_GRACE_SECONDS,
        **address,  # type: ignore[arg-type]
    )


class GracefulServer(uvicorn.Server):
    """Ends in an order that loses nothing.

    uvicorn closes idle connections at once, those included whose request is still on its way,
    and tells the application only when every stream has ended or been cut. Here new requests
    get a moment to arrive, what runs gets the grace to end by itself, and the application is
    told while the last streams are still open: an answer that did not end tells its client so.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._signalled: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Look once a second (for the responses' Date) where uvicorn does so ten times."""
        self._signalled, self._loop = asyncio.Event(), asyncio.get_running_loop()
        while not await self.on_tick(EVERY_TICK):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._signalled.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, and at once."""
        super().handle_exit(sig, frame)
        if self._loop is not None and self._signalled is not None:
            self._loop.call_soon_threadsafe(self._signalled.set)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop accepting, let what runs end within the grace, cut what is left."""
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        await asyncio.sleep(LAST_REQUESTS_SECONDS)
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._wait_for_requests(self.config.timeout_graceful_shutdown)
        # Whatever still runs is told now; not before, since a request that had just come may
        # only now have begun its answer.
        await self.lifespan.shutdown()
        await self._wait_for_requests(LAST_EVENTS_SECONDS)
        for task in self.server_state.tasks:
            task.cancel()

    async def _wait_for_requests(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wait_tasks_to_complete()


def clear_metrics() -> None:
    """Remove the counts that former processes left in PROMETHEUS_MULTIPROC_DIR."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return
    for path in Path(folder).glob("*.db"):
        if not path.stem.endswith(f"_{os.getpid()}"):
            path.unlink(missing_ok=True)
