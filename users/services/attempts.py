"""How often somebody may guess: by address, and by account without locking its owner out."""

import hashlib

from django.conf import settings

from common.clients import Client, address_bucket
from common.errors import RateLimited
from common.rates import check_rate, redis_answers
from common.redis import RedisError, get_redis, key
from users.identity import caseless
from users.models import User

KNOWN_DAYS = 30
DAY_SECONDS = 86_400


def count_address(client: Client) -> None:
    """One attempt from this address; RateLimited when there were too many."""
    rate = settings.THROTTLES["login"]["address"]
    check_rate("login", f"address:{address_bucket(client.address)}", rate)


def count_account(identifier: str, user: User | None, client: Client) -> bool:
    """One attempt at this account; whether its password may be looked at at all.

    Counted by what was typed (RateLimited when there were too many, account or none), and
    silently by the account, so that its name and its address are not two accounts to a guesser
    while a 429 never tells that they belong together. An address from which the owner has
    logged in counts apart: a flood from elsewhere cannot keep the owner out.
    """
    rate = settings.THROTTLES["login"]["account"]
    place = f":{address_bucket(client.address)}" if user and is_known(user, client) else ""
    check_rate("login-account", f"typed:{caseless(identifier.strip())}{place}", rate)
    if user is None:
        return True
    try:
        check_rate("login-account", f"user:{user.pk}{place}", rate, quiet=True)
    except RateLimited:
        return False
    return True


def count_password(user: User) -> None:
    """One attempt at the password of somebody who is logged in already."""
    check_rate("password", f"user:{user.pk}", settings.THROTTLES["password"]["user"])


def is_known(user: User, client: Client) -> bool:
    """Whether the owner has logged in from this address in the last 30 days."""
    if not redis_answers():
        return False
    try:
        return bool(get_redis().exists(_known_key(user, client)))
    except RedisError:
        return False


def remember(user: User, client: Client) -> bool:
    """Note that the owner logged in from here; whether that was known (or cannot be known)."""
    if not redis_answers():
        return True
    try:
        name = _known_key(user, client)
        new = get_redis().set(name, b"1", nx=True, ex=KNOWN_DAYS * DAY_SECONDS)
    except RedisError:
        return True
    return not new


def _known_key(user: User, client: Client) -> str:
    place = f"{user.pk}|{address_bucket(client.address)}"
    return key("known", hashlib.sha256(place.encode()).hexdigest()[:32])
