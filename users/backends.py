"""Django's own log-in forms (the admin's) under the same rules as the API."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from common.clients import Client, client_of
from common.errors import ApplicationError
from users.models import User
from users.services import audit
from users.services.login import check_credentials


class AccountBackend(ModelBackend):
    """Checks a pair with the API's limits, timing and audit log."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The user; None for a pair that the API would refuse too."""
        if not username or password is None:
            return None
        client = client_of(request) if request is not None else Client(address="unknown")
        try:
            user = check_credentials(username, password, client=client)
        except ApplicationError as error:
            raise PermissionDenied from error
        audit.record("logged_in_by_form", user_id=user.pk, client=client)
        return user
