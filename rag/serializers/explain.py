"""Explaining a search."""

from typing import Any

from rest_framework import serializers

from rag.serializers.search import SearchForm, SearchResultOut


class ExplainForm(SearchForm):
    """A search, and a document that one would have expected."""

    document_id = serializers.UUIDField(required=False)


class CandidateOut(SearchResultOut):
    """A passage with its place in each list; `removed_by` is empty for what was returned."""

    heading_path = serializers.CharField()
    vector_score = serializers.FloatField(allow_null=True)
    vector_rank = serializers.IntegerField(allow_null=True)
    lexical_score = serializers.FloatField(allow_null=True)
    lexical_rank = serializers.IntegerField(allow_null=True)
    fused_score = serializers.FloatField()
    fused_rank = serializers.IntegerField()
    removed_by = serializers.ChoiceField(
        choices=["", "category", "metadata", "near_copy", "top_k"], allow_blank=True
    )


class ExplanationOut(serializers.Serializer[Any]):
    """Everything that a search weighed."""

    query = serializers.CharField()
    standalone_question = serializers.CharField()
    confidence = serializers.FloatField()
    mode = serializers.CharField()
    decline_below = serializers.FloatField()
    uncertain_below = serializers.FloatField()
    vector_weight = serializers.FloatField()
    reranked = serializers.BooleanField()
    vector_failure = serializers.CharField(allow_blank=True)
    candidates = CandidateOut(many=True)
    why_not = serializers.ListField(child=serializers.CharField())
