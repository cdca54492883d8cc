"""Proving an address, and changing it."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from common.clients import Client
from common.errors import Invalid
from users.errors import InvalidLink
from users.identity import email_key
from users.models import User
from users.services import audit, links, mail
from users.services.links import Purpose
from users.services.rules import prove_owner


def ask_for_verification(email: str) -> None:
    """Have a new link mailed, if the address has an account that is not yet verified."""
    mail.request("verify_email", email)


def verify_email(token: str, *, client: Client) -> User:
    """Take the address as proven; InvalidLink unless the token is for the present address."""
    with transaction.atomic():
        link = links.spend(token, Purpose.VERIFY_EMAIL)
        rows = User.objects.filter(pk=link.user_id, email_key=email_key(link.email))
        if not rows.update(email_verified_at=timezone.now()):
            raise InvalidLink
        audit.record("email_verified", user_id=link.user_id, client=client)
    link.user.refresh_from_db()
    return link.user


def ask_for_change(user: User, *, new_email: str, password: str, client: Client) -> None:
    """Mail a link to the new address and word of it to the old one; nothing changes yet.

    For an address that has an account the answer is the same, and its owner is told.
    """
    prove_owner(user, password, field="password", client=client)
    if email_key(new_email) == user.email_key:
        raise Invalid(errors={"new_email": ["This is your address already."]})
    owner = User.objects.filter(email_key=email_key(new_email)).first()
    with transaction.atomic():
        if owner is not None:
            mail.warn_owner(owner)
        else:
            mail.record("change_email", to=new_email, user=user, username=user.username)
        audit.record("email_change_requested", user_id=user.pk, client=client)
        mail.notify(user, "email_change_requested", client=client)


def confirm_change(token: str, *, client: Client) -> User:
    """Put the new address in force and tell the old one; InvalidLink if it was taken meanwhile."""
    try:
        with transaction.atomic():
            link = links.spend(token, Purpose.CHANGE_EMAIL)
            user = link.user
            old = user.email
            user.email, user.email_verified_at = link.email, timezone.now()
            user.save(update_fields=["email", "email_verified_at"])
            user.one_time_links.void()
            audit.record("email_changed", user_id=user.pk, client=client)
            mail.record("email_changed", to=old, user=user, client=client, username=user.username)
            mail.notify(user, "email_changed", client=client)
    except IntegrityError as error:
        raise InvalidLink from error
    return user
