"""Changing a password, and setting a new one when it was forgotten."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from common.clients import Client
from common.errors import Conflict
from users.errors import InvalidLink
from users.identity import email_key
from users.models import OneTimeLink, OutgoingMail, User
from users.services import audit, links, mail
from users.services.links import Purpose
from users.services.rules import check_new_password, prove_owner

TAKEOVER_PURPOSES = (Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL)


def change_password(
    user: User, *, old_password: str, new_password: str, family_id: UUID, client: Client
) -> None:
    """Set the caller's new password; every family but the caller's own ends at once."""
    prove_owner(user, old_password, field="old_password", client=client)
    check_new_password(new_password, user, field="new_password")
    seen = user.password
    user.set_password(new_password)  # takes its time: outside the transaction
    with transaction.atomic():
        _replace(user, seen=seen, keep_family=family_id)
        audit.record("password_changed", user_id=user.pk, client=client)
        mail.notify(user, "password_changed", client=client)


def ask_for_reset(email: str) -> None:
    """Have a link mailed, if the address has an account: found out where no client can see."""
    mail.request("reset_password", email)


def reset_password(*, user_id: UUID, token: str, new_password: str, client: Client) -> None:
    """Set a new password by the link that was mailed; every family ends. InvalidLink else."""
    link = links.look_at(token, Purpose.RESET_PASSWORD)
    if link.user_id != user_id:
        raise InvalidLink
    user = link.user
    check_new_password(new_password, user, field="new_password")
    seen = user.password
    user.set_password(new_password)
    with transaction.atomic():
        links.spend(token, Purpose.RESET_PASSWORD)
        _replace(user, seen=seen, keep_family=None)
        _prove_address(link)
        audit.record("password_reset", user_id=user.pk, client=client)
        mail.notify(user, "password_changed", client=client)


def _replace(user: User, *, seen: str, keep_family: UUID | None) -> None:
    """Put the password that `user` holds in the place of the one that was `seen`."""
    if not User.objects.filter(pk=user.pk, password=seen).update(password=user.password):
        raise Conflict("The password was changed by somebody else at this moment.")
    user.token_families.live().revoke("password_changed", keep=keep_family)
    # Whoever held the account before may have left a way back: a change of address, begun.
    user.one_time_links.filter(purpose__in=TAKEOVER_PURPOSES).void()
    OutgoingMail.objects.filter(user=user, kind=Purpose.CHANGE_EMAIL).delete()


def _prove_address(link: OneTimeLink) -> None:
    # The link came by mail: whoever holds it reads that address.
    rows = User.objects.filter(pk=link.user_id, email_key=email_key(link.email))
    rows.filter(email_verified_at=None).update(email_verified_at=timezone.now())
