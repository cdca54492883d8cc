"""Vectors from any endpoint that speaks OpenAI's protocol."""

from collections.abc import Sequence

from rag.embedders.remote import RemoteEmbedder
from rag.types import Vector
from rag.vendors.openai import openai_client

MAX_INPUTS = 256
# OpenAI takes 300,000 tokens a request; servers at home take less.
MAX_TOKENS = 32_000
DIMENSIONS = {"text-embedding-3-small": 1_536, "text-embedding-3-large": 3_072}


class OpenAIEmbedder(RemoteEmbedder):
    """An embedding model at `base_url` (empty: OpenAI's own).

    `dimension` must be given for a model that is not OpenAI's; with `shorten`, it is asked of a
    model that can make its vectors shorter.
    """

    batch_size = MAX_INPUTS
    max_tokens = MAX_TOKENS

    def __init__(
        self,
        *,
        api_key: str = "",
        model: str = "text-embedding-3-small",
        base_url: str = "",
        dimension: int = 0,
        shorten: bool = False,
        seconds: float = 10.0,
        total_seconds: float = 60.0,
    ) -> None:
        super().__init__(
            provider=f"openai-embed@{base_url}/{model}",
            model=model,
            dimension=dimension or DIMENSIONS.get(model, 1_536),
            seconds=seconds,
            total_seconds=total_seconds,
        )
        self.fingerprint = f"openai:{model}:{self.dimension}"
        self._client = openai_client(api_key, base_url)
        self._options = {"dimensions": self.dimension} if shorten else {}

    async def _request(self, texts: Sequence[str]) -> Vector:
        answer = await self._client.embed(
            model=self.model, texts=texts, seconds=self._seconds, **self._options
        )
        return self._read(answer, len(texts))
