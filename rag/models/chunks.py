"""Chunks of a version's content, and their vectors."""

from django.db import models
from django.db.models import F, Q

from common.identifiers import new_id
from rag.models.documents import Document, DocumentVersion


class Chunk(models.Model):
    """`version.content[start:end]`; its whole-number key is its id in every index."""

    key = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    version = models.ForeignKey(DocumentVersion, on_delete=models.CASCADE, related_name="chunks")
    # Part of its document's current version: triggers keep the lexical index to these.
    live = models.BooleanField(default=False)
    ordinal = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    heading_path = models.TextField()
    text = models.TextField()
    # Pieces of words, for languages that the stemmer does not know; empty for English.
    grams = models.TextField(blank=True, default="")
    # SHA-256 of what is embedded: an unchanged chunk of a new version keeps its vector.
    text_hash = models.CharField(max_length=64)
    suspicious = models.BooleanField(default=False)

    class Meta:
        ordering = ("version", "ordinal")
        indexes = [
            models.Index(fields=["document", "text_hash"], name="chunk_reuse"),
            models.Index(fields=["document"], name="chunk_live", condition=Q(live=True)),
            # Counted whenever the index changes, so not by reading every text.
            models.Index(
                fields=["document"],
                name="chunk_with_grams",
                condition=Q(live=True) & ~Q(grams=""),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["version", "ordinal"], name="chunk_ordinal_once"),
            models.CheckConstraint(name="chunk_span_order", condition=Q(end__gt=F("start"))),
        ]

    def __str__(self) -> str:
        return f"{self.heading_path} [{self.start}:{self.end}]"


class ChunkVector(models.Model):
    """A chunk's unit vector in the space of one embedder: float32, little-endian."""

    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE, related_name="vectors")
    fingerprint = models.CharField(max_length=100)
    vector = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chunk", "fingerprint"], name="vector_once")]

    def __str__(self) -> str:
        return f"{self.chunk_id} in {self.fingerprint}"
