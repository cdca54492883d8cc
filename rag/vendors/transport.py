"""HTTP/1.1 under the SDKs' clients: llhttp and asyncio, and nothing between a read and its reader.

All that one read of the socket brings is handed on as one piece, for a third of what it costs
through `httpx2`'s own transport. Bounded in connections, in bytes, in connecting, sending and
waiting for a connection; reading has no limit here, since each call runs within a deadline.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from socket import SOCK_STREAM
from typing import Any

import httpx2

from rag.vendors.connection import Connection

# A connection that nobody used for so long is closed: servers do the same, and a request that
# crosses their close is lost.
KEPT_SECONDS = 5.0
# The first address may be of a network that does not work here (IPv6 often): it gets a moment.
NEXT_ADDRESS_SECONDS = 0.75
UNSENDABLE = re.compile(rb"[\r\n\0]")
SCHEMES = ("http", "https")

Origin = tuple[str, str, int]


class DirectTransport(httpx2.AsyncBaseTransport):
    """At most `most` connections at once, of which `kept` idle ones wait for the next request."""

    def __init__(self, *, most: int, kept: int, max_body_bytes: int) -> None:
        self._kept = kept
        self._max_body_bytes = max_body_bytes
        self._slots = asyncio.Semaphore(most)
        self._idle: dict[Origin, deque[Connection]] = {}
        self._open: set[Connection] = set()
        self._tls = httpx2.create_ssl_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response, its head read, its body still to come."""
        origin = _origin_of(request.url)
        message = _head_of(request) + await request.aread()
        seconds = request.extensions.get("timeout", {})
        try:
            async with asyncio.timeout(seconds.get("pool")):
                await self._slots.acquire()
        except TimeoutError as error:
            raise httpx2.PoolTimeout("Every connection is in use") from error
        body = _Body(partial(self._give_back, origin))
        try:
            connection = body.connection = self._waiting(origin) or await self._connected(
                origin, seconds.get("connect")
            )
            await connection.ask(message, seconds.get("write"))
            response = httpx2.Response(connection.status, headers=connection.headers, stream=body)
            if response.headers.get("content-encoding", "identity") != "identity":
                raise httpx2.RemoteProtocolError("A compressed body was not asked for")
        except BaseException:
            await body.aclose()
            raise
        return response

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        for connection in list(self._open):
            connection.close()

    def _waiting(self, origin: Origin) -> Connection | None:
        """One that stands and is not in use."""
        idle = self._idle.setdefault(origin, deque())
        while idle:
            # The last one back: it is the least likely to have been closed over there.
            connection = idle.pop()
            if connection.wake_up():
                return connection
        return None

    async def _connected(self, origin: Origin, seconds: float | None) -> Connection:
        try:
            async with asyncio.timeout(seconds):
                connection = await self._connect(*origin)
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("The service does not answer") from error
        except (OSError, UnicodeError) as error:
            raise httpx2.ConnectError("The service cannot be reached") from error
        self._open.add(connection)
        return connection

    async def _connect(self, scheme: str, host: str, port: int) -> Connection:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = (
            {"ssl": self._tls, "server_hostname": host} if scheme == "https" else {}
        )
        found = await loop.getaddrinfo(host, port, type=SOCK_STREAM)
        *others, last = dict.fromkeys(str(address[4][0]) for address in found)
        for address in others:
            with suppress(OSError):
                async with asyncio.timeout(NEXT_ADDRESS_SECONDS):
                    return (await loop.create_connection(self._make, address, port, **options))[1]
        return (await loop.create_connection(self._make, last, port, **options))[1]

    def _make(self) -> Connection:
        return Connection(self._open.discard, max_body_bytes=self._max_body_bytes)

    def _give_back(self, origin: Origin, connection: Connection | None) -> None:
        self._slots.release()
        if connection is not None and connection.rest(KEPT_SECONDS):
            idle = self._idle[origin]
            idle.append(connection)
            if len(idle) > self._kept:
                idle.popleft().close()


class _Body(httpx2.AsyncByteStream):
    """The body of a response as it comes; closing it gives its connection back, or ends it."""

    def __init__(self, give_back: Callable[[Connection | None], None]) -> None:
        self.connection: Connection | None = None
        self._give_back = give_back
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._closed or self.connection is None:
            raise StopAsyncIteration
        if piece := await self.connection.read():
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._give_back(self.connection)


def _origin_of(url: httpx2.URL) -> Origin:
    if url.scheme not in SCHEMES or not url.host:
        raise httpx2.UnsupportedProtocol("The address of a service begins with http:// or https://")
    port = url.port or (443 if url.scheme == "https" else 80)
    return url.scheme, url.raw_host.decode("ascii"), port


def _head_of(request: httpx2.Request) -> bytes:
    """The request line and the headers. Bodies are sent whole, and so have a length."""
    fields = [request.method.encode("ascii") + b" " + request.url.raw_path + b" HTTP/1.1"]
    fields += [name + b": " + value for name, value in request.headers.raw]
    if any(map(UNSENDABLE.search, fields)) or "transfer-encoding" in request.headers:
        raise httpx2.LocalProtocolError("A header holds what no header may")
    return b"\r\n".join(fields) + b"\r\n\r\n"
