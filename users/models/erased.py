"""Which accounts are gone for good."""

from django.db import models
from django.utils import timezone


class ErasedAccount(models.Model):
    """The id of an erased account and when: what a restore of an older backup erases again."""

    user_id = models.UUIDField(primary_key=True)
    erased_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-erased_at",)

    def __str__(self) -> str:
        return str(self.user_id)
