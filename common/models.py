"""Rows that every app may need."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from common.identifiers import new_id


class IdempotencyRecord(models.Model):
    """That a user has sent a request under a key, and what came of it; kept 24 hours."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    # What the request made, so that a retry finds it; set with the row or by `complete`.
    resource_id = models.UUIDField(null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_body = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["user", "path", "key"], name="idempotency_key"),
        )

    def __str__(self) -> str:
        return str(self.id)
