"""Documents: what comes in and how they are shown."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from rag.models import Chunk, Document, DocumentVersion
from rag.models.documents import TITLE_MAX_CHARS
from rag.serializers.fields import CategoryField, MetadataField, StrictCharField

MAX_BATCH = 50


class StrictBooleanField(serializers.BooleanField):
    """true or false, nothing that looks like one."""

    def to_internal_value(self, data: Any) -> bool:
        """`data` if it is a boolean."""
        if not isinstance(data, bool):
            raise serializers.ValidationError("true or false is needed.")
        return data


class DocumentForm(serializers.Serializer[Any]):
    """A document handed in as text."""

    title = StrictCharField(max_length=TITLE_MAX_CHARS)
    content = StrictCharField(trim_whitespace=False)
    category = CategoryField(required=False)
    metadata = MetadataField(required=False)
    visibility = serializers.ChoiceField(choices=Document.VISIBILITIES, required=False)


class DocumentBatchForm(serializers.Serializer[Any]):
    """Several documents at once."""

    documents = DocumentForm(many=True)

    def validate_documents(self, value: list[Any]) -> list[Any]:
        """One at least, and not too many."""
        if not 1 <= len(value) <= MAX_BATCH:
            raise serializers.ValidationError(f"1 to {MAX_BATCH} documents.")
        return value


class UploadForm(serializers.Serializer[Any]):
    """What is said of uploaded files, beside the files themselves."""

    title = StrictCharField(max_length=TITLE_MAX_CHARS, required=False)
    category = CategoryField(required=False)
    visibility = serializers.ChoiceField(choices=Document.VISIBILITIES, required=False)


class UploadBody(UploadForm):
    """A multipart body: one or several parts named `files`."""

    files = serializers.ListField(child=serializers.FileField())


class DocumentChangeForm(serializers.Serializer[Any]):
    """What may be changed; a new title or content makes a new version."""

    title = StrictCharField(max_length=TITLE_MAX_CHARS, required=False)
    content = StrictCharField(trim_whitespace=False, required=False)
    category = CategoryField(required=False)
    metadata = MetadataField(required=False)
    visibility = serializers.ChoiceField(choices=Document.VISIBILITIES, required=False)
    hidden = StrictBooleanField(required=False)


class RollbackForm(serializers.Serializer[Any]):
    """Which version to go back to."""

    version = serializers.IntegerField(min_value=1, max_value=2_000_000_000)


class DocumentErrorOut(serializers.Serializer[Any]):
    """Why processing failed, and whether the same content might succeed another time."""

    code = serializers.CharField()
    message = serializers.CharField()
    retryable = serializers.BooleanField()


class VersionOut(serializers.ModelSerializer[DocumentVersion]):
    """A version without its content."""

    version = serializers.IntegerField(source="number")
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = DocumentVersion
        fields = ("version", "title", "content_hash", "media_type", "created_at", "is_current")

    def get_is_current(self, version: DocumentVersion) -> bool:
        """Whether answers come from this one."""
        return bool(version.pk == self.context["current"])


class DocumentOut(serializers.ModelSerializer[Document]):
    """A document with the state of its processing."""

    version = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    # Named here: bounds taken from the column would differ from database to database.
    progress = serializers.IntegerField(min_value=0, max_value=100, help_text="Percent.")

    class Meta:
        model = Document
        fields = (
            "id",
            "title",
            "category",
            "visibility",
            "hidden",
            "status",
            "stage",
            "progress",
            "error",
            "version",
            "metadata",
            "created_at",
            "updated_at",
        )

    def get_version(self, document: Document) -> int | None:
        """The number of the version that answers come from."""
        return document.current_version.number if document.current_version else None

    @extend_schema_field(DocumentErrorOut(allow_null=True))
    def get_error(self, document: Document) -> dict[str, Any] | None:
        """Why it failed, if it did."""
        if not document.error_code:
            return None
        return {
            "code": document.error_code,
            "message": document.error_message,
            "retryable": document.error_retryable,
        }


class DocumentDetailOut(DocumentOut):
    """A document with its versions."""

    versions = serializers.SerializerMethodField()

    class Meta(DocumentOut.Meta):
        fields = (*DocumentOut.Meta.fields, "versions")  # type: ignore[assignment]

    @extend_schema_field(VersionOut(many=True))
    def get_versions(self, document: Document) -> list[dict[str, Any]]:
        """The newest versions, as many as the caller may see, 20 at most."""
        versions = self.context["versions"][:20]
        context = {"current": document.current_version_id}
        return list(VersionOut(versions, many=True, context=context).data)


class SubmittedOut(DocumentOut):
    """A document that was taken in; `duplicate` when it had been there before."""

    duplicate = serializers.BooleanField()

    class Meta(DocumentOut.Meta):
        fields = (*DocumentOut.Meta.fields, "duplicate")  # type: ignore[assignment]


class IndexOut(serializers.Serializer[Any]):
    """The documents in the order in which they were handed in."""

    documents = SubmittedOut(many=True)


class ChunkOut(serializers.ModelSerializer[Chunk]):
    """A chunk as retrieval sees it; `text` is `content[span[0]:span[1]]`."""

    chunk_id = serializers.UUIDField(source="public_id")
    ordinal = serializers.IntegerField(min_value=0)
    span = serializers.SerializerMethodField()

    class Meta:
        model = Chunk
        fields = ("chunk_id", "ordinal", "heading_path", "text", "span", "suspicious")

    def to_representation(self, chunk: Chunk) -> dict[str, Any]:
        """What is suspicious is for staff to see."""
        shown = super().to_representation(chunk)
        if not self.context.get("is_staff"):
            shown.pop("suspicious")
        return shown

    def get_span(self, chunk: Chunk) -> list[int]:
        """Where it stands in the content."""
        return [chunk.start, chunk.end]


class ContentOut(serializers.Serializer[Any]):
    """The text that spans point into."""

    document_id = serializers.UUIDField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    media_type = serializers.CharField()
    content = serializers.CharField()
