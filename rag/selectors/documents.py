"""Documents as somebody may see them."""

from uuid import UUID

from django.db.models import Q, QuerySet

from rag.errors import DocumentNotFound, VersionNotFound
from rag.models import Chunk, Document, DocumentVersion


def list_documents(user_id: UUID, *, is_staff: bool) -> QuerySet[Document]:
    """What the user may see, newest first: public ones, own ones; for staff hidden ones too."""
    return _visible(user_id, is_staff=is_staff).select_related("current_version")


def get_document(document_id: UUID, user_id: UUID, *, is_staff: bool) -> Document:
    """The document, for one who may see it. Raises DocumentNotFound."""
    document = list_documents(user_id, is_staff=is_staff).filter(pk=document_id).first()
    if document is None:
        raise DocumentNotFound
    return document


def may_change(document: Document, user_id: UUID, *, is_staff: bool) -> bool:
    """Whose it is may change it; staff keeps the public ones."""
    if document.visibility == Document.PUBLIC:
        return is_staff
    return document.owner_id == user_id


def _visible(user_id: UUID, *, is_staff: bool) -> QuerySet[Document]:
    if not is_staff:
        return Document.objects.visible_to(user_id)
    return Document.objects.filter(Q(visibility=Document.PUBLIC) | Q(owner_id=user_id))


def list_versions(document: Document, *, keeper: bool) -> QuerySet[DocumentVersion]:
    """Versions, newest first; to those who do not keep the document, the current one alone.

    What an edit has taken out is not for its readers.
    """
    versions = document.versions.defer("content", "raw").order_by("-number")
    return versions if keeper else versions.filter(pk__in=_current(document))


def _current(document: Document) -> list[UUID]:
    return [document.current_version_id] if document.current_version_id else []


def get_version(document: Document, number: int | None, *, keeper: bool) -> DocumentVersion:
    """The version of this number, or the current one. Raises VersionNotFound."""
    versions = list_versions(document, keeper=keeper)
    if number is None:
        wanted = versions.filter(pk__in=_current(document))
    else:
        wanted = versions.filter(number=number)
    version = wanted.first()
    if version is None:
        raise VersionNotFound
    return version


def list_chunks(version: DocumentVersion) -> QuerySet[Chunk]:
    """The chunks of a version, in order."""
    return version.chunks.order_by("ordinal")
