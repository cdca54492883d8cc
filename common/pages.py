"""Errors for people: a page for a browser, a problem for everything else."""

import logging
import sys
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string

from common.middleware import Middleware

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"


def wants_page(request: HttpRequest) -> bool:
    """Whether the caller is a person at a browser, outside the API."""
    if request.path.startswith(API_PREFIX):
        return False
    return "text/html" in request.headers.get("Accept", "")


def error_page(*, status: int, title: str, detail: str) -> HttpResponse:
    """A page that says what happened; needs no database and no request."""
    context = {"status": status, "title": title, "detail": detail}
    return HttpResponse(render_to_string("error.html", context), status=status)


class ErrorResponsesMiddleware(Middleware):
    """Gives the API its own answer to a bug, and a body to errors that Django leaves empty.

    Under DEBUG Django would answer an exception with its page of source code, to a client that
    asked for JSON; and a method that a plain view does not take with nothing at all.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The API's 500, logged with its traceback; other pages are left to Django."""
        if not request.path.startswith(API_PREFIX):
            return None
        from common.problems import server_error

        logger.error("Unhandled exception", exc_info=sys.exc_info())
        got_request_exception.send(sender=type(self), request=request)
        return server_error(request)

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """`response`, with a page or a problem in place of an empty 405."""
        if response.status_code != 405 or response.streaming or _body(response):
            return response
        from common.problems import method_not_allowed

        filled = method_not_allowed(request)
        filled.headers["Allow"] = response.headers.get("Allow", "")
        return filled


def _body(response: Any) -> bytes:
    return bytes(response.content)
