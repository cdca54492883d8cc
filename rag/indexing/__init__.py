"""From a version's content to live chunks with vectors, in steps that can be resumed."""

from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np
from django.db import models, transaction
from django.db.models import Exists, OuterRef

from common import loop
from rag.chunks import embedding_text, save_chunks
from rag.embedders.base import Embedder
from rag.errors import LeaseLost
from rag.generations import embedder_of, generations_in_use
from rag.models import Chunk, ChunkVector, Document, DocumentVersion
from rag.outbox import record_change
from rag.types import Vector

# Committed together, so a job that dies loses no more than this much embedding.
BATCH_CHUNKS = 128

OnProgress = Callable[[str, int], None]


def index_version(version: DocumentVersion, on_progress: OnProgress) -> None:
    """Chunk and embed `version`, skipping what an earlier try has done.

    `on_progress(stage, percent)` is called in the chunks' transaction and before each batch but
    the first. Raises ProviderError.
    """
    if not version.is_chunked:
        with transaction.atomic():
            save_chunks(version)
            version.is_chunked = True
            version.save(update_fields=["is_chunked"])
            on_progress("embedding", 10)
    for generation in generations_in_use():
        embed_version(version, embedder_of(generation), on_progress)


def embed_version(version: DocumentVersion, embedder: Embedder, on_progress: OnProgress) -> None:
    """Write the vectors that chunks of `version` lack; equal chunks of the document are copied."""
    if version.number > 1:
        copy_vectors(version, embedder.fingerprint)
    missing = list(_without_vector(version, embedder.fingerprint))
    for start in range(0, len(missing), BATCH_CHUNKS):
        if start:
            on_progress("embedding", 10 + 85 * start // len(missing))
        save_vectors(missing[start : start + BATCH_CHUNKS], embedder)


def save_vectors(chunks: Sequence[Chunk], embedder: Embedder) -> None:
    """Embed `chunks` and write their vectors; no connection is held meanwhile."""
    texts = [embedding_text(chunk.heading_path, chunk.text) for chunk in chunks]
    vectors = loop.run(embedder.embed(texts))
    write_vectors([chunk.pk for chunk in chunks], vectors, embedder.fingerprint)


def write_vectors(keys: Sequence[int], vectors: Vector, fingerprint: str) -> None:
    """Store `vectors` of the chunks `keys`; those that are there already stay."""
    rows = [
        ChunkVector(chunk_id=key, fingerprint=fingerprint, vector=to_bytes(vector))
        for key, vector in zip(keys, vectors, strict=True)
    ]
    ChunkVector.objects.bulk_create(rows, ignore_conflicts=True)


def to_bytes(vector: Vector) -> bytes:
    """A vector as it is stored: float32, little-endian."""
    return np.asarray(vector, dtype="<f4").tobytes()


def copy_vectors(version: DocumentVersion, fingerprint: str) -> int:
    """Give chunks of `version` the vectors of equal chunks of earlier versions; how many."""
    wanted = dict(_without_vector(version, fingerprint).values_list("text_hash", "pk"))
    held = ChunkVector.objects.filter(
        fingerprint=fingerprint,
        chunk__document_id=version.document_id,
        chunk__text_hash__in=Chunk.objects.filter(version=version).values("text_hash"),
    ).values_list("chunk__text_hash", "vector")
    by_hash = dict(held)
    rows = [
        ChunkVector(chunk_id=key, fingerprint=fingerprint, vector=by_hash[text_hash])
        for text_hash, key in wanted.items()
        if text_hash in by_hash
    ]
    ChunkVector.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def activate_version(version: DocumentVersion, *, lease_token: UUID | None = None) -> None:
    """Let answers come from `version` from now on: one transaction, one change.

    Raises LeaseLost when `lease_token` is given and no longer the document's, or it is gone.
    """
    with transaction.atomic():
        document = Document.objects.select_for_update().filter(pk=version.document_id)
        if lease_token:
            document = document.filter(lease_token=lease_token)
        if not document.values_list("pk").first():
            raise LeaseLost
        chunks = Chunk.objects.filter(document=version.document_id)
        chunks.filter(live=True).exclude(version=version).update(live=False)
        chunks.filter(version=version, live=False).update(live=True)
        document.finish(current_version=version, title=version.title)
        record_change(version.document_id)


def _without_vector(version: DocumentVersion, fingerprint: str) -> models.QuerySet[Chunk]:
    vectors = ChunkVector.objects.filter(chunk=OuterRef("pk"), fingerprint=fingerprint)
    return Chunk.objects.filter(~Exists(vectors), version=version).order_by("ordinal")
