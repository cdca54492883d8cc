"""What the views of documents share."""

from typing import Any
from uuid import UUID

from rest_framework.exceptions import NotAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from common.pagination import PageNumberPagination
from common.throttling import ScopedThrottle
from rag.errors import PublicIsForStaff
from rag.models import Document
from rag.selectors.documents import get_document, may_change

TAGS = ["Knowledge base"]


class DocumentsView(APIView):
    """Knows who calls, finds documents for them, and counts reads and writes apart."""

    throttle_classes = (ScopedThrottle,)

    @property
    def throttle_scope(self) -> str:
        """Reading counts as searching, writing as indexing."""
        return "search" if self.request.method in ("GET", "HEAD", "OPTIONS") else "index"

    @property
    def user_id(self) -> UUID:
        """The caller's id."""
        if self.request.user.pk is None:
            raise NotAuthenticated
        user_id: UUID = self.request.user.pk
        return user_id

    @property
    def is_staff(self) -> bool:
        """Whether the caller keeps the public documents."""
        return bool(self.request.user.is_staff)

    def find(self, document_id: UUID) -> Document:
        """A document that the caller may see. Raises DocumentNotFound."""
        return get_document(document_id, self.user_id, is_staff=self.is_staff)

    def find_to_change(self, document_id: UUID) -> Document:
        """A document that the caller may change. Raises DocumentNotFound, PublicIsForStaff."""
        document = self.find(document_id)
        if not self.keeps(document):
            raise PublicIsForStaff
        return document

    def refuse_public(self) -> None:
        """Raises PublicIsForStaff for everybody else."""
        if not self.is_staff:
            raise PublicIsForStaff

    def keeps(self, document: Document) -> bool:
        """Whether the caller may change it."""
        return may_change(document, self.user_id, is_staff=self.is_staff)


class DocumentsListView(DocumentsView):
    """Answers with pages."""

    # Named for the schema too, which puts the page around the entries.
    pagination_class = PageNumberPagination

    def paged(self, rows: Any, serializer: Any, **context: Any) -> Response:
        """The page of `rows` that was asked for."""
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(rows, self.request, self)
        return paginator.get_paginated_response(serializer(page, many=True, context=context).data)
