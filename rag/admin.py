"""Documents in the admin: their state, their versions and chunks, and indexing them anew."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from rag.models import Chunk, Document, DocumentVersion, IndexGeneration
from rag.outbox import record_change
from rag.services.documents import reindex_document

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
else:
    # Generic for the type checker alone.
    BaseAdmin = admin.ModelAdmin


class ReadOnlyAdmin(BaseAdmin):
    """Looked at, never written: these rows follow from documents."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody; they go with their document."""
        return False


def public_only(rows: QuerySet[Any], path: str) -> QuerySet[Any]:
    """Private documents are their owners' alone, in the admin too."""
    return rows.filter(**{f"{path}visibility": Document.PUBLIC})


@admin.register(Document)
class DocumentAdmin(BaseAdmin):
    """Public documents. Content comes in over the API or `populate_documents`."""

    list_display = ("title", "category", "status", "hidden", "version", "updated_at")
    list_filter = ("status", "category", "hidden")
    search_fields = ("title", "source")
    list_select_related = ("current_version",)
    fields = (
        "title", "category", "hidden", "metadata", "source", "status", "stage", "progress",
        "error_code", "error_message", "version", "created_at", "updated_at",
    )  # fmt: skip
    readonly_fields = (
        "title", "source", "status", "stage", "progress", "error_code", "error_message", "version",
        "created_at", "updated_at",
    )  # fmt: skip
    actions = ("reindex",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        """Without private ones."""
        return public_only(super().get_queryset(request), "")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody here: a document needs its content."""
        return False

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        """Save, and let every index know."""
        super().save_model(request, obj, form, change)
        record_change(obj.pk)

    @admin.display(description="version")
    def version(self, document: Document) -> int | None:
        """The number of the version that answers come from."""
        return document.current_version.number if document.current_version else None

    @admin.action(description="Index the selected documents anew")
    def reindex(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        """Queue a new version of the same content for each."""
        for document in queryset:
            reindex_document(document)
        self.message_user(request, f"{queryset.count()} documents are queued.", messages.SUCCESS)


@admin.register(DocumentVersion)
class DocumentVersionAdmin(ReadOnlyAdmin):
    """The versions of public documents."""

    list_display = ("title", "number", "media_type", "created_at")
    fields = ("document", "number", "title", "media_type", "filename", "content", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without private documents' ones."""
        rows = super().get_queryset(request).defer("raw")
        return public_only(rows, "document__")


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyAdmin):
    """The chunks of public documents; the suspicious ones are worth a look."""

    list_display = ("heading_path", "ordinal", "live", "suspicious")
    list_filter = ("suspicious", "live")
    search_fields = ("heading_path",)
    fields = (
        "document",
        "version",
        "ordinal",
        "start",
        "end",
        "heading_path",
        "text",
        "suspicious",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without private documents' ones."""
        return public_only(super().get_queryset(request), "document__")


@admin.register(IndexGeneration)
class IndexGenerationAdmin(ReadOnlyAdmin):
    """The generations of the index (`rebuild_index` makes and switches them)."""

    list_display = ("fingerprint", "state", "dimension", "created_at", "activated_at")
