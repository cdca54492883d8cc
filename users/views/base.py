"""What the views of this app share."""

from typing import Any, cast

from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.clients import Client, client_of
from users.models import TokenFamily, User


class AccountsView(APIView):
    """A view of accounts: reads forms, knows who calls, and is never kept in a cache."""

    def read(self, form_class: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The body as `form_class` has it; a validation error otherwise."""
        form = form_class(data=self.request.data)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    @property
    def client(self) -> Client:
        """Where the request comes from."""
        return client_of(self.request)

    @property
    def caller(self) -> User:
        """Who is logged in."""
        return cast(User, self.request.user)

    @property
    def family(self) -> TokenFamily:
        """The family of the token that the caller showed."""
        return cast(TokenFamily, self.request.auth)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Tokens and profiles stay out of every cache."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


class OpenView(AccountsView):
    """A view that anybody may call, whatever tokens come along."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
