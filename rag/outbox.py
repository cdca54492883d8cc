"""Writing the list of changes, in the transaction that makes them."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from rag.models import IndexChange, IndexCounter


def record_change(document_id: UUID, *, removed_keys: Sequence[int] = ()) -> None:
    """Note that chunks, vectors, visibility or category of a document changed.

    Call it last in the transaction of the change: it holds the counter until the commit.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a change is recorded where it is made")
    IndexChange.objects.create(
        number=_next_number(), document_id=document_id, removed_keys=list(removed_keys)
    )


def _next_number() -> int:
    counter = IndexCounter.objects.filter(pk=IndexCounter.ONLY)
    if not counter.update(number=F("number") + 1):
        IndexCounter.objects.bulk_create([IndexCounter()], ignore_conflicts=True)
        counter.update(number=F("number") + 1)
    return counter.values_list("number", flat=True).get()
