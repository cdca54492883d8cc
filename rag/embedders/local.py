"""WordLlama in this process: no key, no network, 256 dimensions."""

from collections.abc import Sequence

from rag.embedders.base import Embedder
from rag.types import Vector
from rag.vendors.local_model import get_local_model


class LocalEmbedder(Embedder):
    """The weights inside the `wordllama` wheel, read on first use."""

    # It knows English words: cosines of other languages say little.
    english_only = True
    vector_weight = 0.45
    stays_here = True

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """How many numbers a vector has."""
        return get_local_model().dimension

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        """The wheel's version and its weights' hash."""
        return get_local_model().fingerprint

    def embed_now(self, texts: Sequence[str]) -> Vector:
        """Vectors of a question's few turns."""
        return self._check(get_local_model().embed(texts), len(texts))

    async def _embed_batch(self, texts: Sequence[str]) -> Vector:
        # 0.1 ms for a question: cheaper here than the hop to a thread.
        return get_local_model().embed(texts)
