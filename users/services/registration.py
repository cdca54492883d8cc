"""Registering: a new account, or an answer that cannot be told from one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from common.clients import Client
from common.errors import Invalid
from common.identifiers import new_id
from users.identity import email_key, username_key
from users.models import HeldName, User
from users.services import audit, mail
from users.services.rules import check_new_password

TAKEN = {"username": ["This username is taken."]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What is told of a new account."""

    id: UUID
    username: str
    email: str
    date_joined: datetime


def register(*, username: str, email: str, password: str, client: Client) -> Registered:
    """A new account, to be verified by mail; Invalid for a taken username.

    For an address that has an account the answer and its cost are the same: the name is held,
    and the owner of the address is told by mail.
    """
    check_new_password(password, User(username=username, email=email), field="password")
    if name_is_taken(username):
        raise Invalid(errors=TAKEN)
    encoded = make_password(password)
    try:
        with transaction.atomic():
            user = _create(username, email, encoded, client)
    except IntegrityError as error:
        # Somebody registered the same name or address at this moment.
        if name_is_taken(username):
            raise Invalid(errors=TAKEN) from error
        with transaction.atomic():
            user = _hold(username, email, encoded, client)
    return Registered(
        id=user.pk, username=user.username, email=user.email, date_joined=user.date_joined
    )


def name_is_taken(username: str) -> bool:
    """Whether an account, or nobody, has this name."""
    key = username_key(username)
    return (
        User.objects.filter(username_key=key).exists()
        or HeldName.objects.filter(username_key=key).exists()
    )


def _create(username: str, email: str, encoded: str, client: Client) -> User:
    if User.objects.filter(email_key=email_key(email)).exists():
        return _hold(username, email, encoded, client)
    user = User(username=username, email=email, password=encoded)
    user.save(force_insert=True)
    audit.record("registered", user_id=user.pk, client=client)
    mail.notify(user, "verify_email")
    return user


def _hold(username: str, email: str, encoded: str, client: Client) -> User:
    """Hold the name; a user that is told of and never saved."""
    owner = User.objects.get(email_key=email_key(email))
    HeldName.objects.create(username_key=username_key(username), password=encoded)
    audit.record("registered_address_in_use", user_id=owner.pk, client=client)
    mail.warn_owner(owner)
    return User(pk=new_id(), username=username, email=email, date_joined=timezone.now())
