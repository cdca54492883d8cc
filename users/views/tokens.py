"""Tokens: log in, refresh, verify."""

from collections.abc import Mapping
from datetime import UTC, datetime

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from users import cookies, tokens
from users.errors import InvalidToken
from users.serializers.profile import UserSerializer
from users.serializers.tokens import (
    LoginAnswer,
    LoginForm,
    RefreshAnswer,
    RefreshForm,
    TokenAnswer,
    TokenForm,
)
from users.services import families
from users.services.login import log_in
from users.views.base import OpenView
from users.views.examples import ACCESS, PASSWORD, PROFILE, REFRESH, answer, body

TAGS = ["Accounts"]
PAIR = {"access": ACCESS, "refresh": REFRESH}
CSRF = {"csrf_token": "5f0c9a7e2b8d4c1fa6e3907bd2485c1e7f9a0b3c6d2e8f4a1b5c7d9e0f2a4b6c"}


class LoginView(OpenView):
    """Logging in."""

    @extend_schema(
        tags=TAGS,
        summary="Log in",
        description="By username or e-mail address. Every wrong pair is a 401 "
        "`invalid_credentials`; 403 `email_not_verified` comes only after a right password. Five "
        "attempts a minute for an account and for an address. With `cookie: true` the tokens come "
        "as HttpOnly cookies, and unsafe requests must carry `csrf_token` in `X-CSRFToken`.",
        request=LoginForm,
        responses={200: LoginAnswer},
        examples=[
            body({"username": "maria", "password": PASSWORD}),
            body({"email": "maria@example.com", "password": PASSWORD, "cookie": True}, "Cookies"),
            answer(PAIR | {"user": PROFILE}),
            answer(CSRF | {"user": PROFILE}, "Cookies"),
        ],
    )
    def post(self, request: Request) -> Response:
        """Log in."""
        form = self.read(LoginForm)
        done = log_in(
            form["identifier"], form["password"], client=self.client, cookie=form["cookie"]
        )
        user = {"user": UserSerializer(done.user).data}
        return hand_over(done.tokens, cookie=form["cookie"], more=user)


class RefreshView(OpenView):
    """Rotation."""

    @extend_schema(
        tags=TAGS,
        summary="Refresh the tokens",
        description="Hands out a new pair; the old refresh token is spent. A second call with it "
        "within ten seconds gets the same successor; later it ends the device's log-in. Without "
        "`refresh` in the body the cookie is used, and the CSRF token is needed.",
        request=RefreshForm,
        responses={200: RefreshAnswer},
        examples=[body({"refresh": REFRESH}), answer(PAIR), answer(CSRF, "Cookies")],
    )
    def post(self, request: Request) -> Response:
        """Rotate."""
        token, cookie = refresh_token(request, self.read(RefreshForm).get("refresh"))
        return hand_over(families.rotate(token, client=self.client), cookie=cookie, more={})


class VerifyTokenView(OpenView):
    """Asking whether a token is good."""

    @extend_schema(
        tags=TAGS,
        summary="Verify a token",
        description="200 for a token that would be taken now, access or refresh; else 401.",
        request=TokenForm,
        responses={200: TokenAnswer},
        examples=[
            body({"token": ACCESS}),
            answer({"token_type": "access", "expires_at": "2026-11-22T14:15:00.000000Z"}),
        ],
    )
    def post(self, request: Request) -> Response:
        """Verify."""
        claims = families.check(self.read(TokenForm)["token"])
        expires_at = datetime.fromtimestamp(claims.expires_at, UTC)
        data = {"token_type": claims.token_type, "expires_at": expires_at}
        return Response(TokenAnswer(data).data)


def refresh_token(request: Request, given: str | None) -> tuple[str, bool]:
    """The refresh token of the body, or of the cookie with its CSRF proof; whether the latter."""
    if given is not None:
        return given, False
    token = cookies.refresh_from_cookie(request)
    if token is None:
        raise InvalidToken
    cookies.check_csrf(request, tokens.read(token, "refresh").family_id)
    return token, True


def hand_over(pair: families.TokenPair, *, cookie: bool, more: Mapping[str, object]) -> Response:
    """The tokens in the body, or in cookies that no script can read."""
    if not cookie:
        return Response({"access": pair.access, "refresh": pair.refresh, **more})
    response = Response({"csrf_token": cookies.csrf_token(pair.family.pk), **more})
    cookies.set_cookies(
        response, access=pair.access, refresh=pair.refresh, family_id=pair.family.pk
    )
    return response
