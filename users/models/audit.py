"""The log of security events: rows are added and never changed."""

from typing import Any, ClassVar, NoReturn
from uuid import UUID

from django.db import models
from django.utils import timezone

from common.identifiers import new_id


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete what happened."""


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    """Reads; the two ways in which a row may leave have names of their own."""

    def update(self, **fields: Any) -> NoReturn:
        """Refused."""
        raise AppendOnlyError("The audit log is append-only.")

    def delete(self) -> NoReturn:
        """Refused."""
        raise AppendOnlyError("The audit log is append-only.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise AppendOnlyError("The audit log is append-only.")

    def forget_person(self, user_id: UUID) -> int:
        """Take the address and detail from an erased account's events; the events stay."""
        return super(AuditQuerySet, self.filter(user_id=user_id)).update(address="", detail={})

    def expire(self, before: Any) -> int:
        """Drop what is older than the log is kept."""
        old = self.filter(created_at__lt=before)
        return old._raw_delete(old.db)  # noqa: SLF001


class AuditEvent(models.Model):
    """Who did what to whose account, when, from where, in which request."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    event = models.CharField(max_length=40, db_index=True)
    # No foreign keys: the log outlives the accounts, whose names it does not hold.
    user_id = models.UUIDField(null=True, db_index=True)
    actor_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    objects: ClassVar[models.Manager["AuditEvent"]] = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.event} {self.created_at:%Y-%m-%d %H:%M:%S}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; AppendOnlyError if it is there already."""
        if not self._state.adding:
            raise AppendOnlyError("The audit log is append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise AppendOnlyError("The audit log is append-only.")
