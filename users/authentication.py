"""Who is calling: the bearer of an access token, in the header or in a cookie."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from users import selectors, tokens
from users.cookies import access_from_cookie, check_csrf
from users.errors import InvalidToken
from users.models import TokenFamily, User

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class TokenAuthentication(BaseAuthentication):
    """Authenticates `Authorization: Bearer <access>`, or the access cookie with its CSRF token.

    `request.user` is the user, `request.auth` the token's family; one query finds both.
    """

    def authenticate(self, request: Request) -> tuple[User, TokenFamily] | None:
        """The user and family; None for a request that claims nothing, InvalidToken for a lie."""
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is not None:
            return authenticate_token(_bearer(header))
        cookie = access_from_cookie(request)
        if cookie is None:
            return None
        user, family = authenticate_token(cookie)
        if request.method not in SAFE_METHODS:
            check_csrf(request, family.pk)
        return user, family

    def authenticate_header(self, request: Request) -> str:
        """The challenge that goes with a 401."""
        return 'Bearer realm="api"'


def authenticate_token(token: str) -> tuple[User, TokenFamily]:
    """Whose live access token this is, by one query; InvalidToken for any other."""
    claims = tokens.read(token, "access")
    family = selectors.usable_family(claims.family_id)
    if family is None or family.user_id != claims.user_id:
        raise InvalidToken
    return family.user, family


def _bearer(header: Any) -> str:
    scheme, _, token = str(header).partition(" ")
    if scheme.lower() != "bearer" or not token or " " in token.strip():
        raise InvalidToken
    return token.strip()
