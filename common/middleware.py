"""A middleware that runs on the event loop as it stands, without a thread for each request.

Django's own MiddlewareMixin hops into a thread for every hook under ASGI; hooks that do no
blocking work have no need of that.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase


class Middleware:
    """Subclasses write `after` (and `before`); neither may block."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self._serve_async(request)
        self.before(request)
        return self.after(request, self.get_response(request))

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        self.before(request)
        return self.after(request, await self.get_response(request))

    def before(self, request: HttpRequest) -> None:
        """Called before the view."""

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """The response that goes out."""
        return response
