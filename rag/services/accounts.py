"""A user's documents when the account goes, and in its export."""

from typing import Any
from uuid import UUID

from rag.models import Document


def erase_documents(user_id: UUID) -> None:
    """Delete the user's private documents: from every index too, by the list of changes."""
    for document in Document.objects.filter(owner_id=user_id):
        document.delete()


def export_documents(user_id: UUID) -> list[dict[str, Any]]:
    """The user's documents with the text of each version, newest first."""
    documents = Document.objects.filter(owner_id=user_id).prefetch_related("versions")
    return [
        {
            "id": str(document.pk),
            "title": document.title,
            "category": document.category,
            "status": document.status,
            "metadata": document.metadata,
            "created_at": document.created_at.isoformat(),
            "versions": [
                {
                    "version": version.number,
                    "title": version.title,
                    "created_at": version.created_at.isoformat(),
                    "content": version.content,
                }
                for version in document.versions.all()
            ],
        }
        for document in documents
    ]
