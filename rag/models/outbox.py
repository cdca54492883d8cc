"""The numbered list of changes that every projection of the chunks follows."""

from django.db import models

from common.identifiers import new_id


class IndexCounter(models.Model):
    """One row: the number of the last committed change.

    It is updated in the changing transaction, which holds the row until it commits: numbers
    become visible in their own order and none is ever missing below one that is seen.
    """

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    # Another epoch means another list: a follower begins anew (a restored or emptied database).
    epoch = models.UUIDField(default=new_id)
    number = models.PositiveBigIntegerField(default=0)
    # How far the external vector store has been brought (`rag.services.project_outbox`).
    projected = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(name="counter_one_row", condition=models.Q(id=1)),
        ]

    def __str__(self) -> str:
        return str(self.number)


class IndexChange(models.Model):
    """Something of this document changed: read it again (it is gone if it is not there)."""

    number = models.PositiveBigIntegerField(primary_key=True)
    document_id = models.UUIDField()
    # Keys of chunks that went with their document, for stores that cannot look them up any more.
    removed_keys = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"{self.number}: {self.document_id}"
