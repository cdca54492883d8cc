"""Changing documents that are there: every change is in force with the next search."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from rag.errors import VersionNotReady
from rag.generations import embedder_of, ensure_active
from rag.indexing import activate_version, embed_version
from rag.models import Document, DocumentVersion
from rag.outbox import record_change
from rag.services.queue import kick
from rag.services.submit import Submission, add_version


def change_document(document: Document, *, user_id: UUID, changes: Mapping[str, Any]) -> Document:
    """`document` with `changes`: a new title or content is a new version, worked on later."""
    with transaction.atomic():
        document = Document.objects.select_for_update().get(pk=document.pk)
        for name in ("category", "metadata", "hidden"):
            if name in changes:
                setattr(document, name, changes[name])
        if "visibility" in changes:
            document.visibility = changes["visibility"]
            private = document.visibility == Document.PRIVATE
            document.owner_id = (document.owner_id or user_id) if private else None
        document.save()
        if _is_new_text(document, changes):
            _add_edit(document, changes)
        record_change(document.pk)
    return document


def _is_new_text(document: Document, changes: Mapping[str, Any]) -> bool:
    newest = _newest(document)
    title, content = changes.get("title", newest.title), changes.get("content")
    return title != newest.title or (content is not None and content != newest.content)


def _add_edit(document: Document, changes: Mapping[str, Any]) -> None:
    newest = _newest(document)
    keeps_file = "content" not in changes and newest.raw is not None
    add_version(
        document,
        Submission(
            title=changes.get("title", newest.title),
            content=changes.get("content", newest.content),
            raw=bytes(newest.raw or b"") if keeps_file else None,
            media_type=newest.media_type if "content" not in changes else "text/markdown",
            filename=newest.filename,
        ),
    )
    if document.current_version_id is None:
        document.title = changes.get("title", document.title)
        document.save(update_fields=["title"])
    transaction.on_commit(kick)


def _newest(document: Document) -> DocumentVersion:
    return document.versions.order_by("-number")[0]


def delete_document(document: Document) -> None:
    """Take `document` with all its versions out; no search finds it from now on."""
    document.delete()


def roll_back(document: Document, version: DocumentVersion) -> Document:
    """Let answers come from an earlier `version` again, at once. Raises VersionNotReady.

    Its vectors are there as a rule; those of a generation made since are made now.
    """
    if not version.is_chunked:
        raise VersionNotReady
    embed_version(version, embedder_of(ensure_active()), lambda stage, percent: None)
    activate_version(version)
    document.refresh_from_db()
    return document


def reindex_document(document: Document) -> None:
    """Cut and embed the current content anew, as a version of its own."""
    with transaction.atomic():
        newest = document.current_version or _newest(document)
        add_version(
            document,
            Submission(
                title=newest.title,
                content=newest.content,
                raw=bytes(newest.raw) if newest.raw is not None else None,
                media_type=newest.media_type,
                filename=newest.filename,
            ),
        )
        transaction.on_commit(kick)
