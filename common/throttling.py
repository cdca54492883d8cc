"""Limits for views: by the scope that they name and the tier of who calls."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from common.clients import address_bucket, client_address
from common.rates import check_rate

__all__ = ["ScopedThrottle", "check_rate", "enforce"]


def enforce(request: Any, scope: str) -> None:
    """Hold `request` to `THROTTLES[scope]`: by user where one is known, else by address."""
    rates = settings.THROTTLES[scope]
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and "user" in rates:
        tier = "staff" if user.is_staff or user.is_superuser else "user"
        check_rate(scope, f"user:{user.pk}", rates[tier])
    elif "address" in rates:
        check_rate(scope, f"address:{address_bucket(client_address(request))}", rates["address"])


class ScopedThrottle(BaseThrottle):
    """Holds a view to `THROTTLES[view.throttle_scope]`."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """True, or RateLimited."""
        enforce(request, view.throttle_scope)
        return True
