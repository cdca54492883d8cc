"""Bringing an external vector store in step with the database."""

import logging
from collections.abc import Sequence

from django.db import transaction

from common import loop
from common.identifiers import new_id
from rag.backends import get_vector_store
from rag.errors import NotConfigured, ProviderError
from rag.generations import embedder_of, ensure_active
from rag.models import Chunk, IndexChange, IndexCounter
from rag.selectors.index import live_vectors
from rag.services.reconcile import record_of
from rag.vector_stores.base import VectorStore

logger = logging.getLogger(__name__)

CHANGES_AT_ONCE = 200
RECORDS_AT_ONCE = 500
# Processes that were asleep for longer than this many changes read everything anew.
KEPT_CHANGES = 10_000


def project_outbox() -> int:
    """Apply changes that the external store has not seen, in order; how many.

    Nothing to do for a store that follows the database itself. Idempotent: a run that breaks
    off is repeated from the last change that was applied. Raises ProviderError.
    """
    store = get_vector_store(embedder_of(ensure_active()))
    total = 0
    while changes := _next_changes():
        if not store.follows_database:
            _apply(store, changes)
        _advance(changes[-1].number)
        total += len(changes)
    _trim()
    return total


def project_quietly() -> None:
    """`project_outbox` for whoever does something else: the sweep mends what fails now."""
    try:
        project_outbox()
    except (ProviderError, NotConfigured) as error:
        logger.warning("The vector store is brought in step later: %s", error.code)


def count_pending() -> int:
    """How many changes the external store has not seen."""
    counter = IndexCounter.objects.filter(pk=IndexCounter.ONLY).first()
    return 0 if counter is None else counter.number - counter.projected


def begin_anew() -> None:
    """Let every follower of the changes read everything again (the database was replaced)."""
    IndexCounter.objects.filter(pk=IndexCounter.ONLY).update(epoch=new_id())


def _next_changes() -> list[IndexChange]:
    counter = IndexCounter.objects.filter(pk=IndexCounter.ONLY).first()
    if counter is None or counter.projected >= counter.number:
        return []
    later = IndexChange.objects.filter(number__gt=counter.projected)
    return list(later.order_by("number")[:CHANGES_AT_ONCE])


def _apply(store: VectorStore, changes: Sequence[IndexChange]) -> None:
    """Make the store hold exactly the live chunks of the documents that `changes` name."""
    documents = {change.document_id for change in changes}
    records = [record_of(row) for row in live_vectors(store.fingerprint, documents)]
    live = {record.key for record in records}
    known = Chunk.objects.filter(document__in=documents).values_list("pk", flat=True)
    removed = {key for change in changes for key in change.removed_keys}
    gone = [key for key in {*known, *removed} if key not in live]
    for start in range(0, len(records), RECORDS_AT_ONCE):
        loop.run(store.upsert(records[start : start + RECORDS_AT_ONCE]))
    loop.run(store.delete(gone))


def _advance(number: int) -> None:
    IndexCounter.objects.filter(pk=IndexCounter.ONLY, projected__lt=number).update(projected=number)


def _trim() -> None:
    with transaction.atomic():
        counter = IndexCounter.objects.filter(pk=IndexCounter.ONLY).first()
        if counter is not None:
            oldest = min(counter.projected, counter.number - KEPT_CHANGES)
            IndexChange.objects.filter(number__lte=oldest).delete()
