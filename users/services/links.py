"""One-time tokens: 256 random bits in a mail, their hash in the database."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from users.errors import InvalidLink
from users.models import OneTimeLink, User

TOKEN_BYTES = 32
Purpose = OneTimeLink.Purpose
LIFETIMES = {
    Purpose.VERIFY_EMAIL: timedelta(hours=24),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
}
PATHS = {
    Purpose.VERIFY_EMAIL: ("VERIFY_EMAIL_URL", "/api/auth/verify-email/{token}/"),
    Purpose.CHANGE_EMAIL: ("CHANGE_EMAIL_URL", "/api/auth/email/change/confirm/{token}/"),
    Purpose.RESET_PASSWORD: ("RESET_PASSWORD_URL", "/api/auth/password/reset/{uid}/{token}/"),
}


def make_link(user: User, purpose: Purpose, *, email: str) -> str:
    """The address of a new link for `user`; all its older ones of this purpose are void.

    It begins with `PUBLIC_URL` (or is the front end's own, by setting): never with a request's
    Host header, which whoever asks for the mail may write.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    user.one_time_links.filter(purpose=purpose).void()
    OneTimeLink.objects.create(
        user=user,
        purpose=purpose,
        token_hash=hash_token(token),
        email=email,
        expires_at=timezone.now() + LIFETIMES[purpose],
    )
    setting, path = PATHS[purpose]
    template = getattr(settings, setting, "") or f"{settings.PUBLIC_URL}{path}"
    return template.replace("{uid}", str(user.pk)).replace("{token}", token)


def spend(token: str, purpose: Purpose) -> OneTimeLink:
    """The link of `token`, now spent; InvalidLink unless it was open and is of this purpose."""
    digest = hash_token(token)
    rows = OneTimeLink.objects.open().filter(token_hash=digest, purpose=purpose)
    # No join in the UPDATE: see TokenFamilyQuerySet.advance.
    if not rows.update(spent_at=timezone.now()):
        raise InvalidLink
    link = OneTimeLink.objects.select_related("user").get(token_hash=digest)
    if not link.user.is_active:
        raise InvalidLink
    return link


def hash_token(token: str) -> str:
    """What is stored of a token; it has 256 random bits, so that a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def look_at(token: str, purpose: Purpose) -> OneTimeLink:
    """The open link of `token` with its user, unspent; InvalidLink for any other."""
    rows = OneTimeLink.objects.open().filter(token_hash=hash_token(token), purpose=purpose)
    link = rows.filter(user__is_active=True).select_related("user").first()
    if link is None:
        raise InvalidLink
    return link
