"""A version's content as rows of chunks."""

import hashlib

from rag.chunking import ChunkSpan, split_document
from rag.lexical.terms import grams_of
from rag.models import Chunk, DocumentVersion
from rag.suspicion import is_suspicious
from rag.text.questions import PATH_SEPARATOR

ROWS_AT_ONCE = 500


def embedding_text(heading_path: str, text: str) -> str:
    """What is embedded for a chunk: where it stands, then what it says."""
    return f"{heading_path}\n{text}"


def save_chunks(version: DocumentVersion) -> int:
    """Write the chunks of `version`, not live yet; how many. Those of an earlier try go."""
    version.chunks.all().delete()
    chunks = build_chunks(version)
    Chunk.objects.bulk_create(chunks, batch_size=ROWS_AT_ONCE)
    return len(chunks)


def build_chunks(version: DocumentVersion, *, live: bool = False) -> list[Chunk]:
    """The unsaved chunks of `version.content`, in order."""
    return [
        _build(version, ordinal, span, live=live)
        for ordinal, span in enumerate(split_document(version.content))
    ]


def _build(version: DocumentVersion, ordinal: int, span: ChunkSpan, *, live: bool) -> Chunk:
    text = version.content[span.start : span.end]
    path = PATH_SEPARATOR.join(dict.fromkeys((version.title, *span.heading_path)))
    return Chunk(
        document_id=version.document_id,
        version=version,
        live=live,
        ordinal=ordinal,
        start=span.start,
        end=span.end,
        heading_path=path,
        text=text,
        grams=grams_of(text),
        suspicious=is_suspicious(text),
        text_hash=hashlib.sha256(embedding_text(path, text).encode()).hexdigest(),
    )
