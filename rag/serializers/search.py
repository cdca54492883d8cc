"""Searching: what is asked and what is found."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from rag.serializers.fields import CategoryField, MetadataField, StrictCharField
from rag.types import Passage

MAX_QUERY_CHARS = 2_000


class SearchForm(serializers.Serializer[Any]):
    """A query and its filters."""

    query = StrictCharField(max_length=MAX_QUERY_CHARS)
    top_k = serializers.IntegerField(min_value=1, required=False)
    category = CategoryField(required=False, allow_null=True)
    metadata = MetadataField(required=False)

    def validate_top_k(self, value: int) -> int:
        """At most as many as the settings allow."""
        if value > settings.RAG["MAX_TOP_K"]:
            raise serializers.ValidationError(f"At most {settings.RAG['MAX_TOP_K']}.")
        return value


class SearchResultOut(serializers.Serializer[Passage]):
    """A passage: `text` stands at `span` of that version's content."""

    document_id = serializers.UUIDField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    category = serializers.CharField()
    chunk_id = serializers.UUIDField()
    text = serializers.CharField()
    span = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)
    score = serializers.FloatField()


class SearchOut(serializers.Serializer[Any]):
    """The query and its passages, best first."""

    query = serializers.CharField()
    results = SearchResultOut(many=True)


def search_out(query: str, passages: tuple[Passage, ...]) -> dict[str, Any]:
    """The body of an answer to a search."""
    return {
        "query": query,
        "results": [
            {
                "document_id": passage.document_id,
                "version": passage.version,
                "title": passage.title,
                "category": passage.category,
                "chunk_id": passage.chunk_id,
                "text": passage.text,
                "span": list(passage.span),
                "score": round(passage.score, 4),
            }
            for passage in passages
        ],
    }
