"""Documents and the versions of their content."""

from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.identifiers import new_id

TITLE_MAX_CHARS = 200
CATEGORY_MAX_CHARS = 50


class DocumentQuerySet(models.QuerySet["Document"]):
    """Which documents somebody may see, and which are waiting for work."""

    def visible_to(self, user_id: UUID | None) -> Self:
        """Public documents that can be found, and every one of the user's own."""
        public = Q(visibility=Document.PUBLIC, hidden=False, current_version__isnull=False)
        return self.filter(public | Q(owner_id=user_id)) if user_id else self.filter(public)

    def kept_by(self, user_id: UUID, *, is_staff: bool) -> Self:
        """What the user may change: the own ones, and for staff the public ones too."""
        own = Q(owner_id=user_id)
        return self.filter(own | Q(visibility=Document.PUBLIC) if is_staff else own)

    def findable(self) -> Self:
        """Those that a search may return passages of, to whoever may see them."""
        return self.filter(hidden=False, current_version__isnull=False)

    def waiting(self, now: datetime) -> Self:
        """Queued, or left in the middle by a worker whose lease has run out; oldest first.

        A queued document's `lease_until` is when it may be tried again.
        """
        queued = Q(status=Document.QUEUED) & (Q(lease_until=None) | Q(lease_until__lt=now))
        abandoned = Q(status=Document.PROCESSING, lease_until__lt=now)
        return self.filter(queued | abandoned).order_by("queued_at", "id")

    def finish(self, **fields: Any) -> int:
        """Say that work on them is done, with what came of it; how many there were."""
        return self.update(
            status=Document.READY,
            stage="",
            progress=100,
            error_code="",
            error_message="",
            error_retryable=False,
            lease_token=None,
            lease_until=None,
            attempts=0,
            updated_at=timezone.now(),
            **fields,
        )


class Document(models.Model):
    """Something that answers may rest on. Its text stands in versions."""

    PUBLIC, PRIVATE = "public", "private"
    QUEUED, PROCESSING, READY, FAILED = "queued", "processing", "ready", "failed"
    VISIBILITIES = ((PUBLIC, "Public"), (PRIVATE, "Private"))
    STATUSES = (
        (QUEUED, "Queued"),
        (PROCESSING, "Processing"),
        (READY, "Ready"),
        (FAILED, "Failed"),
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    title = models.CharField(max_length=TITLE_MAX_CHARS)
    category = models.SlugField(max_length=CATEGORY_MAX_CHARS, default="guide", db_index=False)
    visibility = models.CharField(max_length=10, choices=VISIBILITIES, default=PUBLIC)
    hidden = models.BooleanField(default=False)
    # None: the operator's own, which is what every public document is.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="documents",
    )
    # Path below the populated folder; empty for documents that came over the API.
    source = models.CharField(max_length=500, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    # What answers are made from; the one before stays while a new version is worked on.
    current_version = models.ForeignKey(
        "DocumentVersion", on_delete=models.RESTRICT, null=True, blank=True, related_name="+"
    )

    status = models.CharField(max_length=10, choices=STATUSES, default=QUEUED)
    stage = models.CharField(max_length=20, blank=True, default="")
    progress = models.PositiveSmallIntegerField(default=0)
    error_code = models.CharField(max_length=50, blank=True, default="")
    error_message = models.CharField(max_length=300, blank=True, default="")
    error_retryable = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(auto_now_add=True)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[DocumentQuerySet] = DocumentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["owner", "-id"], name="document_owner"),
            models.Index(fields=["visibility", "category", "-id"], name="document_listing"),
            models.Index(
                fields=["queued_at"],
                name="document_waiting",
                condition=Q(status__in=["queued", "processing"]),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="document_private_means_owned",
                condition=Q(visibility="private", owner__isnull=False)
                | Q(visibility="public", owner__isnull=True),
            ),
            models.CheckConstraint(
                name="document_status_known",
                condition=Q(status__in=["queued", "processing", "ready", "failed"]),
            ),
            models.CheckConstraint(
                name="document_ready_means_current",
                condition=~Q(status="ready") | Q(current_version__isnull=False),
            ),
            models.CheckConstraint(
                name="document_progress_percent", condition=Q(progress__lte=100)
            ),
            models.UniqueConstraint(
                fields=["source"], name="document_source_once", condition=~Q(source="")
            ),
        ]

    def __str__(self) -> str:
        return self.title


class DocumentVersion(models.Model):
    """The content at one time, NFC-normalised: what spans of chunks and citations point into."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=TITLE_MAX_CHARS)
    content = models.TextField(blank=True, default="")
    # SHA-256 of what was handed in: the file's bytes, or the text in UTF-8.
    content_hash = models.CharField(max_length=64, db_index=True)
    media_type = models.CharField(max_length=100, default="text/markdown")
    filename = models.CharField(max_length=255, blank=True, default="")
    # The uploaded file, kept until its text has been read.
    raw = models.BinaryField(null=True)
    is_chunked = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("document", "-number")
        constraints = [
            models.UniqueConstraint(fields=["document", "number"], name="version_number_once"),
            models.CheckConstraint(name="version_from_one", condition=Q(number__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.title} (version {self.number})"
