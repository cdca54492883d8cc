"""What embedders behind an API have in common: splitting, retrying, checking."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from rag.embedders.base import Embedder
from rag.errors import ProviderMalformed
from rag.resilience.errors import ProviderInputTooLong
from rag.resilience.guard import Guard, count_tokens
from rag.types import Usage, Vector

# Cautious: English has about four characters a token, code and other scripts fewer.
CHARS_PER_TOKEN = 3
PARALLEL_REQUESTS = 4
# No model refuses as little as this: another fault is behind it.
SHORTEST_TEXT = 500


class RemoteEmbedder(Embedder):
    """Splits a batch by tokens, asks for the parts in parallel, retries each part alone.

    Adapters write `_request`. `seconds` bounds one request, `total_seconds` it and its retries.
    """

    #: How many tokens one request takes.
    max_tokens: int

    def __init__(
        self, *, provider: str, model: str, dimension: int, seconds: float, total_seconds: float
    ) -> None:
        self.model = model
        self.dimension = dimension
        #: Tokens that the provider counted since this was built.
        self.usage = Usage()
        self._seconds = seconds
        self._guard = Guard(provider, seconds=seconds, total=total_seconds)

    @abstractmethod
    async def _request(self, texts: Sequence[str]) -> Vector:
        """Vectors of `texts` by one request."""

    async def _embed_batch(self, texts: Sequence[str]) -> Vector:
        """Vectors of `texts`; blank ones, which the services refuse, have no direction."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        # A lone surrogate is no Unicode, and cannot be sent.
        sendable = [text.encode("utf-8", "replace").decode() for text in texts]
        rows = [row for row, text in enumerate(sendable) if text.strip()]
        if rows:
            vectors[rows] = await self._embed_parts([sendable[row] for row in rows])
        return vectors

    async def _embed_parts(self, texts: Sequence[str]) -> Vector:
        gate = asyncio.Semaphore(PARALLEL_REQUESTS)

        async def embed_part(part: Sequence[str]) -> Vector:
            async with gate:
                return await self._embed_part(part)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(embed_part(part)) for part in self._split(texts)]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return np.concatenate([task.result() for task in tasks])

    async def _embed_part(self, texts: Sequence[str]) -> Vector:
        """Vectors of `texts`; refused as too long, they are halved until they fit."""
        try:
            return await self._guard.call(lambda: self._request(texts))
        except ProviderInputTooLong:
            # Tokens were only estimated.
            if len(texts) == 1:
                return await self._embed_beginning(texts[0])
        middle = len(texts) // 2
        halves = [await self._embed_part(half) for half in (texts[:middle], texts[middle:])]
        return np.concatenate(halves)

    async def _embed_beginning(self, text: str) -> Vector:
        """The vector of as much of `text` as the model takes."""
        if len(text) < SHORTEST_TEXT:
            raise ProviderInputTooLong
        return await self._embed_part([text[: len(text) // 2]])

    def _split(self, texts: Sequence[str]) -> list[list[str]]:
        parts: list[list[str]] = []
        tokens = 0
        for text in texts:
            cost = len(text) // CHARS_PER_TOKEN + 1
            if not parts or tokens + cost > self.max_tokens:
                parts.append([])
                tokens = 0
            parts[-1].append(text)
            tokens += cost
        return parts

    def _read(self, answer: dict[str, Any], count: int) -> Vector:
        """The vectors in `answer`, in the order of the texts, whatever order they came in."""
        try:
            rows = {int(item["index"]): item["embedding"] for item in answer["data"]}
            if sorted(rows) != list(range(count)):
                raise ProviderMalformed
            vectors = np.array([rows[index] for index in range(count)], dtype=np.float32)
            self._count((answer.get("usage") or {}).get("prompt_tokens"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderMalformed from error
        return self._check(vectors, count)

    def _count(self, tokens: Any) -> None:
        if isinstance(tokens, int):
            self.usage = Usage(prompt_tokens=self.usage.prompt_tokens + tokens)
            count_tokens(self.model, Usage(prompt_tokens=tokens))
