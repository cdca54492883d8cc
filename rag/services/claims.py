"""Documents of files, made or found, and claimed in the same commit."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from rag.models import Document, DocumentVersion
from rag.services.folders import FileSubmission
from rag.services.lease import claimed


def claim_together(group: Sequence[FileSubmission], token: UUID) -> list[DocumentVersion]:
    """The versions to work on; their documents are held under the lease `token` from now on.

    Whoever was at work on one of them loses it.
    """
    with transaction.atomic():
        # Read here, not where hashes are: somebody may have changed them since.
        rows = Document.objects.filter(source__in=[each.source for each in group])
        known = {row.source: row for row in rows.select_for_update().order_by("pk")}
        last = _last_numbers(known.values())
        documents = [
            _prepare(known.get(each.source) or Document(source=each.source), each, token)
            for each in group
        ]
        Document.objects.bulk_create(row for row in documents if row.source not in known)
        for document in known.values():
            document.save()
        return DocumentVersion.objects.bulk_create(
            _version(document, last.get(document.pk, 0) + 1, submission)
            for document, submission in zip(documents, group, strict=True)
        )


def _last_numbers(documents: Iterable[Document]) -> dict[UUID, int]:
    pks = [document.pk for document in documents]
    if not pks:
        return {}
    versions = DocumentVersion.objects.filter(document__in=pks).order_by()
    return dict(versions.values_list("document").annotate(Max("number")))


def _prepare(document: Document, submission: FileSubmission, token: UUID) -> Document:
    document.category = submission.category
    document.metadata = dict(submission.metadata)
    if document.current_version_id is None:
        document.title = submission.title
    for name, value in claimed(token).items():
        setattr(document, name, value)
    return document


def _version(document: Document, number: int, submission: FileSubmission) -> DocumentVersion:
    return DocumentVersion(
        document=document,
        number=number,
        title=submission.title,
        content=submission.content,
        content_hash=submission.content_hash,
        media_type=submission.media_type,
        filename=submission.filename,
    )
