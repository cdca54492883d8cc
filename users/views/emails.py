"""The change of an address."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.throttling import ScopedThrottle
from users.serializers.emails import EmailChangeForm, EmailStateAnswer, EmailTokenForm
from users.services import emails
from users.views.base import AccountsView, OpenView
from users.views.examples import PASSWORD, TOKEN, answer, body

TAGS = ["Accounts"]


class EmailChangeView(AccountsView):
    """A new address for the caller."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "mail"

    @extend_schema(
        tags=TAGS,
        summary="Change my e-mail address",
        description="Mails a link to the new address, which is in force only once the link is "
        "used, and word of it to the old one.",
        request=EmailChangeForm,
        responses={202: OpenApiResponse(description="Accepted. A mail goes to the new address.")},
        examples=[body({"new_email": "maria@example.org", "password": PASSWORD})],
    )
    def post(self, request: Request) -> Response:
        """Ask."""
        emails.ask_for_change(self.caller, **self.read(EmailChangeForm), client=self.client)
        return Response(status=202)


class EmailChangeConfirmView(OpenView):
    """The proof of the new address."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "confirm"

    @extend_schema(
        tags=TAGS,
        summary="Confirm the new e-mail address",
        description="Spends the token of the link in the mail; from then on the new address is in "
        "force.",
        request=EmailTokenForm,
        responses={200: EmailStateAnswer},
        examples=[
            body({"token": TOKEN}),
            answer({"email": "maria@example.org", "email_verified": True}),
        ],
    )
    def post(self, request: Request) -> Response:
        """Confirm."""
        user = emails.confirm_change(**self.read(EmailTokenForm), client=self.client)
        return Response(EmailStateAnswer(user).data)
