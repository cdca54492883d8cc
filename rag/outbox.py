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
    IndexChange.objects.create(
        number=_take_numbers(1), document_id=document_id, removed_keys=list(removed_keys)
    )


def record_changes(document_ids: Sequence[UUID]) -> None:
    """`record_change` of many documents, in their order, by as many statements as of one."""
    if document_ids:
        last = _take_numbers(len(document_ids))
        numbers = range(last - len(document_ids) + 1, last + 1)
        IndexChange.objects.bulk_create(
            IndexChange(number=number, document_id=document_id)
            for number, document_id in zip(numbers, document_ids, strict=True)
        )


def _take_numbers(count: int) -> int:
    """The last of the next `count` numbers."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a change is recorded where it is made")
    counter = IndexCounter.objects.filter(pk=IndexCounter.ONLY)
    if not counter.update(number=F("number") + count):
        IndexCounter.objects.bulk_create([IndexCounter()], ignore_conflicts=True)
        counter.update(number=F("number") + count)
    return counter.values_list("number", flat=True).get()
