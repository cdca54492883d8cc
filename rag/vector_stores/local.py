"""The store that needs no service: vectors in the database, an exact index over them here.

Before each search it looks how far the list of changes has come and takes in what is new, so
that every process answers from the state that the search began with.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np

from common.loop import in_thread
from rag.selectors.index import (
    VectorRow,
    count_live_vectors,
    documents_changed_after,
    documents_matching,
    known_fingerprints,
    live_chunks,
    live_vectors,
    read_position,
    vectors_of,
)
from rag.types import Filters, Hit, Position, Vector, VectorRecord
from rag.vector_stores.base import VectorStore
from rag.vector_stores.flat import FlatIndex
from rag.vector_stores.locks import ReadWriteLock
from rag.vector_stores.mapped import VectorFiles

logger = logging.getLogger(__name__)

LOAD_BATCH = 2_000
# With more documents changed than this, reading everything anew is not dearer.
MAX_DELTA_DOCUMENTS = 5_000

# From here on vectors lie in a file for all processes; fewer are not worth one.
FILE_FROM_VECTORS = 20_000
# A file that lacks more than this share of the vectors is made anew.
MAX_MISSING_SHARE = 8

# Up to here a search takes a few milliseconds: the hop to a second thread would gain nothing.
SMALL_CHUNKS = 50_000

T = TypeVar("T")


class LocalVectorStore(VectorStore):
    """Exact search in the process; safe for any number of threads.

    Many vectors lie in a file below `folder`, which the host's processes share; without one each
    holds its own.
    """

    follows_database = True

    def __init__(
        self,
        *,
        dimension: int,
        fingerprint: str,
        folder: str | Path | None = None,
        file_from: int = FILE_FROM_VECTORS,
    ) -> None:
        super().__init__(dimension=dimension, fingerprint=fingerprint)
        self._folder = Path(folder) if folder else None
        self._file_from = file_from
        self._lock = ReadWriteLock()
        self._index: FlatIndex | None = None
        self._position: Position | None = None

    @property
    def stays_here(self) -> bool:  # type: ignore[override]
        """True as long as the index is small."""
        return self._index is None or len(self._index) <= SMALL_CHUNKS

    async def _search(self, vector: Vector, filters: Filters, limit: int) -> list[Hit]:
        return await in_thread(self.search_now, vector, filters, limit)

    async def score(self, vector: Vector, keys: Sequence[int]) -> dict[int, float] | None:
        """Cosines of those of `keys` that are in the index, as it is at this moment."""
        return self.score_now(vector, keys)

    def score_now(self, vector: Vector, keys: Sequence[int]) -> dict[int, float]:
        """The same from any thread."""
        with self._lock.reading():
            return {} if self._index is None else self._index.score(vector, keys)

    def see_now(self, keys: Sequence[int], filters: Filters) -> dict[int, bool]:
        """Of those of `keys` that are in the index, whether `filters` allow them."""
        documents = documents_matching(filters.metadata) if filters.metadata else None
        viewer, category = filters.viewer.user_id, filters.category
        return self._read(
            lambda index: index.see(keys, viewer, category, documents), filters.position
        )

    async def keys(self) -> set[int]:
        """All keys, after taking in what is new."""
        return await in_thread(self._read, lambda index: index.keys(), None)

    async def _upsert(self, records: Sequence[VectorRecord]) -> None:
        await in_thread(self._write, lambda index: index.put(records))

    async def _delete(self, keys: Sequence[int]) -> None:
        await in_thread(self._write, lambda index: index.remove(keys))

    def search_now(self, vector: Vector, filters: Filters, limit: int) -> list[Hit]:
        """`search`, for a thread that may use the database."""
        if not np.any(vector):
            return []
        documents = documents_matching(filters.metadata) if filters.metadata else None

        def search(index: FlatIndex) -> list[Hit]:
            mask = index.mask(filters.viewer.user_id, filters.category, documents)
            return index.search(vector, mask, limit)

        return self._read(search, filters.position)

    def _read(self, work: Callable[[FlatIndex], T], position: Position | None) -> T:
        position = position or read_position()
        if self._is_behind(position):
            with self._lock.writing():
                self._catch_up(position)
        with self._lock.reading():
            assert self._index is not None  # noqa: S101 (set by _catch_up, never unset)
            return work(self._index)

    def _write(self, work: Callable[[FlatIndex], None]) -> None:
        position = read_position()
        with self._lock.writing():
            self._catch_up(position)
            assert self._index is not None  # noqa: S101 (set by _catch_up, never unset)
            work(self._index)

    def _is_behind(self, position: Position) -> bool:
        own = self._position
        return own is None or own.epoch != position.epoch or own.number < position.number

    def _catch_up(self, position: Position) -> None:
        if not self._is_behind(position):
            return
        own = self._position
        changed = None
        if own is not None and own.epoch == position.epoch:
            changed = documents_changed_after(own.number, position.number)
        # Set only once the work is done: a failure leaves it to the next search.
        if changed is None or len(changed) > MAX_DELTA_DOCUMENTS or self._index is None:
            self._index = self._load(position)
        else:
            self._apply(self._index, changed)
        self._position = position

    def _apply(self, index: FlatIndex, changed: Collection[UUID]) -> None:
        records = list(self._records(changed))
        index.remove_documents(changed)
        index.put(records)

    def _load(self, position: Position) -> FlatIndex:
        count = count_live_vectors(self.fingerprint)
        index = None
        if self._folder is not None and count >= max(1, self._file_from):
            try:
                index = self._share(VectorFiles(self._folder, self.fingerprint, position.epoch))
            except OSError as error:
                logger.warning("Vectors stay in each process's memory: %s", error.strerror)
        index = index or self._read_all()
        logger.info("Loaded %d vectors of %s", len(index), self.fingerprint)
        return index

    def _share(self, files: VectorFiles) -> FlatIndex:
        """An index over the file that another process made, or over one made now."""
        with files.locked():
            files.tidy(known_fingerprints() | {self.fingerprint})
            if (base := files.open(self.dimension)) is not None:
                index = FlatIndex(self.dimension, base)
                missing = index.adopt(live_chunks(self.fingerprint))
                if len(missing) * MAX_MISSING_SHARE <= len(base):
                    index.put(list(self._as_records(vectors_of(self.fingerprint, missing))))
                    return index
            index = self._read_all()
            index.move_to(files)
            return index

    def _read_all(self) -> FlatIndex:
        index = FlatIndex(self.dimension)
        index.reserve(count_live_vectors(self.fingerprint), exact=True)
        records = self._as_records(live_vectors(self.fingerprint))
        while batch := list(islice(records, LOAD_BATCH)):
            index.put_new(batch)
        return index

    def _records(self, documents: Collection[UUID]) -> Iterator[VectorRecord]:
        return self._as_records(live_vectors(self.fingerprint, documents))

    def _as_records(self, rows: Iterator[VectorRow]) -> Iterator[VectorRecord]:
        for key, vector, document, owner, visibility, category in rows:
            yield VectorRecord(
                key=key,
                vector=np.frombuffer(vector, dtype="<f4"),
                document_id=document,
                owner_id=owner,
                public=visibility == "public",
                category=category,
            )
