"""Chunks as passages, for those who may see them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F, Q

from common.database import as_uuid, fill, statement
from rag.lexical.filters import NOBODY, visible_sql
from rag.models import Chunk, ChunkVector, Document
from rag.types import Filters, Passage, Viewer

Scores = Mapping[int, float]

MAX_PUBLIC_TEXTS = 2_000


def visible_chunks(filters: Filters) -> Q:
    """The condition on chunks that every read for a viewer carries."""
    condition = Q(
        live=True, document__hidden=False, version_id=F("document__current_version_id")
    ) & _may_see(filters.viewer)
    if filters.category is not None:
        condition &= Q(document__category=filters.category)
    return condition


def public_texts() -> Iterator[str]:
    """Headings and text of the newest chunks that everybody may see."""
    chunks = Chunk.objects.filter(visible_chunks(Filters(viewer=Viewer()))).order_by("-key")
    for heading_path, text in chunks.values_list("heading_path", "text")[:MAX_PUBLIC_TEXTS]:
        yield f"{heading_path}\n{text}"


def _may_see(viewer: Viewer) -> Q:
    # Always both conditions: with the first alone SQLite walks all public documents by their
    # index instead of looking up the few chunks by key (2 s instead of 1 ms at 100,000 chunks).
    public = Q(document__visibility=Document.PUBLIC)
    return public | Q(document__owner_id=viewer.user_id or NOBODY)


# By hand: building it anew by the ORM takes twice as long as running it.
READ = """
    SELECT c.key, c.public_id, c.document_id, v.number, d.title, d.category, c.text, c.start,
        c."end", c.heading_path
    FROM rag_chunk c
    JOIN rag_document d ON d.id = c.document_id
    JOIN rag_documentversion v ON v.id = c.version_id
    WHERE c.live AND {visible} AND c.key IN ({marks})
"""


class Row(NamedTuple):
    """A chunk as the database gives it, with its document's names."""

    key: int
    chunk_id: Any
    document_id: Any
    version: int
    title: str
    category: str
    text: str
    start: int
    end: int
    heading_path: str

    def as_passage(self, score: float, *, vector: Scores, lexical: Scores) -> Passage:
        """The chunk as a source."""
        return Passage(
            key=self.key,
            chunk_id=as_uuid(self.chunk_id),
            document_id=as_uuid(self.document_id),
            version=self.version,
            title=self.title,
            category=self.category,
            text=self.text,
            span=(self.start, self.end),
            heading_path=self.heading_path,
            score=score,
            vector_score=vector.get(self.key),
            lexical_score=lexical.get(self.key),
        )


def read_rows(keys: Sequence[int], filters: Filters) -> list[Row]:
    """The chunks `keys`, in order, without what may not be seen; one query."""
    if not keys:
        return []
    visible, values = visible_sql(filters)
    places = fill(keys)
    read = statement(READ.replace("{visible}", visible), len(places))
    found = {row[0]: row for row in read.fetch_all(*values, *places)}
    return [Row._make(found[key]) for key in keys if key in found]


def stored_vectors(keys: Iterable[int], fingerprint: str) -> dict[int, bytes]:
    """The database's vectors of the chunks `keys`; one query."""
    rows = ChunkVector.objects.filter(fingerprint=fingerprint, chunk_id__in=list(keys))
    return {key: bytes(vector) for key, vector in rows.values_list("chunk_id", "vector")}


def all_public(documents: Collection[UUID]) -> bool:
    """Whether each of `documents` is there for everybody to see."""
    public = Document.objects.filter(pk__in=documents, visibility=Document.PUBLIC, hidden=False)
    return public.count() == len(documents)
