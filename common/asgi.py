"""What stands between an ASGI server and Django: start, end, and the size of bodies."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson
from django.conf import settings

from common.errors import TooLarge
from common.guard import MULTIPART_OVERHEAD_BYTES
from common.loop import adopt_loop, submit
from common.problems import CONTENT_TYPE, describe
from common.termination import on_termination

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
Hook = Callable[[], Awaitable[None]]


class ServerApplication:
    """An ASGI application for the API and one for pages, with hooks for the server's start and end.

    While the server runs, its loop is the process's loop (see `common.loop`).
    """

    def __init__(
        self,
        *,
        api: Application,
        pages: Application,
        startup: Sequence[Hook],
        shutdown: Sequence[Hook],
        terminating: Sequence[Hook] = (),
    ) -> None:
        self.api = api
        self.pages = pages
        self.startup = startup
        self.shutdown = shutdown
        #: Run as soon as SIGTERM comes, while streams are open: servers tell the application of
        #: the end only after their last connection has gone.
        self.terminating = terminating

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            application = self.api if scope["path"].startswith("/api/") else self.pages
            await _LimitedBody(application, scope, receive, send).serve()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                adopt_loop(asyncio.get_running_loop())
                on_termination(self._terminate)
                for hook in self.startup:
                    await hook()
                await send({"type": "lifespan.startup.complete"})
            else:
                for hook in self.shutdown:
                    await hook()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _terminate(self) -> None:
        submit(self._run_terminating())

    async def _run_terminating(self) -> None:
        for hook in self.terminating:
            await hook()


class _LimitedBody:
    """Serves one request, and ends it with a 413 when its body grows past the limit.

    Django reads the whole body before any view runs, and believes Content-Length; a chunked
    body has none.
    """

    def __init__(
        self, application: Application, scope: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        self.application = application
        self.scope = scope
        self.receive = receive
        self.send = send
        self.size = 0
        self.refused = False
        self.limit = self._limit()

    def _limit(self) -> int:
        for name, value in self.scope["headers"]:
            if name == b"content-type" and value.lower().startswith(b"multipart/"):
                return int(settings.DOCUMENT_MAX_BYTES) + MULTIPART_OVERHEAD_BYTES
        return int(settings.REQUEST_MAX_JSON_BYTES)

    async def serve(self) -> None:
        """Run the application on the counted body."""
        await self.application(self.scope, self._receive, self._send)

    async def _receive(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.request" and not self.refused:
            self.size += len(message.get("body", b""))
            if self.size > self.limit:
                await self._refuse()
        # For Django the client has gone: it stops reading and answers nothing.
        return {"type": "http.disconnect"} if self.refused else message

    async def _refuse(self) -> None:
        self.refused = True
        status, body, _ = describe(TooLarge(f"The body may have at most {self.limit} bytes."))
        headers = [(b"content-type", CONTENT_TYPE.encode()), (b"connection", b"close")]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": orjson.dumps(body)})

    async def _send(self, message: Message) -> None:
        if not self.refused:
            await self.send(message)
