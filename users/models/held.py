"""Names that are held for nobody."""

from django.db import models
from django.utils import timezone

from common.identifiers import new_id


class HeldName(models.Model):
    """What a registration with somebody else's address leaves: a taken name, and no account.

    Without it the same name could be registered again, or would refuse its own password, and
    either tells that the address has an account.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    username_key = models.CharField(max_length=255, unique=True)
    password = models.CharField(max_length=128)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return str(self.pk)
