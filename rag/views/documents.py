"""Documents: the list, one of them, and what may be done with it."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import Invalid
from rag.models import Document
from rag.selectors.documents import list_documents, list_versions
from rag.serializers.documents import DocumentChangeForm, DocumentDetailOut, DocumentOut
from rag.services.documents import change_document, delete_document
from rag.views.base import TAGS, DocumentsListView, DocumentsView
from rag.views.examples import READY, VERSION, answer, body, listed

ORDERINGS = {"created_at": "id", "-created_at": "-id", "title": "title", "-title": "-title"}
FILTERS = {
    "status": {value for value, _ in Document.STATUSES},
    "visibility": {value for value, _ in Document.VISIBILITIES},
}


class DocumentListView(DocumentsListView):
    """Documents that the caller may see."""

    @extend_schema(
        operation_id="rag_documents_list",
        tags=TAGS,
        summary="List documents",
        description="Public documents and your own private ones, newest first.",
        parameters=[
            OpenApiParameter("category", str),
            OpenApiParameter("status", str, enum=sorted(FILTERS["status"])),
            OpenApiParameter("visibility", str, enum=sorted(FILTERS["visibility"])),
            OpenApiParameter("search", str, description="Part of the title."),
            OpenApiParameter("ordering", str, enum=sorted(ORDERINGS)),
        ],
        responses=DocumentOut(many=True),
        examples=[listed(READY)],
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        documents = list_documents(self.user_id, is_staff=self.is_staff)
        documents = documents.filter(**_read_filters(request)).order_by(_read_ordering(request))
        return self.paged(documents, DocumentOut)


def _read_filters(request: Request) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for name, known in FILTERS.items():
        if value := request.query_params.get(name):
            if value not in known:
                raise Invalid(errors={name: [f"One of {', '.join(sorted(known))}."]})
            filters[name] = value
    if category := request.query_params.get("category"):
        filters["category"] = category.lower()
    if search := request.query_params.get("search"):
        filters["title__icontains"] = search
    return filters


def _read_ordering(request: Request) -> str:
    name = request.query_params.get("ordering") or "-created_at"
    if name not in ORDERINGS:
        raise Invalid(errors={"ordering": [f"One of {', '.join(sorted(ORDERINGS))}."]})
    return ORDERINGS[name]


class DocumentView(DocumentsView):
    """One document."""

    @extend_schema(
        operation_id="rag_documents_read",
        tags=TAGS,
        summary="See a document and its processing",
        description="`status` goes from queued to processing to ready or failed.",
        responses=DocumentDetailOut,
        examples=[answer({**READY, "versions": [VERSION]})],
    )
    def get(self, request: Request, document_id: UUID) -> Response:
        """The document."""
        return self._respond(self.find(document_id))

    @extend_schema(
        operation_id="rag_documents_change",
        tags=TAGS,
        summary="Change a document",
        description="Category, visibility, metadata and `hidden` are in force at once; a new title "
        "or content becomes a new version, and the present one answers until that is ready.",
        request=DocumentChangeForm,
        responses=DocumentDetailOut,
        examples=[
            body({"category": "faq", "hidden": False}),
            answer({**READY, "category": "faq", "versions": [VERSION]}),
        ],
    )
    def patch(self, request: Request, document_id: UUID) -> Response:
        """Change it."""
        document = self.find_to_change(document_id)
        form = DocumentChangeForm(data=request.data)
        form.is_valid(raise_exception=True)
        if form.validated_data.get("visibility") == Document.PUBLIC:
            self.refuse_public()
        changes = form.validated_data
        return self._respond(change_document(document, user_id=self.user_id, changes=changes))

    @extend_schema(
        operation_id="rag_documents_delete",
        tags=TAGS,
        summary="Delete a document",
        description="It is out of every search and answer at once, with all its versions.",
        responses={204: None},
    )
    def delete(self, request: Request, document_id: UUID) -> Response:
        """Delete it."""
        delete_document(self.find_to_change(document_id))
        return Response(status=204)

    def _respond(self, document: Document) -> Response:
        versions = list_versions(document, keeper=self.keeps(document))
        return Response(DocumentDetailOut(document, context={"versions": versions}).data)
