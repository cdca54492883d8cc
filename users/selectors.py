"""What is read about accounts."""

from collections.abc import Iterable
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from common.database import Rows, Statement, stored_uuid
from users.models import AuditEvent, TokenFamily, User

# Every request with a token asks this: built by the ORM it takes four times as long.
USABLE = """
    SELECT {family}, {user}
    FROM users_tokenfamily f JOIN users_user u ON u.id = f.user_id
    WHERE f.id = %s AND f.revoked_at IS NULL AND f.expires_at > %s AND u.is_active
"""


def usable_family(family_id: UUID) -> TokenFamily | None:
    """The family with its user, if both may still act; one query."""
    families, users = _family_rows(), _user_rows()
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    row = _usable().fetch_one(stored_uuid(family_id), now)
    if row is None:
        return None
    split = len(families.names)
    family = families.read(row[:split])
    family.user = users.read(row[split:])
    return family


@cache
def _usable() -> Statement:
    return Statement(
        USABLE.format(family=_family_rows().columns("f"), user=_user_rows().columns("u"))
    )


@cache
def _family_rows() -> Rows[TokenFamily]:
    return Rows(TokenFamily)


@cache
def _user_rows() -> Rows[User]:
    return Rows(User)


def devices_of(user: User) -> QuerySet[TokenFamily]:
    """The user's live families, the last used first."""
    return user.token_families.live().order_by("-last_used_at", "-pk")


def account_data(user: User) -> dict[str, Any]:
    """The account's own fields, for its owner."""
    names = ("id", "username", "email", "first_name", "last_name", "role", "date_joined")
    more = ("email_verified_at", "last_login")
    return {name: getattr(user, name) for name in (*names, *more)}


def device_data(user: User) -> Iterable[dict[str, Any]]:
    """Every family that is still stored, for its owner."""
    names = ("id", "created_at", "last_used_at", "revoked_at", "user_agent", "address")
    rows: Iterable[dict[str, Any]] = user.token_families.values(*names)
    return rows


def event_data(user: User) -> Iterable[dict[str, Any]]:
    """The security events of the account, for its owner."""
    names = ("event", "created_at", "address", "request_id", "detail")
    rows: Iterable[dict[str, Any]] = AuditEvent.objects.filter(user_id=user.pk).values(*names)
    return rows
