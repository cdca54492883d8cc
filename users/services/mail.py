"""Mail to users: recorded with what it tells of, sent once that is committed."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from common.clients import Client
from common.errors import RateLimited
from common.rates import check_rate
from users.identity import email_key
from users.models import OutgoingMail, User
from users.services import delivery


def notify(user: User, kind: str, *, client: Client | None = None, **context: Any) -> None:
    """Tell the owner of an account what happened to it."""
    record(kind, to=user.email, user=user, client=client, username=user.username, **context)


def record(
    kind: str, *, to: str, user: User | None = None, client: Client | None = None, **context: Any
) -> None:
    """Have a mail of `kind` sent after the commit, by this process or else by the sweep."""
    context |= {"at": timezone.now().strftime("%d %B %Y, %H:%M UTC")}
    if client is not None:
        context |= {"address": client.address, "user_agent": client.user_agent}
    row = OutgoingMail.objects.create(kind=kind, to=to, user=user, context=context)
    transaction.on_commit(lambda: delivery.deliver_soon(row.pk))


def request(kind: str, email: str) -> None:
    """Have a link of `kind` mailed to whoever owns this address, if anybody does.

    Not looked up here: the call does the same for every address. More than a few an hour for
    one address are dropped without a word, so that nobody's mailbox can be flooded from many
    places.
    """
    if _is_within_limit(kind, email):
        record(kind, to=email)


def warn_owner(owner: User) -> None:
    """Tell the owner of an address that somebody tried to use it; no more than a few an hour."""
    if _is_within_limit("address_in_use", owner.email):
        notify(owner, "address_in_use")


def _is_within_limit(kind: str, email: str) -> bool:
    rate = settings.THROTTLES["mail"]["recipient"]
    try:
        check_rate("mail-recipient", f"{kind}:{email_key(email)}", rate, quiet=True)
    except RateLimited:
        return False
    return True
