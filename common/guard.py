"""Turns away what no view should have to think of: bad paths, bad queries, huge bodies."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from common.errors import ApplicationError, Malformed, TooLarge
from common.problems import http_response

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
MAX_PATH_CHARS = 2_048
MAX_QUERY_CHARS = 8_192
# Room for the other parts of a multipart body around one file.
MULTIPART_OVERHEAD_BYTES = 1_000_000


class RequestGuardMiddleware:
    """Refuses a request by its line and headers, and adds the slash that a client left off."""

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
        return self._refuse(request) or self.get_response(request)

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        return self._refuse(request) or await self.get_response(request)

    def _refuse(self, request: HttpRequest) -> HttpResponseBase | None:
        try:
            check_line(request)
            check_length(request)
        except ApplicationError as error:
            return http_response(error)
        add_slash(request)
        return None


def check_line(request: HttpRequest) -> None:
    """Malformed for a path or query that is too long, not UTF-8 or holds control characters."""
    query = request.META.get("QUERY_STRING", "")
    if len(request.path) > MAX_PATH_CHARS or len(query) > MAX_QUERY_CHARS:
        raise Malformed("The address is too long.")
    try:
        text = request.path + unquote_to_bytes(query.replace("+", " ")).decode("utf-8")
        text.encode("utf-8")
    except UnicodeError as error:
        raise Malformed("The address is not UTF-8.") from error
    if CONTROL.search(text):
        raise Malformed("The address holds a control character.")


def check_length(request: HttpRequest) -> None:
    """TooLarge or Malformed by the Content-Length header; chunked bodies are counted when read."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        raise Malformed("The Content-Length is not a number.")
    if int(length) > body_limit(request):
        raise TooLarge(f"The body may have at most {body_limit(request)} bytes.")


def body_limit(request: HttpRequest) -> int:
    """How many bytes this request's body may have."""
    if (request.content_type or "").startswith("multipart/"):
        return int(settings.DOCUMENT_MAX_BYTES) + MULTIPART_OVERHEAD_BYTES
    return int(settings.REQUEST_MAX_JSON_BYTES)


def add_slash(request: HttpRequest) -> None:
    """`/api/x` is `/api/x/`: a redirect would drop the body of a POST."""
    if request.path_info.startswith(("/api/", "/health/")) and not request.path_info.endswith("/"):
        request.path_info += "/"
        request.path += "/"
