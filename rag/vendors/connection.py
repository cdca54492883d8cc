"""One HTTP/1.1 connection to a provider: a request out, a response in, piece by piece."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import httptools
import httpx2

from rag.pace import is_followed

MAX_HEAD_BYTES = 100_000
# Framing of a body that comes in the smallest of chunks is no more than this many times the body.
MAX_FRAMING = 8
# A reader that is slower than the provider lets it wait from here on.
HIGH_WATER_BYTES = 256_000
# Where nobody reads along, what comes after a body's first piece is handed on this seldom, so that
# a token does not wake its reader. The end of a body always is at once.
GATHER_SECONDS = 0.25


class Connection(asyncio.Protocol):
    """Carries one exchange at a time: `ask`, then `read` until it gives nothing, then `rest`."""

    def __init__(self, gone: Callable[["Connection"], None], *, max_body_bytes: int) -> None:
        self._gone = gone
        self._max_body_bytes = max_body_bytes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._writable: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._followed = is_followed()
        self._begin()
        self._asked = False

    def _begin(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._informational = False
        self._pieces: list[bytes] = []
        self._pending_bytes = self._body_bytes = self._received_bytes = 0
        self._paused = False
        self._was_read = False
        self._headed = False
        self._framed = False
        self._whole = False
        self._keep = False
        self._error: httpx2.TransportError | None = None

    async def ask(self, message: bytes, seconds: float | None) -> None:
        """Send a request and wait for the head of its response: `status` and `headers`."""
        self._begin()
        self._asked = True
        self._followed = is_followed()
        transport = self._transport
        if transport is None:
            raise httpx2.RemoteProtocolError("The connection was closed before it was used")
        transport.write(message)
        try:
            async with asyncio.timeout(seconds):
                while self._writable is not None:
                    await self._writable
        except TimeoutError as error:
            raise httpx2.WriteTimeout("The service does not take the request") from error
        while not self._headed:
            await self._wait()

    async def read(self) -> bytes:
        """What has come of the body since; nothing once it has ended."""
        while not self._pieces:
            if self._whole:
                return b""
            await self._wait()
        self._was_read = True
        pieces, self._pieces, self._pending_bytes = self._pieces, [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def rest(self, seconds: float) -> bool:
        """Whether it can be used again; it waits for that no longer than `seconds`."""
        reusable = self._whole and self._keep and not self._pieces and self._transport is not None
        self._asked = False
        if reusable:
            self._timer = self._loop.call_later(seconds, self.close)
        else:
            self.close()
        return reusable

    def wake_up(self) -> bool:
        """Whether the connection still stands; it is closed no more for having waited."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """End it now, whatever it carries."""
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake_in_time(self) -> None:
        """Let the reader have what came: now, or with all that comes in the next moment."""
        waits = self._was_read and not (self._whole or self._paused or self._error)
        if not waits or self._followed():
            self._wake()
        elif self._gathering is None:
            self._gathering = self._loop.call_later(GATHER_SECONDS, self._wake)

    def _wake(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: httpx2.TransportError) -> None:
        if not self._whole:
            self._error = self._error or error
        self.close()

    def _end(self, error: Exception | None) -> None:
        if error is not None:
            self._error = httpx2.ReadError("The connection broke")
        elif self._headed and not self._framed:
            # A body without a length ends with its connection.
            self._whole = True
        else:
            self._error = httpx2.RemoteProtocolError("The connection was closed in the middle")

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        """The request is longer than the buffers under it."""
        self._writable = self._writable or self._loop.create_future()

    def resume_writing(self) -> None:
        """More of it may be written."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a response."""
        if not self._asked:
            # Nobody asked: whatever this is, the next response must not begin with it.
            self.close()
            return
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(httpx2.RemoteProtocolError("What came is not HTTP"))
        allowed = MAX_FRAMING * self._max_body_bytes if self._headed else MAX_HEAD_BYTES
        if self._received_bytes > allowed or self._body_bytes > self._max_body_bytes:
            self._fail(httpx2.RemoteProtocolError("The response is longer than any answer"))
        elif self._pending_bytes > HIGH_WATER_BYTES and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake_in_time()

    def eof_received(self) -> None:
        """The provider has said all: the transport closes itself."""

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self._transport = None
        self.resume_writing()
        if self._timer is not None:
            self._timer.cancel()
        if not self._whole and self._error is None:
            self._end(error)
        # It refers back to here.
        self._parser = None
        self._gone(self)
        self._wake()

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those that follow a body in chunks are of no use here."""
        if not self._headed:
            self.headers.append((name, value))
            self._framed = self._framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        """The head has been read."""
        if self._headed:
            # A second response that nobody asked for.
            self._keep = False
            return
        self.status = self._parser.get_status_code()
        self._informational = self.status < httpx2.codes.OK
        if self._informational:
            self.headers, self._framed = [], False
        else:
            self._headed = True
            self._keep = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if not self._whole:
            self._pieces.append(data)
            self._pending_bytes += len(data)
            self._body_bytes += len(data)

    def on_message_complete(self) -> None:
        """The body has been read to its end."""
        self._whole = self._whole or not self._informational
