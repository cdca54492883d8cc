"""The role of an embedder: text in, unit vectors out."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from rag.errors import ProviderMalformed
from rag.types import Vector

logger = logging.getLogger(__name__)


class Embedder(ABC):
    """Turns texts into vectors. An adapter writes `_embed_batch` and the three facts below."""

    #: Length of every vector.
    dimension: int
    #: Names the vector space: vectors of different fingerprints never meet in one search.
    fingerprint: str
    #: How many texts one call of `_embed_batch` takes.
    batch_size: int = 64
    #: Share of the cosine in the fused score, the rest is the lexical leg's (see `rag.fusion`).
    vector_weight: float = 0.7
    #: Whether cosines of other languages than English say little.
    english_only: bool = False
    #: Whether `embed_now` works: quick, in this process, without a provider.
    stays_here: bool = False

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Vectors of `texts`: float32, shape (len(texts), dimension), unit length.

        Raises ProviderError (see `rag.errors`) when the back end fails or answers nonsense.
        """
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        batches = [
            self._check(await self._embed_batch(batch), len(batch))
            for start in range(0, len(texts), self.batch_size)
            if (batch := list(texts[start : start + self.batch_size]))
        ]
        return np.concatenate(batches)

    def embed_now(self, texts: Sequence[str]) -> Vector:
        """`embed` of a few texts without waiting for anything, where `stays_here`."""
        raise NotImplementedError

    @abstractmethod
    async def _embed_batch(self, texts: Sequence[str]) -> Vector:
        """Vectors of at most `batch_size` texts, of any length but zero."""

    def _check(self, vectors: Vector, count: int) -> Vector:
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.shape != (count, self.dimension) or not np.isfinite(vectors).all():
            logger.warning(
                "%s gave vectors of shape %s, not %s, or numbers that are not finite",
                type(self).__name__,
                vectors.shape,
                (count, self.dimension),
            )
            raise ProviderMalformed
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # A text of unknown words alone has no direction: leave it zero, it matches nothing.
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
