"""Taking documents in: a row that says queued, and the work done later."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q

from rag.models import Document, DocumentVersion
from rag.services.queue import kick
from rag.text.normal import normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A document to be: its text, or an uploaded file whose text is read later."""

    title: str
    category: str = "guide"
    visibility: str = Document.PUBLIC
    content: str = ""
    raw: bytes | None = None
    media_type: str = "text/markdown"
    filename: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """SHA-256 of what was handed in."""
        data = self.raw if self.raw is not None else normalise(self.content).encode()
        return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The document that answers a submission: a new one, or the first with this content."""

    document: Document
    is_duplicate: bool


def submit(submission: Submission, *, owner_id: UUID | None) -> Submitted:
    """Queue a new document, or find the one that holds the same content already.

    `owner_id` is whose it is where it is private; public ones are the operator's.
    """
    owner_id = owner_id if submission.visibility == Document.PRIVATE else None
    with transaction.atomic():
        _one_at_a_time(submission.content_hash)
        known = _find_same(submission, owner_id)
        if known is not None:
            requeue_if_failed(known)
            return Submitted(document=known, is_duplicate=True)
        document = Document.objects.create(
            title=submission.title,
            category=submission.category.lower(),
            visibility=submission.visibility,
            owner_id=owner_id,
            source=submission.source,
            metadata=dict(submission.metadata),
        )
        add_version(document, submission)
        transaction.on_commit(kick)
    return Submitted(document=document, is_duplicate=False)


def add_version(document: Document, submission: Submission) -> DocumentVersion:
    """The next version of `document`, to be worked on; call it in a transaction."""
    last = document.versions.order_by("-number").values_list("number", flat=True).first()
    version = DocumentVersion.objects.create(
        document=document,
        number=(last or 0) + 1,
        title=submission.title,
        content=normalise(submission.content),
        content_hash=submission.content_hash,
        media_type=submission.media_type,
        filename=submission.filename,
        raw=submission.raw,
    )
    requeue(document)
    return version


def requeue(document: Document) -> None:
    """Let `document` wait for work again; whoever is at work on it loses the lease."""
    fields = {
        "status": Document.QUEUED,
        "stage": "",
        "progress": 0,
        "attempts": 0,
        "lease_token": None,
        "lease_until": None,
        "error_code": "",
        "error_message": "",
        "error_retryable": False,
    }
    Document.objects.filter(pk=document.pk).update(**fields)
    for name, value in fields.items():
        setattr(document, name, value)


def requeue_if_failed(document: Document) -> None:
    """Sending a document again is how a failed one is tried again."""
    if document.status == Document.FAILED:
        requeue(document)
        transaction.on_commit(kick)


def _find_same(submission: Submission, owner_id: UUID | None) -> Document | None:
    """The first document of the same keeper whose newest version has this very content."""
    newest = Q(versions__number=F("newest"))
    from django.db.models import Max

    return (
        Document.objects.filter(owner_id=owner_id, visibility=submission.visibility)
        .annotate(newest=Max("versions__number"))
        .filter(newest, versions__content_hash=submission.content_hash)
        .order_by("pk")
        .first()
    )


def _one_at_a_time(content_hash: str) -> None:
    # SQLite's transactions write one at a time as it is.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(content_hash[:15], 16)])
