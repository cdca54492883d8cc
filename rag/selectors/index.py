"""What projections of the chunks read: the list of changes, and the live chunks' vectors."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from common.database import Statement, as_json, as_uuid
from rag.models import ChunkVector, Document, IndexChange, IndexCounter, IndexGeneration
from rag.types import Position

ROWS_AT_ONCE = 2_000
# SQLite takes at most 32,766 parameters; a list of ids is cut well below.
IDS_AT_ONCE = 500
NOTHING = Position(epoch=UUID(int=0), number=0)

OF_DOCUMENT = (
    "chunk__document_id",
    "chunk__document__owner_id",
    "chunk__document__visibility",
    "chunk__document__category",
)

VectorRow = tuple[int, bytes, UUID, UUID | None, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """What a search begins with: the last change, and the generation that answers."""

    position: Position
    fingerprint: str | None
    embedder: Mapping[str, Any]
    calibration: Mapping[str, Any]


# Every question asks this; built by the ORM it would take ten times as long.
STATE = Statement("""
    SELECT c.epoch, c.number, g.fingerprint, g.embedder, g.calibration
    FROM rag_indexcounter c LEFT JOIN rag_indexgeneration g ON g.state = %s
    WHERE c.id = %s ORDER BY g.id LIMIT 1
""")


def read_state() -> IndexState:
    """The state now; one query."""
    row = STATE.fetch_one(IndexGeneration.ACTIVE, IndexCounter.ONLY)
    if row is None:
        return IndexState(position=NOTHING, fingerprint=None, embedder={}, calibration={})
    epoch, number, fingerprint, embedder, calibration = row
    return IndexState(
        position=Position(epoch=as_uuid(epoch), number=number),
        fingerprint=fingerprint,
        embedder=as_json(embedder) or {},
        calibration=as_json(calibration) or {},
    )


def read_position() -> Position:
    """The number of the last committed change; one query."""
    row = IndexCounter.objects.filter(pk=IndexCounter.ONLY).values_list("epoch", "number").first()
    return Position(epoch=row[0], number=row[1]) if row else NOTHING


def documents_changed_after(number: int, last: int) -> list[UUID] | None:
    """Documents of the changes after `number` up to `last`; None when not all are kept."""
    changes = IndexChange.objects.filter(number__gt=number, number__lte=last)
    documents = list(changes.values_list("document_id", flat=True))
    return list(dict.fromkeys(documents)) if len(documents) == last - number else None


def documents_matching(metadata: Mapping[str, Any]) -> set[UUID]:
    """Documents whose metadata has each of these values under its key."""
    documents = Document.objects.all()
    if connection.vendor == "postgresql":
        return set(documents.filter(metadata__contains=metadata).values_list("pk", flat=True))
    for key, value in metadata.items():
        documents = documents.filter(**{f"metadata__{key}": value})
    return set(documents.values_list("pk", flat=True))


def live_vectors(
    fingerprint: str, documents: Collection[UUID] | None = None
) -> Iterator[VectorRow]:
    """(key, vector, document, owner, visibility, category) of each.

    Of all findable documents, or of those among `documents`.
    """
    vectors = _live(fingerprint)
    if documents is None:
        return _rows(vectors)
    return _in_parts(vectors, "chunk__document__in", list(documents))


def vectors_of(fingerprint: str, keys: Sequence[int]) -> Iterator[VectorRow]:
    """The same of the chunks `keys`."""
    return _in_parts(_live(fingerprint), "chunk__in", keys)


def live_chunks(fingerprint: str) -> Iterator[tuple[int, UUID, UUID | None, str, str]]:
    """The same without the vectors, of all findable documents."""
    chunks: Iterator[tuple[int, UUID, UUID | None, str, str]] = (
        _live(fingerprint).values_list("chunk_id", *OF_DOCUMENT).iterator(chunk_size=ROWS_AT_ONCE)
    )
    return chunks


def count_live_vectors(fingerprint: str) -> int:
    """How many there are of all findable documents."""
    return int(_live(fingerprint).count())


def known_fingerprints() -> set[str]:
    """Those of all generations."""
    return set(IndexGeneration.objects.values_list("fingerprint", flat=True))


def _live(fingerprint: str) -> Any:
    return ChunkVector.objects.filter(
        fingerprint=fingerprint, chunk__live=True, chunk__document__hidden=False
    )


def _in_parts(vectors: Any, field: str, values: Sequence[Any]) -> Iterator[VectorRow]:
    for start in range(0, len(values), IDS_AT_ONCE):
        yield from _rows(vectors.filter(**{field: values[start : start + IDS_AT_ONCE]}))


def _rows(vectors: Any) -> Iterator[VectorRow]:
    rows: Iterator[VectorRow] = vectors.values_list("chunk_id", "vector", *OF_DOCUMENT).iterator(
        chunk_size=ROWS_AT_ONCE
    )
    return rows
