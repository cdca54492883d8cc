"""The HTTP client under the SDKs of Mistral and OpenAI: bounded in bytes, connections, hops.

Import it inside functions only: it loads `httpx2`, which start-up does without.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import httpx2

from rag.errors import (
    ProviderError,
    ProviderMalformed,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)
from rag.resilience.errors import ProviderBusy, ProviderInputTooLong
from rag.vendors.transport import DirectTransport

CONNECT_SECONDS = 3.0
WRITE_SECONDS = 10.0
POOL_SECONDS = 5.0
MAX_CONNECTIONS = 1_200
KEPT_CONNECTIONS = 100
MAX_BODY_BYTES = 16_000_000
MAX_LINE_BYTES = 1_000_000
LINE_ENDS = (b"\n", b"\r")
BAD_REQUEST, REQUEST_TIMEOUT, TOO_MANY_REQUESTS, SERVER_ERROR = 400, 408, 429, 500
TOO_LONG = (400, 413, 422)


class BoundedClient(httpx2.AsyncClient):
    """Follows no redirects, reads at most `MAX_BODY_BYTES` of a body, waits by phase.

    An SDK that passes one number as timeout means it for reading: connecting, sending and
    waiting for a free connection have limits of their own here.
    """

    def __init__(self) -> None:
        super().__init__(
            transport=DirectTransport(
                most=MAX_CONNECTIONS, kept=KEPT_CONNECTIONS, max_body_bytes=MAX_BODY_BYTES
            ),
            follow_redirects=False,
            # A compressed body would grow after it was measured; one that comes is refused.
            headers={"Accept-Encoding": "identity"},
        )

    def build_request(self, *args: Any, timeout: Any = None, **kwargs: Any) -> httpx2.Request:
        """A request whose phases are each bounded."""
        phases = httpx2.Timeout(
            connect=CONNECT_SECONDS,
            # Each call runs within a deadline of its own, which a dripped body cannot stretch as
            # it does this one; and it costs a fifth of reading a token.
            read=None,
            write=WRITE_SECONDS,
            pool=POOL_SECONDS,
        )
        return super().build_request(*args, timeout=phases, **kwargs)

    async def send(self, *args: Any, **kwargs: Any) -> httpx2.Response:
        """The response; a block of `closing_responses` that runs now closes it when it ends."""
        response = await super().send(*args, **kwargs)
        if (opened := _opened.get()) is not None:
            opened.append(response)
        return response


_opened: ContextVar[list[httpx2.Response] | None] = ContextVar("opened_responses", default=None)


@asynccontextmanager
async def closing_responses() -> AsyncIterator[None]:
    """Close every response that a `BoundedClient` opened inside, also one nobody was handed.

    Mistral's SDK hops through a thread between the headers and its stream object: a task that
    is cancelled just there would leave the response open, and the provider writing.
    """
    opened: list[httpx2.Response] = []
    _opened.set(opened)
    try:
        yield
    finally:
        _opened.set(None)
        for response in opened:
            await response.aclose()


async def lines_of(response: httpx2.Response) -> AsyncIterator[list[bytes]]:
    """The lines of a body: those that came in one read together, each once it is whole."""
    rest = b""
    async for piece in response.aiter_raw():
        lines = (rest + piece).splitlines()
        rest = b"" if piece.endswith(LINE_ENDS) else lines.pop()
        if len(rest) > MAX_LINE_BYTES:
            raise httpx2.RemoteProtocolError("A line is longer than any piece of an answer")
        if lines:
            yield lines
    if rest:
        yield [rest]


def transport_error(error: Exception) -> ProviderError:
    """What a fault of the connection (an `httpx2` error) is to the product."""
    if isinstance(error, httpx2.TimeoutException):
        return ProviderTimeout()
    if isinstance(error, httpx2.DecodingError | httpx2.StreamError):
        return ProviderMalformed()
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return ProviderRejected("The address of a service that answers depend on is not valid.")
    return ProviderUnavailable()


def status_error(status: int, headers: Mapping[str, str], body: str = "") -> ProviderError:
    """What an answer with `status` that carries no result is to the product."""
    wait = _retry_after(headers)
    if status == TOO_MANY_REQUESTS or (status >= SERVER_ERROR and wait is not None):
        return ProviderBusy(wait=wait)
    if status == REQUEST_TIMEOUT or status >= SERVER_ERROR:
        return ProviderUnavailable()
    if status < BAD_REQUEST:
        # A success without a result, or a redirect: something other than the service answered.
        return ProviderMalformed()
    if status in TOO_LONG and "too many" in body.lower():
        return ProviderInputTooLong()
    return ProviderRejected()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header; None when there is none that makes sense."""
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None
