"""What can be done with the knowledge base. Each call is one whole step."""

from rag.services.outbox import project_outbox
from rag.services.queue import process_queue
from rag.services.reconcile import reconcile_store

__all__ = ["process_queue", "project_outbox", "reconcile_store"]
