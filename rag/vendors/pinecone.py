"""Pinecone's data plane through its SDK, which is imported only once it is used.

As version 10 behaves, and what that means here: its data plane retries three times by itself
and each try has the full timeout, so every call stands inside a deadline of ours; a host without
a dot is refused (give a service in a container network an alias such as `vectors.internal`); an
async client belongs to one event loop.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from rag.errors import ProviderMalformed
from rag.resilience.perloop import PerLoop
from rag.vendors.pinecone_control import PineconeControl, Place, translated_errors

if TYPE_CHECKING:
    from pinecone.async_client.async_index import AsyncIndex

POOL_SIZE = 64


class PineconeClient:
    """One index of Pinecone, one SDK client per event loop."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.control = PineconeControl(place)
        self._indexes: PerLoop[AsyncIndex] = PerLoop(self._build_index)
        self._host = place.index_host

    async def query(
        self,
        *,
        vector: Sequence[float],
        namespace: str,
        filters: Mapping[str, Any],
        limit: int,
        seconds: float,
    ) -> list[tuple[str, float]]:
        """(id, score) of the nearest vectors, best first."""
        index = await self._index()
        with translated_errors():
            answer = await index.query(
                vector=vector, namespace=namespace, filter=filters, top_k=limit, timeout=seconds
            )
            return [(match.id, match.score) for match in answer.matches]

    async def upsert(
        self, vectors: Sequence[dict[str, Any]], *, namespace: str, seconds: float
    ) -> int | None:
        """Put `vectors` in by one request; the log position, where the service tells it.

        One request, not the SDK's batches: those add up what was sent, not what was taken.
        """
        index = await self._index()
        with translated_errors():
            answer = await index.upsert(vectors=vectors, namespace=namespace, timeout=seconds)
        if answer.upserted_count != len(vectors):
            raise ProviderMalformed
        return answer.response_info.lsn_committed if answer.response_info else None

    async def seen(
        self, ids: Sequence[str], *, namespace: str, position: int | None, seconds: float
    ) -> bool:
        """Whether reads reach the log `position`, or where that is not told, find all `ids`."""
        index = await self._index()
        with translated_errors():
            answer = await index.fetch(ids=list(ids), namespace=namespace, timeout=seconds)
        reached = answer.response_info.lsn_reconciled if answer.response_info else None
        if position is not None and reached is not None:
            return reached >= position
        return set(ids) <= set(answer.vectors)

    async def delete(self, ids: Sequence[str], *, namespace: str, seconds: float) -> None:
        """Take `ids` out; a namespace that is not there holds none of them."""
        from pinecone.errors.exceptions import NotFoundError

        index = await self._index()
        with translated_errors():
            try:
                await index.delete(ids=list(ids), namespace=namespace, timeout=seconds)
            except NotFoundError:
                return

    async def list_ids(self, *, namespace: str, seconds: float) -> AsyncIterator[list[str]]:
        """Pages of the ids in `namespace`."""
        index = await self._index()
        with translated_errors():
            async for page in index.list(namespace=namespace, limit=100, timeout=seconds):
                yield [item.id for item in page.vectors if item.id is not None]

    async def describe(self, *, seconds: float) -> dict[str, Any]:
        """The index's dimension and count, by its own word."""
        index = await self._index()
        with translated_errors():
            stats = await index.describe_index_stats(timeout=seconds)
        return {"dimension": stats.dimension, "count": stats.total_vector_count}

    async def _index(self) -> "AsyncIndex":
        if not self._host:
            self._host = await self.control.find_host()
        return await self._indexes.get()

    def _build_index(self) -> "AsyncIndex":
        from pinecone.async_client.async_index import AsyncIndex

        with translated_errors():
            return AsyncIndex(
                host=self._host,
                api_key=self.place.api_key,
                connection_pool_maxsize=POOL_SIZE,
            )


@cache
def pinecone_client(place: Place) -> PineconeClient:
    """The process's one client for `place`."""
    return PineconeClient(place)
