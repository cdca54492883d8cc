"""Devices, and logging out of them."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common.pagination import PageNumberPagination
from users import cookies, selectors
from users.authentication import TokenAuthentication
from users.errors import InvalidToken
from users.models import TokenFamily, User
from users.serializers.profile import DevicePage, DeviceSerializer
from users.serializers.tokens import LogoutForm
from users.services import families
from users.views.base import AccountsView, OpenView
from users.views.examples import DEVICE, REFRESH, answer, body
from users.views.tokens import refresh_token

TAGS = ["Accounts"]
GONE = OpenApiResponse(description="Done.")
EXAMPLE = {
    "id": DEVICE,
    "created_at": "2026-11-22T14:00:00.000000Z",
    "last_used_at": "2026-11-22T14:10:00.000000Z",
    "user_agent": "curl/8.9",
    "address": "203.0.113.7",
    "current": True,
}


class LogoutView(OpenView):
    """Ending this device's log-in."""

    @extend_schema(
        tags=TAGS,
        summary="Log out",
        description="Ends the family of the refresh token, access tokens included. Without "
        "`refresh` the caller's cookies or access token say which. An expired access token does "
        "not stand in the way.",
        request=LogoutForm,
        responses={204: GONE},
        examples=[body({"refresh": REFRESH})],
    )
    def post(self, request: Request) -> Response:
        """Log out."""
        given = self.read(LogoutForm).get("refresh")
        if given is None and (caller := _by_access(request)):
            user, family = caller
            families.end(user.pk, family.pk, client=self.client, event="logged_out")
        else:
            token, _ = refresh_token(request, given)
            families.end_by_token(token, client=self.client)
        return _without_cookies()


class LogoutAllView(OpenView):
    """Ending every device's log-in."""

    @extend_schema(
        tags=TAGS,
        summary="Log out everywhere",
        description="Ends every family of the caller, access tokens included. The caller is known "
        "by `refresh`, by the cookies or by the access token.",
        request=LogoutForm,
        responses={204: GONE},
        examples=[body({"refresh": REFRESH})],
    )
    def post(self, request: Request) -> Response:
        """Log out everywhere."""
        given = self.read(LogoutForm).get("refresh")
        if given is None and (caller := _by_access(request)):
            user = caller[0]
        else:
            user = families.owner_of(refresh_token(request, given)[0])
        families.end_all(user, client=self.client)
        return _without_cookies()


class DevicesView(AccountsView):
    """The caller's devices."""

    @extend_schema(
        operation_id="auth_me_sessions_list",
        tags=TAGS,
        summary="List the devices",
        description="Where the account is logged in, the last used first. A device is a log-in; "
        "`last_used_at` moves with each refresh.",
        parameters=[
            OpenApiParameter("page", int, description="From 1."),
            OpenApiParameter("page_size", int, description="At most 100; 20 if not said."),
        ],
        responses={200: DevicePage},
        examples=[answer({"count": 1, "next": None, "previous": None, "results": [EXAMPLE]})],
    )
    def get(self, request: Request) -> Response:
        """List."""
        pages = PageNumberPagination()
        rows = pages.paginate_queryset(selectors.devices_of(self.caller), request, view=self)
        context = {"family_id": self.family.pk}
        return pages.get_paginated_response(DeviceSerializer(rows, many=True, context=context).data)


class DeviceView(AccountsView):
    """One device."""

    @extend_schema(
        operation_id="auth_me_sessions_destroy",
        tags=TAGS,
        summary="Log a device out",
        description="Ends one of the caller's log-ins, access tokens included.",
        request=None,
        responses={204: GONE},
    )
    def delete(self, request: Request, family_id: UUID) -> Response:
        """End."""
        families.end_device(self.caller, family_id, client=self.client)
        return Response(status=204)


def _by_access(request: Request) -> tuple[User, TokenFamily] | None:
    """Who an access token speaks for; None where another proof may still come."""
    try:
        return TokenAuthentication().authenticate(request)
    except InvalidToken:
        if cookies.refresh_from_cookie(request) is None:
            raise
        return None


def _without_cookies() -> Response:
    response = Response(status=204)
    cookies.drop_cookies(response)
    return response
