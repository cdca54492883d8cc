"""An account's profile, its export and its end."""

from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, transaction
from django.utils import timezone

from common.clients import Client
from common.erasure import erase_everywhere
from common.errors import Invalid
from common.export import export_everything
from users import selectors
from users.identity import username_key
from users.models import AuditEvent, ErasedAccount, OutgoingMail, User
from users.services import audit, mail
from users.services.registration import TAKEN, name_is_taken
from users.services.rules import prove_owner

PROFILE_FIELDS = ("username", "first_name", "last_name")


def change_profile(user: User, *, client: Client, **changes: str) -> User:
    """The user with new values for any of `PROFILE_FIELDS`; Invalid for a taken username."""
    old = user.username
    username = changes.get("username", old)
    if username_key(username) != user.username_key and name_is_taken(username):
        raise Invalid(errors=TAKEN)
    changed = [name for name in PROFILE_FIELDS if name in changes]
    for name in changed:
        setattr(user, name, changes[name])
    try:
        with transaction.atomic():
            user.save(update_fields=changed)
            if username != old:
                audit.record("username_changed", user_id=user.pk, client=client)
                mail.notify(user, "username_changed", client=client)
    except IntegrityError as error:
        raise Invalid(errors=TAKEN) from error
    return user


def export_account(user: User, *, client: Client) -> dict[str, Any]:
    """Everything that is stored about `user`, by kind."""
    audit.record("data_exported", user_id=user.pk, client=client)
    mail.notify(user, "data_exported", client=client)
    own = {
        "exported_at": timezone.now(),
        "account": selectors.account_data(user),
        "devices": list(selectors.device_data(user)),
        "security_events": list(selectors.event_data(user)),
    }
    return own | export_everything(user.pk)


def delete_own_account(user: User, *, password: str, client: Client) -> None:
    """Erase the caller's account; Invalid unless the password is theirs."""
    prove_owner(user, password, field="password", client=client)
    erase_account(user.pk)


def erase_account(user_id: UUID, *, actor_id: UUID | None = None) -> None:
    """Erase an account with all that is theirs, in every app; harmless for one that is gone."""
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=user_id).first()
        ErasedAccount.objects.get_or_create(user_id=user_id)
        erase_everywhere(user_id)
        _forget_traces(user_id)
        if user is not None:
            OutgoingMail.objects.filter(to__iexact=user.email).delete()
            mail.record("account_deleted", to=user.email, username=user.username)
            audit.record("account_deleted", user_id=user_id, actor_id=actor_id)
            user.delete()


def _forget_traces(user_id: UUID) -> None:
    """Take what names the person out of the logs, which keep what happened."""
    AuditEvent.objects.forget_person(user_id)
    kind = ContentType.objects.get_for_model(User)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(user_id))
    entries.update(object_repr=str(user_id), change_message="")
