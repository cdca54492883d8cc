"""What a document's versions hold, and going back to an earlier one."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.pagination import read_whole_number
from rag.models import Document, DocumentVersion
from rag.selectors.documents import get_version, list_chunks, list_versions
from rag.serializers.documents import (
    ChunkOut,
    ContentOut,
    DocumentDetailOut,
    RollbackForm,
    VersionOut,
)
from rag.services.documents import roll_back
from rag.views.base import TAGS, DocumentsListView, DocumentsView
from rag.views.examples import DOCUMENT_ID, READY, VERSION, answer, body, listed

MAX_VERSION = 1_000_000
WHICH = OpenApiParameter(
    "version", int, description="An earlier version, for those who may change the document."
)


class VersionListView(DocumentsListView):
    """The versions of a document."""

    @extend_schema(
        operation_id="rag_versions_list",
        tags=TAGS,
        summary="List a document's versions",
        description="Newest first. Readers who may not change the document see the current one.",
        responses=VersionOut(many=True),
        examples=[listed(VERSION)],
    )
    def get(self, request: Request, document_id: UUID) -> Response:
        """A page of them."""
        document = self.find(document_id)
        versions = list_versions(document, keeper=self.keeps(document))
        return self.paged(versions, VersionOut, current=document.current_version_id)


class RollbackView(DocumentsView):
    """Back to an earlier version."""

    @extend_schema(
        operation_id="rag_rollback",
        tags=TAGS,
        summary="Go back to an earlier version",
        description="Answers come from that version at once; later versions are kept.",
        request=RollbackForm,
        responses=DocumentDetailOut,
        examples=[body({"version": 1}), answer({**READY, "versions": [VERSION]})],
    )
    def post(self, request: Request, document_id: UUID) -> Response:
        """Go back."""
        document = self.find_to_change(document_id)
        form = RollbackForm(data=request.data)
        form.is_valid(raise_exception=True)
        version = get_version(document, form.validated_data["version"], keeper=True)
        document = roll_back(document, version)
        versions = list_versions(document, keeper=True)
        return Response(DocumentDetailOut(document, context={"versions": versions}).data)


class ChunkListView(DocumentsListView):
    """What retrieval sees."""

    @extend_schema(
        operation_id="rag_chunks_list",
        tags=TAGS,
        summary="List a document's chunks",
        description="The pieces that searches find, in the order of the text.",
        parameters=[WHICH],
        responses=ChunkOut(many=True),
        examples=[
            listed(
                {
                    "chunk_id": "01980d1e-7b2a-7e90-8f0e-2f7f55b8a3c4",
                    "ordinal": 0,
                    "heading_path": "Refund policy > Refunds",
                    "text": "# Refunds\n\nYou may return goods within 30 days of delivery.",
                    "span": [0, 60],
                    "suspicious": False,
                }
            )
        ],
    )
    def get(self, request: Request, document_id: UUID) -> Response:
        """A page of them."""
        version = _read_version(self, request, self.find(document_id))
        return self.paged(list_chunks(version), ChunkOut, is_staff=self.is_staff)


class ContentView(DocumentsView):
    """The text that spans point into."""

    @extend_schema(
        operation_id="rag_content",
        tags=TAGS,
        summary="Read a document's text",
        description="`content[span[0]:span[1]]` is a source's text, counted in Unicode characters.",
        parameters=[WHICH],
        responses=ContentOut,
        examples=[
            answer(
                {
                    "document_id": DOCUMENT_ID,
                    "version": 1,
                    "title": "Refund policy",
                    "media_type": "text/markdown",
                    "content": "# Refunds\n\nYou may return goods within 30 days of delivery.",
                }
            )
        ],
    )
    def get(self, request: Request, document_id: UUID) -> Response:
        """The text."""
        document = self.find(document_id)
        version = _read_version(self, request, document)
        return Response(
            {
                "document_id": document.pk,
                "version": version.number,
                "title": version.title,
                "media_type": version.media_type,
                "content": version.content,
            }
        )


def _read_version(view: DocumentsView, request: Request, document: Document) -> DocumentVersion:
    number = None
    if request.query_params.get("version"):
        number = read_whole_number(request, "version", default=1, highest=MAX_VERSION)
    return get_version(document, number, keeper=view.keeps(document))
