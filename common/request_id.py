"""One id a request: taken from the client when it is sane, else made; on every log line."""

import logging
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from common.identifiers import new_id

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,63}\Z")

_current: ContextVar[str] = ContextVar("request_id", default="-")


def current_request_id() -> str:
    """The id of the request being served here, or "-" outside one."""
    return _current.get()


def set_request_id(value: str) -> None:
    """Carry a request's id into work that goes on in another thread or task."""
    _current.set(value)


class RequestIDFilter(logging.Filter):
    """Puts `request_id` on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id()
        return True


class RequestIDMiddleware:
    """Sets the id before anything else runs and returns it on every response."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._serve_async(request)
        token = _current.set(_choose(request))
        try:
            return _stamp(self.get_response(request))
        finally:
            _current.reset(token)

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        # No reset: a task has a context of its own, and a stream outlives this call.
        _current.set(_choose(request))
        return _stamp(await self.get_response(request))


def _choose(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "")
    return given if SANE.match(given) else str(new_id())


def _stamp(response: HttpResponseBase) -> HttpResponseBase:
    response[HEADER] = current_request_id()
    return response
