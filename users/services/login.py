"""Logging in: the same answer in the same time for every wrong pair."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password
from django.db import transaction
from django.utils import timezone

from common.clients import Client
from users.errors import EmailNotVerified, InvalidCredentials
from users.identity import username_key
from users.models import HeldName, User
from users.services import attempts, audit, families, mail


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """Who logged in, with what tokens."""

    user: User
    tokens: families.TokenPair


def log_in(identifier: str, password: str, *, client: Client, cookie: bool = False) -> LogIn:
    """A new family of tokens for the account that `identifier` and `password` open.

    RateLimited, InvalidCredentials or, only after a right password, EmailNotVerified.
    """
    user = check_credentials(identifier, password, client=client)
    first = user.last_login is None
    known = attempts.remember(user, client)
    with transaction.atomic(savepoint=False):
        # The password that was checked must still be the password: a change that commits
        # meanwhile ends the families that it sees, and must not miss this one.
        rows = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
        if not rows.update(last_login=timezone.now()):
            raise InvalidCredentials
        family = families.open_family(user, client=client, cookie=cookie)
        audit.record("logged_in", user_id=user.pk, client=client, session=str(family.pk))
        if not (known or first):
            mail.notify(user, "new_device", client=client)
    return LogIn(user=user, tokens=families.pair_of(family))


def check_credentials(identifier: str, password: str, *, client: Client) -> User:
    """The account, if the pair is right and may log in; each call is an attempt that counts."""
    attempts.count_address(client)
    user = User.objects.find(identifier)
    may_check = attempts.count_account(identifier, user, client)
    if not may_check or user is None or not user.is_active:
        _refuse(identifier, password, user, client=client, held=user is None)
    elif not user.check_password(password):
        _fail(user, client)
    elif settings.EMAIL_VERIFICATION == "mandatory" and not user.email_verified:
        audit.record("login_refused_unverified", user_id=user.pk, client=client)
        raise EmailNotVerified
    else:
        return user
    raise InvalidCredentials


def _refuse(
    identifier: str, password: str, user: User | None, *, client: Client, held: bool
) -> None:
    name = HeldName.objects.filter(username_key=username_key(identifier)).first() if held else None
    # Against an unusable password this hashes all the same, and takes as long.
    right = check_password(password, name.password if name else UNUSABLE_PASSWORD_PREFIX)
    _fail(user, client)
    if right and settings.EMAIL_VERIFICATION == "mandatory":
        raise EmailNotVerified


def _fail(user: User | None, client: Client) -> None:
    # What was typed is not kept: it may be a password in the wrong field.
    audit.record("login_failed", user_id=user.pk if user else None, client=client)
