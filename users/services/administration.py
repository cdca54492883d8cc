"""What administrators do to accounts: recorded with who did it, and told to the owner."""

from dataclasses import dataclass
from uuid import UUID

from common.clients import Client
from users.models import User
from users.services import audit, families, mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an administrator's form may change, as it was before."""

    role: str
    is_active: bool
    email: str


def standing_of(user_id: UUID) -> Standing | None:
    """The account's present standing; None for one that is not there yet."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return None
    return Standing(role=user.role, is_active=user.is_active, email=user.email)


def record_changes(user: User, before: Standing, *, actor_id: UUID, client: Client) -> None:
    """Write down and tell what differs from `before`, now that `user` is saved."""
    if user.role != before.role:
        _tell(user, "role_changed", actor_id, client, old=before.role, new=user.role)
    if before.is_active and not user.is_active:
        _tell(user, "account_deactivated", actor_id, client)
    if user.email != before.email:
        _tell(user, "email_changed", actor_id, client, to=before.email)


def deactivate(user: User, *, actor_id: UUID, client: Client) -> None:
    """Close the account: nobody can log in, and every token ends with the save."""
    if user.is_active:
        user.is_active = False
        user.save(update_fields=["is_active"])
        _tell(user, "account_deactivated", actor_id, client)


def end_sessions(user: User, *, actor_id: UUID, client: Client) -> int:
    """Log every device of the account out; how many it were."""
    return families.end_all(user, client=client, actor_id=actor_id)


def mail_reset_link(user: User, *, actor_id: UUID, client: Client) -> None:
    """Have the owner choose a new password, by a link that only the owner gets."""
    audit.record("password_reset_started", user_id=user.pk, actor_id=actor_id, client=client)
    mail.record("reset_password", to=user.email, user=user)


def record_password_set(user: User, *, actor_id: UUID, client: Client) -> None:
    """An administrator has set the account's password."""
    _tell(user, "password_changed", actor_id, client)


def _tell(
    user: User, event: str, actor_id: UUID, client: Client, to: str = "", **detail: str
) -> None:
    audit.record(event, user_id=user.pk, actor_id=actor_id, client=client, **detail)
    # Not the administrator's address: where an administrator sits is no user's business.
    mail.record(event, to=to or user.email, user=user, username=user.username)
