"""The app that finds passages and answers from them."""

from django.apps import AppConfig


class RagConfig(AppConfig):
    """Documents, retrieval and generation."""

    name = "rag"

    def ready(self) -> None:
        """Connect what follows deletions, and what accounts ask of every app."""
        from common.erasure import register_eraser
        from common.export import register_exporter
        from rag import signals  # noqa: F401 (importing connects)
        from rag.services.accounts import erase_documents, export_documents

        register_eraser("documents", erase_documents)
        register_exporter("documents", export_documents)
