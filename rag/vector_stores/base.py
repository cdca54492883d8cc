"""The role of a vector store: a projection of the database's vectors that can be searched."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from rag.errors import ProviderMalformed
from rag.types import Filters, Hit, Vector, VectorRecord


class VectorStore(ABC):
    """Keeps vectors of one embedder (`fingerprint`) and finds the nearest by cosine.

    Everything in it can be rebuilt from the database; the outbox (`rag.indexing`) keeps it in
    step. Adapters write the hooks; every method raises ProviderError when the back end fails.
    """

    #: True for a store that reads the database's changes itself, before each search.
    follows_database: bool = False
    #: Whether `search_now`, `score_now` and `see_now` work, and a search is over sooner than a
    #: change of threads pays: the whole of it may then run in the caller's thread.
    stays_here: bool = False

    def __init__(self, *, dimension: int, fingerprint: str) -> None:
        self.dimension = dimension
        self.fingerprint = fingerprint

    async def search(self, vector: Vector, *, filters: Filters, limit: int) -> list[Hit]:
        """The nearest chunks that `filters` allow, best first; score is the cosine, -1 to 1."""
        if vector.shape != (self.dimension,) or not np.isfinite(vector).all():
            raise ProviderMalformed
        return await self._search(vector, filters, limit)

    async def upsert(self, records: Sequence[VectorRecord]) -> None:
        """Put `records` in, replacing those of the same key. Idempotent."""
        if any(record.vector.shape != (self.dimension,) for record in records):
            raise ProviderMalformed
        if records:
            await self._upsert(records)

    async def delete(self, keys: Sequence[int]) -> None:
        """Take the chunks `keys` out; unknown keys are no error. Idempotent."""
        if keys:
            await self._delete(keys)

    async def score(self, vector: Vector, keys: Sequence[int]) -> dict[int, float] | None:
        """Cosines of the chunks `keys` with `vector`, or None where the store cannot tell them.

        The caller then computes them from the database's vectors.
        """
        return None

    def search_now(self, vector: Vector, filters: Filters, limit: int) -> list[Hit]:
        """`search` in the caller's thread, which may use the database, where `stays_here`."""
        raise NotImplementedError

    def score_now(self, vector: Vector, keys: Sequence[int]) -> dict[int, float]:
        """`score` likewise."""
        raise NotImplementedError

    def see_now(self, keys: Sequence[int], filters: Filters) -> dict[int, bool]:
        """Of those of `keys` that are in the store, whether `filters` allow them; likewise."""
        raise NotImplementedError

    async def ensure_index(self, *, seconds: float) -> bool | None:
        """Make what the vectors are to lie in, within `seconds`: whether it was missing.

        None for a store that needs nothing made. What is there is left as it is; NotConfigured
        when it does not fit.
        """
        return None

    @abstractmethod
    async def keys(self) -> set[int]:
        """The keys that the store holds, for the sweep that compares it with the database."""

    @abstractmethod
    async def _search(self, vector: Vector, filters: Filters, limit: int) -> list[Hit]: ...

    @abstractmethod
    async def _upsert(self, records: Sequence[VectorRecord]) -> None: ...

    @abstractmethod
    async def _delete(self, keys: Sequence[int]) -> None: ...
