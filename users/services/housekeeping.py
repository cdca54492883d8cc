"""What the nightly task takes away."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from users.models import AuditEvent, HeldName, OneTimeLink, TokenFamily, User
from users.services.accounts import erase_account

BATCH_ROWS = 1_000


def purge_expired() -> dict[str, int]:
    """Delete tokens, links and names that are over and old events; how many of each."""
    now = timezone.now()
    held_since = now - timedelta(days=settings.UNVERIFIED_ACCOUNT_DAYS)
    return {
        "token_families": _delete(TokenFamily.objects.outdated()),
        "one_time_links": _delete(OneTimeLink.objects.filter(expires_at__lt=now)),
        "held_names": _delete(HeldName.objects.filter(created_at__lt=held_since)),
        "unverified_accounts": _erase_unverified(held_since),
        "audit_events": AuditEvent.objects.expire(
            now - timedelta(days=settings.AUDIT_RETENTION_DAYS)
        ),
    }


def count_expired() -> dict[str, int]:
    """What `purge_expired` would delete now."""
    now = timezone.now()
    held_since = now - timedelta(days=settings.UNVERIFIED_ACCOUNT_DAYS)
    events_since = now - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    return {
        "token_families": TokenFamily.objects.outdated().count(),
        "one_time_links": OneTimeLink.objects.filter(expires_at__lt=now).count(),
        "held_names": HeldName.objects.filter(created_at__lt=held_since).count(),
        "unverified_accounts": _unverified(held_since).count(),
        "audit_events": AuditEvent.objects.filter(created_at__lt=events_since).count(),
    }


def _delete(rows: QuerySet[Any]) -> int:
    # In batches: one statement over a million rows would lock the table for as long.
    deleted = 0
    while batch := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH_ROWS]):
        deleted += rows.filter(pk__in=batch).delete()[0]
    return deleted


def _unverified(before: datetime) -> QuerySet[User]:
    """Accounts that never proved their address, where that is needed to log in at all."""
    if settings.EMAIL_VERIFICATION != "mandatory":
        return User.objects.none()
    return User.objects.filter(
        email_verified_at=None, last_login=None, date_joined__lt=before, is_staff=False
    )


def _erase_unverified(before: datetime) -> int:
    erased = list(_unverified(before).values_list("pk", flat=True)[:BATCH_ROWS])
    for user_id in erased:
        erase_account(user_id)
    return len(erased)
