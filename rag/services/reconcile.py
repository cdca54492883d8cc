"""Comparing an external vector store with the database, which is right, and mending it."""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from common import loop
from rag.backends import get_vector_store
from rag.generations import embedder_of, ensure_active
from rag.models import Chunk
from rag.selectors.index import VectorRow, live_vectors
from rag.types import VectorRecord
from rag.vector_stores.base import VectorStore

logger = logging.getLogger(__name__)

RECORDS_AT_ONCE = 500


def reconcile_store(*, dry_run: bool = False) -> dict[str, int]:
    """Put in what the store of the active generation lacks and take out what it should not hold.

    Gives how many were `missing` and `extra`. Finds what no list of changes tells: a store that
    was added later, lost its data, or was written to by others. Raises ProviderError.
    """
    store = get_vector_store(embedder_of(ensure_active()))
    if store.follows_database:
        return {"missing": 0, "extra": 0}
    held = loop.run(store.keys())
    missing = 0
    live: set[int] = set()
    rows = live_vectors(store.fingerprint)
    while part := list(islice(rows, RECORDS_AT_ONCE)):
        live.update(row[0] for row in part)
        lacking = [record_of(row) for row in part if row[0] not in held]
        missing += len(lacking)
        if lacking and not dry_run:
            loop.run(store.upsert(lacking))
    extra = sorted(held - live)
    if not dry_run:
        _take_out(store, extra)
    if missing or extra:
        logger.warning("Vector store mended: %d missing, %d extra", missing, len(extra))
    return {"missing": missing, "extra": len(extra)}


def record_of(row: VectorRow) -> VectorRecord:
    """A row of `live_vectors` as a store takes it."""
    key, vector, document, owner, visibility, category = row
    return VectorRecord(
        key=key,
        vector=np.frombuffer(vector, dtype="<f4"),
        document_id=document,
        owner_id=owner,
        public=visibility == "public",
        category=category,
    )


def _take_out(store: VectorStore, extra: Sequence[int]) -> None:
    for part in _parts(extra):
        # What became live since it was compared stays.
        live = set(
            Chunk.objects.filter(pk__in=part, live=True, document__hidden=False).values_list(
                "pk", flat=True
            )
        )
        loop.run(store.delete([key for key in part if key not in live]))


def _parts(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), RECORDS_AT_ONCE):
        yield keys[start : start + RECORDS_AT_ONCE]
