"""Mail that is still to be sent."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from common.identifiers import new_id


class OutgoingMail(models.Model):
    """One mail: its kind and what it tells, never a token; the row goes when the mail has gone.

    A link is made at the moment of sending, so that its token exists in the mail alone.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=32)
    to = models.CharField(max_length=254)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    context = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("due_at",)
        verbose_name_plural = "outgoing mail"

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
