"""The caller's own account."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.throttling import ScopedThrottle
from users import cookies
from users.serializers.profile import (
    AccountDeletionForm,
    ExportAnswer,
    ProfileForm,
    UserSerializer,
)
from users.services import accounts
from users.views.base import AccountsView
from users.views.examples import PASSWORD, PROFILE, answer, body

TAGS = ["Accounts"]
EXPORT = {
    "exported_at": "2026-11-22T14:20:00.000000Z",
    "account": {"username": "maria", "email": "maria@example.com"},
    "devices": [{"user_agent": "curl/8.9", "address": "203.0.113.7"}],
    "security_events": [{"event": "logged_in", "address": "203.0.113.7"}],
}


class MeView(AccountsView):
    """The caller's account."""

    @extend_schema(
        tags=TAGS,
        summary="See my account",
        description="The caller's profile and role.",
        responses={200: UserSerializer},
        examples=[answer(PROFILE)],
    )
    def get(self, request: Request) -> Response:
        """The profile."""
        return Response(UserSerializer(self.caller).data)

    @extend_schema(
        tags=TAGS,
        summary="Change my profile",
        description="Username, first and last name. The address, the password and the role are "
        "not changed here; the role by no request at all.",
        request=ProfileForm,
        responses={200: UserSerializer},
        examples=[body({"first_name": "Maria", "last_name": "Keller"}), answer(PROFILE)],
    )
    def patch(self, request: Request) -> Response:
        """Change."""
        user = accounts.change_profile(self.caller, client=self.client, **self.read(ProfileForm))
        return Response(UserSerializer(user).data)

    @extend_schema(
        tags=TAGS,
        summary="Delete my account",
        description="Erases the account with its conversations, private documents, devices and "
        "everything else that is the caller's. It cannot be undone.",
        request=AccountDeletionForm,
        responses={204: OpenApiResponse(description="Erased.")},
        examples=[body({"password": PASSWORD})],
    )
    def delete(self, request: Request) -> Response:
        """Erase."""
        form = self.read(AccountDeletionForm)
        accounts.delete_own_account(self.caller, client=self.client, **form)
        response = Response(status=204)
        cookies.drop_cookies(response)
        return response


class ExportView(AccountsView):
    """Everything about the caller."""

    throttle_classes = (ScopedThrottle,)
    throttle_scope = "export"

    @extend_schema(
        tags=TAGS,
        summary="Export my data",
        description="Everything that is stored about the caller, as one JSON object: the account, "
        "its devices and security events, and what the other parts hold, each under its name.",
        responses={200: ExportAnswer},
        examples=[answer(EXPORT)],
    )
    def get(self, request: Request) -> Response:
        """Export."""
        data = accounts.export_account(self.caller, client=self.client)
        headers = {"Content-Disposition": 'attachment; filename="docent-export.json"'}
        return Response(data, headers=headers)
