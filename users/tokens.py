"""Tokens as text: made, and read without trusting a word of them."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import jwt
from django.conf import settings
from django.utils import timezone

from common.identifiers import new_id
from common.keys import signing_keys
from users.errors import InvalidToken
from users.models import TokenFamily

ALGORITHM = "HS256"
HEADER = {"alg": ALGORITHM, "typ": "JWT"}
MAX_TOKEN_CHARS = 2_048
KNOWN_TOKENS = 1_024
# How far the clocks of two of our own servers may be apart.
CLOCK_SKEW_SECONDS = 5
LATEST_SECOND = 2**33  # the year 2242: beyond it a time is an attack on arithmetic
REQUIRED = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "token_type", "family"]

TokenType = Literal["access", "refresh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says; whether its family lives is the database's to say."""

    token_type: TokenType
    user_id: UUID
    family_id: UUID
    generation: int
    expires_at: int


def make_access(family: TokenFamily) -> str:
    """A new access token of `family`, for `JWT_ACCESS_LIFETIME`."""
    now = timezone.now()
    return _sign(family, "access", str(new_id()), now, now + settings.JWT_ACCESS_LIFETIME)


def make_refresh(family: TokenFamily) -> str:
    """The refresh token of the family's current generation: the same text each time it is asked."""
    jti = hmac.digest(
        signing_keys("jti")[0], f"{family.pk}:{family.generation}".encode(), hashlib.sha256
    )
    return _sign(family, "refresh", UUID(bytes=jti[:16]).hex, family.rotated_at, family.idle_at)


def _sign(
    family: TokenFamily, token_type: TokenType, jti: str, issued: datetime, ends: datetime
) -> str:
    claims: dict[str, Any] = {
        "token_type": token_type,
        "iss": settings.JWT_ISSUER,
        "aud": settings.JWT_AUDIENCE,
        "sub": str(family.user_id),
        "jti": jti,
        "iat": int(issued.timestamp()),
        "nbf": int(issued.timestamp()),
        "exp": int(min(ends, family.expires_at).timestamp()),
        "family": str(family.pk),
        "generation": family.generation,
    }
    return jwt.encode(claims, signing_keys("jwt")[0], algorithm=ALGORITHM, headers=HEADER)


def read(token: str, token_type: TokenType | None = None) -> Claims:
    """The claims of a token that we signed, of this type (None: of either); else InvalidToken."""
    claims = _verify(token)
    now = time.time()
    latest = now + CLOCK_SKEW_SECONDS
    times = [claims[name] for name in ("exp", "iat", "nbf")]
    if any(type(second) is not int or not 0 < second < LATEST_SECOND for second in times):
        raise InvalidToken
    if claims["iat"] > latest or claims["nbf"] > latest or claims["exp"] <= now:
        raise InvalidToken
    if claims["token_type"] not in ((token_type,) if token_type else ("access", "refresh")):
        raise InvalidToken
    if type(claims.get("generation")) is not int or not isinstance(claims["jti"], str):
        raise InvalidToken
    return Claims(
        token_type=claims["token_type"],
        user_id=_uuid(claims["sub"]),
        family_id=_uuid(claims["family"]),
        generation=claims["generation"],
        expires_at=claims["exp"],
    )


def _verify(token: str) -> Mapping[str, Any]:
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise InvalidToken
    return _signed_claims(token, signing_keys("jwt"), settings.JWT_ISSUER, settings.JWT_AUDIENCE)


# A client sends one token for many requests, and what was signed stays signed. Nothing that
# changes is kept: times are looked at by `read`, the family by the database.
@lru_cache(maxsize=KNOWN_TOKENS)
def _signed_claims(
    token: str, keys: tuple[bytes, ...], issuer: str, audience: str
) -> Mapping[str, Any]:
    for key in keys:
        try:
            # Only this header: nothing in it (kid, jku, crit …) may choose how it is read.
            if jwt.get_unverified_header(token) != HEADER:
                raise InvalidToken
            return _decode(token, key, issuer, audience)
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError as error:
            raise InvalidToken from error
    raise InvalidToken


def _decode(token: str, key: bytes, issuer: str, audience: str) -> dict[str, Any]:
    return jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        issuer=issuer,
        audience=audience,
        # Times are looked at by `read`: exp exactly, iat and nbf with a skew.
        options={
            "require": REQUIRED,
            "strict_aud": True,
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
        },
    )


def _uuid(value: Any) -> UUID:
    try:
        found = UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidToken from error
    if str(found) != value:
        raise InvalidToken
    return found
