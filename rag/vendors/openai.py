"""OpenAI's SDK, for any endpoint that speaks its protocol: the one module that imports it.

Its own retries are off (ours know the budget and the deadline), redirects are not followed, and
streams are read line by line: its event classes cost more than the tokens are worth.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from rag.errors import ProviderError, ProviderMalformed
from rag.resilience.perloop import PerLoop

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# The SDK refuses to start without a key; servers at home (vLLM, Ollama) want none.
NO_KEY = "none"


class OpenAIClient:
    """The API at `base_url` (empty: OpenAI's own), one SDK client per event loop."""

    def __init__(self, api_key: str, base_url: str) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._clients = PerLoop(self._build)

    async def embed(
        self, *, model: str, texts: Sequence[str], seconds: float, **options: Any
    ) -> dict[str, Any]:
        """The answer to an embeddings request as a dict: `data`, `usage`."""
        client = await self._clients.get()
        with _translated_errors():
            response = await client.embeddings.with_raw_response.create(
                model=model,
                input=list(texts),
                encoding_format="float",
                timeout=seconds,
                **options,
            )
            return _decode(response.content)

    @asynccontextmanager
    async def stream(
        self, *, messages: list[dict[str, Any]], stall_seconds: float, **options: Any
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """The lines of a chat completion's event stream, those of one read together.

        Leaving closes the stream at the provider.
        """
        client = await self._clients.get()
        from rag.vendors.http import closing_responses

        with _translated_errors():
            async with (
                closing_responses(),
                client.chat.completions.with_streaming_response.create(
                    messages=messages,  # type: ignore[arg-type]  # plain dicts are what is sent
                    stream=True,
                    timeout=stall_seconds,
                    **options,
                ) as response,
            ):
                yield _lines(response.http_response)

    async def list_models(self, *, seconds: float) -> int:
        """How many models the key may use: a call that costs nothing."""
        client = await self._clients.get()
        with _translated_errors():
            return len((await client.models.list(timeout=seconds)).data)

    def _build(self) -> "AsyncOpenAI":
        from openai import AsyncOpenAI

        from rag.vendors.http import BoundedClient

        return AsyncOpenAI(
            api_key=self._api_key or NO_KEY,
            base_url=self._base_url or None,
            http_client=BoundedClient(),
            max_retries=0,
        )


@cache
def openai_client(api_key: str, base_url: str) -> OpenAIClient:
    """The process's one client for this key and address."""
    return OpenAIClient(api_key, base_url)


async def _lines(response: Any) -> AsyncIterator[list[bytes]]:
    from rag.vendors.http import lines_of

    with _translated_errors():
        async for lines in lines_of(response):
            yield lines


@contextmanager
def _translated_errors() -> Iterator[None]:
    """What the SDK raises, as errors of ours; its text may quote bodies, so it stays inside."""
    import httpx2
    import openai

    from rag.vendors.http import status_error, transport_error

    try:
        yield
    except openai.APIStatusError as error:
        raise status_error(error.status_code, error.response.headers, str(error.body)) from error
    except openai.APIConnectionError as error:
        cause = error.__cause__
        if isinstance(cause, ProviderError):
            raise cause from error
        raise transport_error(cause if isinstance(cause, Exception) else error) from error
    except openai.APIError as error:
        raise ProviderMalformed from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise transport_error(error) from error


def _decode(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ProviderMalformed from error
    if not isinstance(body, dict):
        raise ProviderMalformed
    return body
