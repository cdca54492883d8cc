"""`RateLimit` and `RateLimit-Policy` on answers (draft-ietf-httpapi-ratelimit-headers-09)."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

# A list that inner contexts share, so that what a thread notes is seen out here.
_limits: ContextVar[list[tuple[str, str]] | None] = ContextVar("rate_limits", default=None)


def note_limit(name: str, *, quota: int, window: int, remaining: int, reset: int) -> None:
    """Tell the client of a limit that it was just counted against; times in seconds."""
    limits = _limits.get()
    if limits is not None:
        limits.append((f'"{name}";q={quota};w={window}', f'"{name}";r={remaining};t={reset}'))


class RateLimitHeadersMiddleware:
    """Puts the limits that were noted while a request was served on its answer."""

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
        token = _limits.set([])
        try:
            return _stamp(self.get_response(request))
        finally:
            _limits.reset(token)

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        _limits.set([])
        return _stamp(await self.get_response(request))


def _stamp(response: HttpResponseBase) -> HttpResponseBase:
    if limits := _limits.get():
        response["RateLimit-Policy"] = ", ".join(policy for policy, _ in limits)
        response["RateLimit"] = ", ".join(state for _, state in limits)
    return response
