"""A document that is deleted in any way (API, admin, with its owner) leaves every index."""

from typing import Any

from django.db import transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from rag.models import Document
from rag.outbox import record_change


@receiver(pre_delete, sender=Document, dispatch_uid="rag.document_deleted")
def follow_deletion(instance: Document, **kwargs: Any) -> None:
    """Record the change in the transaction of the deletion, while its chunks are known."""
    with transaction.atomic():
        # The row before the list's counter: whoever indexes it takes them in this order.
        list(Document.objects.select_for_update().filter(pk=instance.pk).values_list("pk"))
        keys = instance.chunks.filter(live=True).values_list("pk", flat=True)
        record_change(instance.pk, removed_keys=list(keys))
