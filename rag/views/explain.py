"""Why a search found what it found; for staff."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from common import loop
from rag.serializers.explain import ExplainForm, ExplanationOut
from rag.services.explain import Explained, Explanation, explain
from rag.types import Question, Viewer
from rag.views.base import TAGS, DocumentsView
from rag.views.examples import DOCUMENT_ID, answer, body

EXAMPLE = {
    "query": "How long does an access token live?",
    "standalone_question": "How long does an access token live?",
    "confidence": 0.97,
    "mode": "grounded",
    "decline_below": 0.4,
    "uncertain_below": 0.55,
    "vector_weight": 0.45,
    "reranked": True,
    "vector_failure": "",
    "candidates": [
        {
            "document_id": DOCUMENT_ID,
            "version": 1,
            "title": "Access tokens and refresh tokens",
            "category": "guide",
            "chunk_id": "01980d1e-7b2a-7e90-8f0e-2f7f55b8a3c4",
            "text": "An access token lives 15 minutes.",
            "span": [1042, 1075],
            "score": 0.81,
            "heading_path": "Access tokens and refresh tokens > How long do they live?",
            "vector_score": 0.78,
            "vector_rank": 1,
            "lexical_score": 11.2,
            "lexical_rank": 1,
            "fused_score": 0.9,
            "fused_rank": 1,
            "removed_by": "",
        }
    ],
    "why_not": [],
}


class ExplainView(DocumentsView):
    """A search with everything that it weighed."""

    permission_classes = (IsAdminUser,)
    throttle_scope = "search"

    @extend_schema(
        operation_id="rag_explain",
        tags=TAGS,
        summary="Explain a search",
        description="For staff: each candidate with both scores and its ranks, the filter that "
        "took it out, and, with `document_id`, why that document is not among the results.",
        request=ExplainForm,
        responses=ExplanationOut,
        examples=[body({"query": "How long does an access token live?"}), answer(EXAMPLE)],
    )
    def post(self, request: Request) -> Response:
        """Search and tell everything."""
        form = ExplainForm(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        document = self.find(wanted["document_id"]) if "document_id" in wanted else None
        question = Question(
            text=wanted["query"],
            viewer=Viewer(user_id=self.user_id),
            category=wanted.get("category"),
            metadata=wanted.get("metadata") or {},
            top_k=wanted.get("top_k"),
        )
        explanation = loop.run(explain(question, document=document))
        return Response(explanation_out(wanted["query"], explanation))


def explanation_out(query: str, explanation: Explanation) -> dict[str, Any]:
    """The body of an explanation."""
    names = (
        "standalone_question", "mode", "decline_below", "uncertain_below", "vector_weight",
        "reranked", "vector_failure",
    )  # fmt: skip
    return {
        "query": query,
        "confidence": round(explanation.confidence, 4),
        **{name: getattr(explanation, name) for name in names},
        "candidates": [_candidate(item) for item in explanation.candidates],
        "why_not": list(explanation.why_not),
    }


def _candidate(item: Explained) -> dict[str, Any]:
    passage = item.passage
    return {
        "document_id": passage.document_id,
        "version": passage.version,
        "title": passage.title,
        "category": passage.category,
        "chunk_id": passage.chunk_id,
        "text": passage.text,
        "span": list(passage.span),
        "score": round(passage.score, 4),
        "heading_path": passage.heading_path,
        "vector_score": _rounded(passage.vector_score),
        "vector_rank": item.vector_rank,
        "lexical_score": _rounded(passage.lexical_score),
        "lexical_rank": item.lexical_rank,
        "fused_score": round(item.fused_score, 4),
        "fused_rank": item.fused_rank,
        "removed_by": item.removed_by,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
