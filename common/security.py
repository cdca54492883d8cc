"""Django's security headers and HTTPS redirect, for a chain that runs on the event loop."""

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware import security

from common.middleware import Middleware


class SecurityHeadersMiddleware(Middleware):
    """What `django.middleware.security.SecurityMiddleware` does, without a thread for it."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self.django = security.SecurityMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self._redirect_or_serve(request)
        return self.django.process_request(request) or super().__call__(request)

    async def _redirect_or_serve(self, request: HttpRequest) -> HttpResponseBase:
        redirect = self.django.process_request(request)
        return redirect or self.after(request, await self.get_response(request))

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """`response` with the headers."""
        response.headers.setdefault("X-Frame-Options", "DENY")
        return self.django.process_response(request, cast(HttpResponse, response))
