"""The tables of the knowledge base. The database is the truth; every index is a projection."""

from rag.models.chunks import Chunk, ChunkVector
from rag.models.documents import Document, DocumentVersion
from rag.models.generations import IndexGeneration
from rag.models.outbox import IndexChange, IndexCounter

__all__ = [
    "Chunk",
    "ChunkVector",
    "Document",
    "DocumentVersion",
    "IndexChange",
    "IndexCounter",
    "IndexGeneration",
]
