"""Families of tokens: opened at log-in, rotated at refresh, ended for good."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from common.clients import Client
from users import selectors, tokens
from users.errors import InvalidToken, SessionNotFound
from users.models import TokenFamily, User
from users.services import audit, mail

# A second tab that refreshes with the same token at the same time is no thief.
GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a log-in or a refresh hands out."""

    access: str
    refresh: str
    family: TokenFamily


def open_family(user: User, *, client: Client, cookie: bool = False) -> TokenFamily:
    """A new family for `user`, on the device that `client` describes."""
    now = timezone.now()
    return TokenFamily.objects.create(
        user=user,
        created_at=now,
        rotated_at=now,
        last_used_at=now,
        idle_at=now + settings.JWT_REFRESH_LIFETIME,
        expires_at=now + settings.JWT_SESSION_LIFETIME,
        cookie=cookie,
        user_agent=client.user_agent,
        address=client.address,
    )


def pair_of(family: TokenFamily) -> TokenPair:
    """A new access token and the current refresh token of `family`."""
    return TokenPair(
        access=tokens.make_access(family), refresh=tokens.make_refresh(family), family=family
    )


def rotate(refresh: str, *, client: Client) -> TokenPair:
    """The successors of a refresh token; InvalidToken, and the family's end, for a spent one.

    One conditional UPDATE decides which of any number of simultaneous calls rotates; within
    `GRACE` the others are handed the same successor.
    """
    claims = tokens.read(refresh, "refresh")
    now = timezone.now()
    idle = now + settings.JWT_REFRESH_LIFETIME
    won = TokenFamily.objects.advance(claims.family_id, claims.generation, now=now, idle=idle)
    family = selectors.usable_family(claims.family_id)
    if family is None or family.user_id != claims.user_id:
        raise InvalidToken
    if won:
        # A second tab may have rotated again meanwhile; this call's successor is its own.
        family.generation, family.rotated_at, family.idle_at = claims.generation + 1, now, idle
        return pair_of(family)
    if claims.generation == family.generation - 1 and now - family.rotated_at <= GRACE:
        return pair_of(family)
    if claims.generation < family.generation:
        _revoke_reused(family, client=client)
    raise InvalidToken


def _revoke_reused(family: TokenFamily, *, client: Client) -> None:
    if TokenFamily.objects.filter(pk=family.pk).revoke("reused"):
        audit.record(
            "refresh_token_reused", user_id=family.user_id, client=client, session=str(family.pk)
        )
        mail.notify(family.user, "token_reused", client=client)


def check(token: str) -> tokens.Claims:
    """The claims of a token that would be taken now; InvalidToken for any other."""
    claims = tokens.read(token)
    family = selectors.usable_family(claims.family_id)
    if family is None or family.user_id != claims.user_id:
        raise InvalidToken
    if claims.token_type == "refresh" and claims.generation != family.generation:  # noqa: S105
        raise InvalidToken
    return claims


def end_by_token(refresh: str, *, client: Client) -> None:
    """End the family of this refresh token, current or spent; nothing happens to an ended one."""
    claims = tokens.read(refresh, "refresh")
    end(claims.user_id, claims.family_id, client=client, event="logged_out")


def end(user_id: UUID, family_id: UUID, *, client: Client, event: str) -> bool:
    """End one of the user's families; False when it had ended before."""
    ended = TokenFamily.objects.filter(pk=family_id, user_id=user_id).live().revoke(event)
    if ended:
        audit.record(event, user_id=user_id, client=client, session=str(family_id))
    return bool(ended)


def end_device(user: User, family_id: UUID, *, client: Client) -> None:
    """End one of the user's devices; SessionNotFound for any other id."""
    if not end(user.pk, family_id, client=client, event="session_ended"):
        raise SessionNotFound


def owner_of(refresh: str) -> User:
    """Whose live family this refresh token is of; InvalidToken otherwise."""
    claims = tokens.read(refresh, "refresh")
    family = selectors.usable_family(claims.family_id)
    if family is None or family.user_id != claims.user_id:
        raise InvalidToken
    return family.user


def end_all(user: User, *, client: Client, actor_id: UUID | None = None) -> int:
    """End every family of `user`; how many it were."""
    ended = user.token_families.live().revoke("logged_out_everywhere")
    audit.record(
        "logged_out_everywhere", user_id=user.pk, actor_id=actor_id, client=client, sessions=ended
    )
    mail.notify(user, "logged_out_everywhere", client=client)
    return ended
