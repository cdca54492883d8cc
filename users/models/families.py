"""Families of tokens: one for each log-in, what a user knows as a device."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from common.identifiers import new_id


class TokenFamilyQuerySet(models.QuerySet["TokenFamily"]):
    """Rules over many families."""

    def live(self) -> "TokenFamilyQuerySet":
        """Those whose tokens still count."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())

    def usable(self) -> "TokenFamilyQuerySet":
        """Those that are live, of users that are active."""
        return self.live().filter(user__is_active=True)

    def revoke(self, reason: str, *, keep: UUID | None = None) -> int:
        """End them, access tokens included, all but `keep`; how many it were."""
        ending = self.filter(revoked_at=None)
        if keep is not None:
            ending = ending.exclude(pk=keep)
        return ending.update(revoked_at=timezone.now(), revoked_reason=reason)

    def advance(self, family_id: UUID, generation: int, *, now: datetime, idle: datetime) -> bool:
        """Make `generation + 1` the current one, if `generation` still is: one call wins.

        No join: PostgreSQL looks at the row's own columns again when it has waited for another
        winner, and not into the sub-query that Django makes of a join in an UPDATE.
        """
        rows = self.live().filter(pk=family_id, generation=generation)
        return bool(
            rows.update(
                generation=F("generation") + 1, rotated_at=now, last_used_at=now, idle_at=idle
            )
        )

    def outdated(self) -> "TokenFamilyQuerySet":
        """Those that no token can bring back."""
        now = timezone.now()
        return self.filter(Q(expires_at__lt=now) | Q(idle_at__lt=now) | Q(revoked_at__lt=now))


class TokenFamily(models.Model):
    """A log-in: the chain of refresh tokens that came of it, of which the newest alone counts.

    No token is stored, in clear or hashed: a refresh token is a function of this row and the
    server's key, so that a second tab can be handed the very same successor.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="token_families"
    )
    generation = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    rotated_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)
    idle_at = models.DateTimeField()  # the current refresh token's own end
    expires_at = models.DateTimeField()  # the end of the whole family, however busy
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=32, blank=True)
    cookie = models.BooleanField(default=False)
    user_agent = models.CharField(max_length=256, blank=True)
    address = models.CharField(max_length=64, blank=True)

    objects: ClassVar[models.Manager["TokenFamily"]] = TokenFamilyQuerySet.as_manager()

    class Meta:
        ordering = ("-last_used_at",)
        verbose_name_plural = "token families"
        indexes = [
            models.Index(fields=["user", "revoked_at"], name="family_user_revoked"),
            models.Index(fields=["idle_at"], name="family_idle"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} ({'ended' if self.revoked_at else 'live'})"
