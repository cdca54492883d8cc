"""Small versions of several documents, chunked, embedded and put to use in one step."""

from collections.abc import Sequence
from functools import cache
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery

from common import loop
from common.database import Rows, Statement
from rag.chunks import build_chunks, embedding_text
from rag.embedders.base import Embedder
from rag.generations import embedder_of, generations_in_use
from rag.indexing import to_bytes
from rag.models import Chunk, ChunkVector, Document, DocumentVersion
from rag.outbox import record_changes

# Of a document's text, by that document and the text's hash.
Vectors = dict[tuple[UUID, str], bytes]

_ADD_VECTOR = Statement(
    "INSERT INTO rag_chunkvector (chunk_id, fingerprint, vector) VALUES (%s, %s, %s)"
)


@cache
def _chunks() -> Rows[Chunk]:
    return Rows(Chunk)


def index_together(versions: Sequence[DocumentVersion], lease_token: UUID) -> set[UUID]:
    """Let answers come from `versions`, each its document's newest, not chunked yet.

    One transaction writes it all; before it a job that dies leaves nothing, so let them be few.
    Gives the documents whose lease still was `lease_token`; others are left alone.
    Raises ProviderError.
    """
    chunks = [chunk for version in versions for chunk in build_chunks(version, live=True)]
    edited = {version.document_id for version in versions if version.number > 1}
    vectors = {
        embedder.fingerprint: _make_vectors(chunks, edited, embedder)
        for embedder in map(embedder_of, generations_in_use())
    }
    with transaction.atomic():
        held = _lock([version.document_id for version in versions], lease_token)
        Chunk.objects.filter(document__in=edited & held, live=True).update(live=False)
        kept = [chunk for chunk in chunks if chunk.document_id in held]
        _chunks().append(kept)
        _ADD_VECTOR.run_many(
            [
                (chunk.key, fingerprint, of_chunk[chunk.document_id, chunk.text_hash])
                for fingerprint, of_chunk in vectors.items()
                for chunk in kept
            ]
        )
        _activate([version.pk for version in versions if version.document_id in held], held)
    return held


def _make_vectors(chunks: Sequence[Chunk], edited: set[UUID], embedder: Embedder) -> Vectors:
    """Vectors of unsaved `chunks`; equal chunks of `edited` documents keep theirs."""
    vectors = _known_vectors(chunks, edited, embedder.fingerprint)
    new = [chunk for chunk in chunks if (chunk.document_id, chunk.text_hash) not in vectors]
    texts = [embedding_text(chunk.heading_path, chunk.text) for chunk in new]
    for chunk, vector in zip(new, loop.run(embedder.embed(texts)), strict=True):
        vectors[chunk.document_id, chunk.text_hash] = to_bytes(vector)
    return vectors


def _known_vectors(chunks: Sequence[Chunk], edited: set[UUID], fingerprint: str) -> Vectors:
    if not edited:
        return {}
    hashes = {chunk.text_hash for chunk in chunks if chunk.document_id in edited}
    found = ChunkVector.objects.filter(
        fingerprint=fingerprint, chunk__document__in=edited, chunk__text_hash__in=hashes
    ).values_list("chunk__document_id", "chunk__text_hash", "vector")
    return {(document_id, text_hash): bytes(vector) for document_id, text_hash, vector in found}


def _lock(documents: Sequence[UUID], lease_token: UUID) -> set[UUID]:
    """Those of `documents` whose lease it is, locked in one order until the commit."""
    held = Document.objects.filter(pk__in=documents, lease_token=lease_token)
    return set(held.select_for_update().order_by("pk").values_list("pk", flat=True))


def _activate(versions: Sequence[UUID], documents: set[UUID]) -> None:
    newest = DocumentVersion.objects.filter(pk__in=versions)
    newest.update(is_chunked=True)
    its_own = newest.filter(document=OuterRef("pk"))
    Document.objects.filter(pk__in=documents).finish(
        current_version=Subquery(its_own.values("pk")), title=Subquery(its_own.values("title"))
    )
    record_changes(sorted(documents))
