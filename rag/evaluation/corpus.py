"""Filling a database with a dataset's documents, many at a time."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from django.db import transaction

from common import loop
from rag.chunks import build_chunks, embedding_text
from rag.embedders.base import Embedder
from rag.evaluation.dataset import Dataset, Entry
from rag.generations import embedder_of, ensure_active
from rag.indexing import write_vectors
from rag.loaders import LoadError
from rag.models import Chunk, Document, DocumentVersion
from rag.models.documents import TITLE_MAX_CHARS
from rag.outbox import record_changes
from rag.services.folders import find_files
from rag.services.populate import index_files
from rag.text.normal import normalise

ENTRIES_AT_ONCE = 200


def fill(dataset: Dataset) -> dict[UUID, str]:
    """Index the corpus; the corpus id of each document."""
    if dataset.folder is not None:
        return _fill_from_folder(dataset.folder)
    embedder = embedder_of(ensure_active())
    ids: dict[UUID, str] = {}
    for start in range(0, len(dataset.entries), ENTRIES_AT_ONCE):
        ids |= _fill_part(dataset.entries[start : start + ENTRIES_AT_ONCE], embedder)
    return ids


def _fill_from_folder(folder: Path) -> dict[UUID, str]:
    for file in index_files(find_files([folder])):
        if file.outcome == "failed":
            raise LoadError("not_indexed", f"{file.source}: {file.reason}")
    return dict(Document.objects.values_list("pk", "source"))


@transaction.atomic
def _fill_part(entries: Sequence[Entry], embedder: Embedder) -> dict[UUID, str]:
    versions = [_version(entry) for entry in entries]
    documents = [version.document for version in versions]
    Document.objects.bulk_create(documents)
    DocumentVersion.objects.bulk_create(versions)
    chunks = [chunk for version in versions for chunk in build_chunks(version, live=True)]
    Chunk.objects.bulk_create(chunks)
    texts = [embedding_text(chunk.heading_path, chunk.text) for chunk in chunks]
    vectors = loop.run(embedder.embed(texts))
    write_vectors([chunk.key for chunk in chunks], vectors, embedder.fingerprint)
    for version in versions:
        version.document.current_version = version
        version.document.status = Document.READY
    Document.objects.bulk_update(documents, ["current_version", "status"])
    record_changes([document.pk for document in documents])
    return {version.document_id: entry.id for version, entry in zip(versions, entries, strict=True)}


def _version(entry: Entry) -> DocumentVersion:
    content = normalise(entry.text)
    document = Document(title=entry.title[:TITLE_MAX_CHARS])
    return DocumentVersion(
        document=document,
        number=1,
        title=document.title,
        content=content,
        content_hash=hashlib.sha256(content.encode()).hexdigest(),
        is_chunked=True,
    )
