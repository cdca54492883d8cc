"""Mistral's SDK: imported here and in `mistral_chat` alone, and only once it is used.

As version 3 behaves: no retries of its own are on, its timeouts are per phase and only those
given per call count, faults of the connection come as raw `httpx2` errors, an async client belongs
to one event loop, and iterating its stream builds a pydantic object per token (five times the
cost of reading the lines). So this makes the SDK's call and reads the lines of its response.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from rag.errors import ProviderMalformed
from rag.resilience.perloop import PerLoop

if TYPE_CHECKING:
    from mistralai.client import Mistral

OK = 200


class MistralClient:
    """Mistral's API at `server_url` (empty: the public one), one SDK client per event loop."""

    def __init__(self, api_key: str, server_url: str) -> None:
        self._api_key = api_key
        self._server_url = server_url
        self._clients = PerLoop(self._build)

    async def embed(
        self, *, model: str, texts: Sequence[str], seconds: float, **options: Any
    ) -> dict[str, Any]:
        """The answer to an embeddings request as a dict: `data`, `usage`."""
        client = await self._clients.get()
        with _translated_errors():
            try:
                answer = await client.embeddings.create_async(
                    model=model,
                    inputs=list(texts),
                    timeout_ms=_milliseconds(seconds),
                    **options,
                )
            except _sdk_errors().ResponseValidationError as error:
                # The SDK wants fields that nothing here needs; ours are checked by the embedder.
                return _decode(error)
            return answer.model_dump()

    @asynccontextmanager
    async def stream(
        self, *, messages: list[dict[str, Any]], stall_seconds: float, **options: Any
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """The lines of a chat completion's event stream, those of one read together.

        Leaving closes the stream at the provider.
        """
        client = await self._clients.get()
        from rag.vendors.http import closing_responses
        from rag.vendors.mistral_chat import open_stream

        with _translated_errors():
            async with closing_responses():
                response = await open_stream(
                    client, messages=messages, seconds=stall_seconds, **options
                )
                yield _lines(response)

    async def list_models(self, *, seconds: float) -> int:
        """How many models the key may use: a call that costs nothing."""
        client = await self._clients.get()
        with _translated_errors():
            answer = await client.models.list_async(timeout_ms=_milliseconds(seconds))
            return len(answer.data or [])

    def _build(self) -> "Mistral":
        import httpx2
        from mistralai.client import Mistral

        from rag.vendors.http import BoundedClient

        return Mistral(
            api_key=self._api_key,
            server_url=self._server_url or None,
            async_client=BoundedClient(),
            # Never used; given so that the SDK does not build one with a TLS context of its own.
            client=httpx2.Client(transport=httpx2.MockTransport(_refuse)),
            retry_config=None,
        )


@cache
def mistral_client(api_key: str, server_url: str) -> MistralClient:
    """The process's one client for this key and address, shared by embedder and generator."""
    return MistralClient(api_key, server_url.rstrip("/").removesuffix("/v1"))


def _refuse(request: Any) -> Any:
    raise AssertionError("Only the asynchronous client is used")


async def _lines(response: Any) -> AsyncIterator[list[bytes]]:
    from rag.vendors.http import lines_of

    with _translated_errors():
        async for lines in lines_of(response):
            yield lines


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _sdk_errors() -> Any:
    from mistralai.client import errors

    return errors


@contextmanager
def _translated_errors() -> Iterator[None]:
    """What the SDK raises, as errors of ours; its text may quote bodies, so it stays inside."""
    import httpx2
    from mistralai.client import errors

    from rag.vendors.http import status_error, transport_error

    try:
        yield
    except errors.MistralError as error:
        raise status_error(error.status_code, error.headers, error.body) from error
    except (errors.NoResponseError, httpx2.HTTPError, httpx2.StreamError) as error:
        raise transport_error(error) from error


def _decode(error: Any) -> dict[str, Any]:
    """The body of an answer with status 200 that the SDK's own model did not take."""
    if error.status_code != OK:
        raise error
    try:
        body = orjson.loads(error.body)
    except orjson.JSONDecodeError as reason:
        raise ProviderMalformed from reason
    if not isinstance(body, dict):
        raise ProviderMalformed from error
    return body
