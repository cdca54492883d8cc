"""Vectors in Pinecone: one namespace per embedder, permissions inside the query."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from common.loop import in_thread
from rag.errors import NotConfigured, ProviderMalformed, ProviderUnavailable
from rag.resilience.guard import Guard
from rag.resilience.retry import RetryPolicy
from rag.types import Filters, Hit, Vector, VectorRecord
from rag.vector_stores.base import VectorStore
from rag.vendors.pinecone import PineconeClient, pinecone_client
from rag.vendors.pinecone_control import Place

# [documented limits] 2 MB a request, 1,000 records, 1,000 ids, 10,000 results.
REQUEST_BYTES = 1_800_000
BYTES_PER_NUMBER = 22
BYTES_PER_RECORD = 400
MAX_RECORDS = 1_000
MAX_IDS = 1_000
PARALLEL_REQUESTS = 8
MAX_RESULTS = 10_000
POLL_SECONDS = 0.25
UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class PineconeVectorStore(VectorStore):
    """A Pinecone index. `seconds` bounds a search; writes and listings may take longer.

    An upsert returns once what it wrote can be found: the service applies writes later, and a
    chunk counts as searchable when it is.
    """

    def __init__(
        self,
        *,
        dimension: int,
        fingerprint: str,
        api_key: str,
        index_name: str = "docent",
        region: str = "us-east-1",
        cloud: str = "aws",
        control_host: str = "",
        index_host: str = "",
        seconds: float = 3.0,
        write_seconds: float = 60.0,
        visible_seconds: float = 30.0,
    ) -> None:
        super().__init__(dimension=dimension, fingerprint=fingerprint)
        if not api_key:
            raise NotConfigured("PINECONE_API_KEY is not set.")
        place = Place(
            api_key=api_key,
            index_name=index_name,
            region=region,
            cloud=cloud,
            control_host=control_host,
            index_host=index_host,
        )
        self.namespace = UNSAFE.sub("-", fingerprint)
        self.client: PineconeClient = pinecone_client(place)
        name = f"pinecone@{control_host or index_host}/{index_name}"
        # The SDK tries again by itself: once more around it would multiply.
        once = RetryPolicy(attempts=1)
        self._seconds = seconds
        self._write_seconds = write_seconds
        self._visible_seconds = visible_seconds
        self._reading = Guard(name, seconds=seconds, total=seconds, policy=once)
        self._writing = Guard(
            f"{name}:write", seconds=write_seconds, total=write_seconds, policy=once
        )

    async def ensure_index(self, *, seconds: float) -> bool:
        """Make the serverless index, cosine, of the embedder's dimension, where it is missing."""
        return await self.client.control.ensure_index(dimension=self.dimension, seconds=seconds)

    async def _search(self, vector: Vector, filters: Filters, limit: int) -> list[Hit]:
        allowed = await self._allowed(filters)
        matches = await self._reading.call(
            lambda: self.client.query(
                vector=vector.tolist(),
                namespace=self.namespace,
                filters=allowed,
                limit=min(limit, MAX_RESULTS),
                seconds=self._seconds,
            )
        )
        return [Hit(key=_key(number), score=score) for number, score in matches]

    async def _upsert(self, records: Sequence[VectorRecord]) -> None:
        record_bytes = self.dimension * BYTES_PER_NUMBER + BYTES_PER_RECORD
        size = max(1, min(MAX_RECORDS, REQUEST_BYTES // record_bytes))
        gate = asyncio.Semaphore(PARALLEL_REQUESTS)

        async def write(part: Sequence[VectorRecord]) -> None:
            async with gate:
                await self._write([_as_vector(record) for record in part])

        try:
            async with asyncio.TaskGroup() as group:
                for start in range(0, len(records), size):
                    group.create_task(write(records[start : start + size]))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _write(self, vectors: list[dict[str, Any]]) -> None:
        position = await self._writing.call(
            lambda: self.client.upsert(
                vectors, namespace=self.namespace, seconds=self._write_seconds
            )
        )
        await self._wait_until_seen([vectors[0]["id"], vectors[-1]["id"]], position)

    async def _wait_until_seen(self, ids: list[str], position: int | None) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + self._visible_seconds
        while not await self._reading.call(
            lambda: self.client.seen(
                ids, namespace=self.namespace, position=position, seconds=self._seconds
            )
        ):
            if clock() > end:
                raise ProviderUnavailable
            await asyncio.sleep(POLL_SECONDS)

    async def _delete(self, keys: Sequence[int]) -> None:
        ids = [str(key) for key in keys]
        for start in range(0, len(ids), MAX_IDS):
            part = ids[start : start + MAX_IDS]
            await self._writing.call(
                lambda part=part: self.client.delete(  # type: ignore[misc]
                    part, namespace=self.namespace, seconds=self._write_seconds
                )
            )

    async def keys(self) -> set[int]:
        """The keys in this embedder's namespace."""

        async def read() -> set[int]:
            found: set[int] = set()
            async for page in self.client.list_ids(
                namespace=self.namespace, seconds=self._write_seconds
            ):
                found.update(map(_key, page))
            return found

        return await self._writing.call(read)

    async def _allowed(self, filters: Filters) -> dict[str, Any]:
        """What the viewer may see, as a filter that Pinecone applies while it searches."""
        permitted: list[dict[str, Any]] = [{"public": {"$eq": True}}]
        if filters.viewer.user_id is not None:
            permitted.append({"owner": {"$eq": str(filters.viewer.user_id)}})
        conditions: list[dict[str, Any]] = [{"$or": permitted}]
        if filters.category is not None:
            conditions.append({"category": {"$eq": filters.category}})
        if filters.metadata:
            documents = await in_thread(_documents_matching, filters.metadata)
            conditions.append({"document": {"$in": documents}})
        return conditions[0] if len(conditions) == 1 else {"$and": conditions}


def _as_vector(record: VectorRecord) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "document": str(record.document_id),
        "public": record.public,
        "category": record.category,
    }
    # Pinecone knows no null: a document of nobody has no owner at all.
    if record.owner_id is not None:
        metadata["owner"] = str(record.owner_id)
    return {"id": str(record.key), "values": record.vector.tolist(), "metadata": metadata}


def _key(number: str) -> int:
    """The key that `number` was made from; what else lies in the namespace is not ours."""
    if not number.isdecimal():
        raise ProviderMalformed
    return int(number)


def _documents_matching(metadata: Any) -> list[str]:
    from rag.selectors.index import documents_matching

    return [str(document) for document in documents_matching(metadata)]
