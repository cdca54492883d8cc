"""Passwords, changed and reset."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.throttling import ScopedThrottle
from users.serializers.passwords import (
    PasswordChangeForm,
    PasswordResetConfirmForm,
    PasswordResetForm,
)
from users.services import passwords
from users.views.base import AccountsView, OpenView
from users.views.examples import ADA, PASSWORD, TOKEN, body

TAGS = ["Accounts"]
NEW = "Quiet-Amber-Lantern-73"


class PasswordChangeView(AccountsView):
    """A new password for the caller."""

    @extend_schema(
        tags=TAGS,
        summary="Change my password",
        description="Every other device is logged out at once, access tokens included; the one "
        "that asks stays logged in. Five attempts a minute.",
        request=PasswordChangeForm,
        responses={204: OpenApiResponse(description="Changed.")},
        examples=[body({"old_password": PASSWORD, "new_password": NEW})],
    )
    def post(self, request: Request) -> Response:
        """Change."""
        passwords.change_password(
            self.caller,
            **self.read(PasswordChangeForm),
            family_id=self.family.pk,
            client=self.client,
        )
        return Response(status=204)


class PasswordResetView(OpenView):
    """A link for who forgot."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "mail"

    @extend_schema(
        tags=TAGS,
        summary="Ask for a new password",
        description="Always 202. If the address has an account, a link is mailed that works once, "
        "for an hour.",
        request=PasswordResetForm,
        responses={202: OpenApiResponse(description="Accepted. A mail follows if it can.")},
        examples=[body({"email": "maria@example.com"})],
    )
    def post(self, request: Request) -> Response:
        """Ask."""
        passwords.ask_for_reset(**self.read(PasswordResetForm))
        return Response(status=202)


class PasswordResetConfirmView(OpenView):
    """A new password by the link."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "confirm"

    @extend_schema(
        tags=TAGS,
        summary="Set a new password",
        description="With the `uid` and `token` of the link in the mail. Every device is logged "
        "out.",
        request=PasswordResetConfirmForm,
        responses={204: OpenApiResponse(description="Set.")},
        examples=[body({"uid": ADA, "token": TOKEN, "new_password": NEW})],
    )
    def post(self, request: Request) -> Response:
        """Set."""
        form = self.read(PasswordResetConfirmForm)
        passwords.reset_password(
            user_id=form["uid"],
            token=form["token"],
            new_password=form["new_password"],
            client=self.client,
        )
        return Response(status=204)
