"""One-time links: what a mail carries and a click spends."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from common.identifiers import new_id


class OneTimeLinkQuerySet(models.QuerySet["OneTimeLink"]):
    """Rules over many links."""

    def open(self) -> "OneTimeLinkQuerySet":
        """Those that can still be spent."""
        return self.filter(spent_at=None, expires_at__gt=timezone.now())

    def void(self) -> int:
        """Spend them unused; how many it were."""
        return self.filter(spent_at=None).update(spent_at=timezone.now())


class OneTimeLink(models.Model):
    """The hash of a token that was mailed, for what, and to which address it was sent."""

    class Purpose(models.TextChoices):
        """What the link does."""

        VERIFY_EMAIL = "verify_email"
        CHANGE_EMAIL = "change_email"
        RESET_PASSWORD = "reset_password"  # noqa: S105 (a purpose, not a password)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="one_time_links"
    )
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    token_hash = models.CharField(max_length=64, unique=True)
    email = models.EmailField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    spent_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["OneTimeLink"]] = OneTimeLinkQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "purpose"], name="link_user_purpose")]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"
