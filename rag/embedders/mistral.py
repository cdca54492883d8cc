"""Vectors from Mistral's embedding models."""

from collections.abc import Sequence

from rag.embedders.remote import RemoteEmbedder
from rag.types import Vector
from rag.vendors.mistral import mistral_client

# [documented limits] 256 inputs and 16,384 tokens a request.
MAX_INPUTS = 256
MAX_TOKENS = 16_384
DIMENSIONS = {"mistral-embed": 1_024, "codestral-embed": 1_536}


class MistralEmbedder(RemoteEmbedder):
    """A Mistral embedding model at `server_url` (empty: Mistral's own)."""

    batch_size = MAX_INPUTS
    max_tokens = MAX_TOKENS

    def __init__(
        self,
        *,
        api_key: str,
        model: str = "mistral-embed",
        server_url: str = "",
        dimension: int = 0,
        seconds: float = 10.0,
        total_seconds: float = 60.0,
    ) -> None:
        super().__init__(
            provider=f"mistral-embed@{server_url}",
            model=model,
            dimension=dimension or DIMENSIONS.get(model, 1_024),
            seconds=seconds,
            total_seconds=total_seconds,
        )
        self.fingerprint = f"mistral:{model}:{self.dimension}"
        self._client = mistral_client(api_key, server_url)
        # Only models of variable size take it, and mistral-embed refuses it.
        self._options = {"output_dimension": dimension} if dimension else {}

    async def _request(self, texts: Sequence[str]) -> Vector:
        answer = await self._client.embed(
            model=self.model, texts=texts, seconds=self._seconds, **self._options
        )
        return self._read(answer, len(texts))
