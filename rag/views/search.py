"""Searching the documents without an answer."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common import loop
from common.throttling import ScopedThrottle
from rag.retrieval import retrieve
from rag.serializers.search import SearchForm, SearchOut, search_out
from rag.types import Question, Viewer

TAGS = ["Knowledge base"]
FOUND = OpenApiExample(
    "Found",
    response_only=True,
    value={
        "query": "How long does an access token live?",
        "results": [
            {
                "document_id": "01980d1e-7b1c-7c33-9d55-2f6f3f0a9b11",
                "version": 1,
                "title": "Access tokens and refresh tokens",
                "category": "guide",
                "chunk_id": "01980d1e-7b2a-7e90-8f0e-2f7f55b8a3c4",
                "text": "An access token lives 15 minutes.",
                "span": [1042, 1075],
                "score": 0.9213,
            }
        ],
    },
)


class SearchView(APIView):
    """The best passages for a query, by meaning and by words."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "search"

    @extend_schema(
        operation_id="rag_search",
        tags=TAGS,
        summary="Search the documents",
        description="Passages of public documents and of your own private ones, best first.",
        parameters=[
            OpenApiParameter(
                "q",
                str,
                required=True,
                description="What to look for, up to 2,000 characters.",
                examples=[OpenApiExample("Query", value="How long does an access token live?")],
            ),
            OpenApiParameter("top_k", int, description="How many passages, 1 to 10. Default 3."),
            OpenApiParameter("category", str, description="Only documents of this category."),
        ],
        responses=SearchOut,
        examples=[FOUND],
    )
    def get(self, request: Request) -> Response:
        """Search by query parameters."""
        names = {"q": "query", "top_k": "top_k", "category": "category"}
        given = {
            field: request.query_params[name]
            for name, field in names.items()
            if request.query_params.get(name)
        }
        return self._search(request, given)

    @extend_schema(
        operation_id="rag_search_with_filters",
        tags=TAGS,
        summary="Search the documents with filters",
        description="The same with filters in the body: category, and values of the metadata.",
        request=SearchForm,
        responses=SearchOut,
        examples=[
            OpenApiExample(
                "Query",
                request_only=True,
                value={
                    "query": "How long does an access token live?",
                    "top_k": 3,
                    "category": "guide",
                },
            ),
            FOUND,
        ],
    )
    def post(self, request: Request) -> Response:
        """Search by the body."""
        given = dict(request.data)
        if "q" in given and "query" not in given:
            given["query"] = given.pop("q")
        return self._search(request, given)

    def _search(self, request: Request, given: dict[str, Any]) -> Response:
        form = SearchForm(data=given)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        question = Question(
            text=wanted["query"],
            viewer=Viewer(user_id=request.user.pk),
            category=wanted.get("category"),
            metadata=wanted.get("metadata") or {},
            top_k=wanted.get("top_k"),
        )
        retrieved = loop.run(retrieve(question))
        return Response(search_out(wanted["query"], retrieved.passages))
