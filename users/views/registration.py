"""Registering, and proving the address."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.throttling import ScopedThrottle
from users.serializers.emails import EmailStateAnswer, EmailTokenForm, ResendForm
from users.serializers.registration import RegistrationAnswer, RegistrationForm
from users.services import emails
from users.services.registration import register
from users.views.base import OpenView
from users.views.examples import ADA, PASSWORD, TOKEN, answer, body

TAGS = ["Accounts"]
STATE = {"email": "maria@example.com", "email_verified": True}


class RegisterView(OpenView):
    """New accounts."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "register"

    @extend_schema(
        tags=TAGS,
        summary="Register an account",
        description="Makes an account and mails a link that proves the address. For an address "
        "that has an account already the answer looks the same, no account is made, and the "
        "owner of the address is told by mail.",
        request=RegistrationForm,
        responses={201: RegistrationAnswer},
        examples=[
            body({"username": "maria", "email": "maria@example.com", "password": PASSWORD}),
            answer(
                {
                    "id": ADA,
                    "username": "maria",
                    "email": "maria@example.com",
                    "date_joined": "2026-11-22T14:00:00.000000Z",
                },
                status=201,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Register."""
        registered = register(**self.read(RegistrationForm), client=self.client)
        return Response(RegistrationAnswer(registered).data, status=201)


class VerifyEmailView(OpenView):
    """Proof of an address."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "confirm"

    @extend_schema(
        tags=TAGS,
        summary="Verify an e-mail address",
        description="Spends the token of the link in the mail. It works once, for 24 hours, and "
        "only the newest one does.",
        request=EmailTokenForm,
        responses={200: EmailStateAnswer},
        examples=[body({"token": TOKEN}), answer(STATE)],
    )
    def post(self, request: Request) -> Response:
        """Verify."""
        user = emails.verify_email(**self.read(EmailTokenForm), client=self.client)
        return Response(EmailStateAnswer(user).data)


class ResendVerificationView(OpenView):
    """Another link."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "mail"

    @extend_schema(
        tags=TAGS,
        summary="Send the verification link again",
        description="Always 202, whether or not the address has an account. Older links are void "
        "once the new one is sent.",
        request=ResendForm,
        responses={202: OpenApiResponse(description="Accepted. A mail follows if it is needed.")},
        examples=[body({"email": "maria@example.com"})],
    )
    def post(self, request: Request) -> Response:
        """Resend."""
        emails.ask_for_verification(**self.read(ResendForm))
        return Response(status=202)
