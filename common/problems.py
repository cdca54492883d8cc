"""Every error as `application/problem+json` (RFC 9457): one table from exception to status."""

import logging
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from common import errors
from common.pages import error_page, wants_page

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 5

STATUSES: tuple[tuple[type[errors.ApplicationError], int], ...] = (
    (errors.Invalid, 400),
    (errors.Malformed, 400),
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.TooLarge, 413),
    (errors.Unprocessable, 422),
    (errors.RateLimited, 429),
    (errors.Unavailable, 503),
)
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unprocessable",
    429: "Too many requests",
    500: "Server error",
    503: "Not available",
}


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """The body of a problem; `more` are its extension members."""
    return {
        "type": f"urn:docent:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }


def handle_exception(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: a problem response, or None for what is a bug (a 500)."""
    translated = translate(exc)
    if translated is None:
        return None
    response = respond(translated)
    challenge = getattr(exc, "auth_header", None)
    if response.status_code == 401:
        response["WWW-Authenticate"] = challenge or 'Bearer realm="api"'
    return response


def respond(error: errors.ApplicationError | drf.APIException) -> Response:
    """A DRF response for an error of ours or of DRF's own."""
    status, body, headers = describe(error)
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def http_response(error: errors.ApplicationError) -> HttpResponse:
    """A plain Django response for an error met outside a view."""
    status, body, headers = describe(error)
    return HttpResponse(
        orjson.dumps(body), status=status, headers=headers, content_type=CONTENT_TYPE
    )


def translate(exc: Exception) -> errors.ApplicationError | drf.APIException | None:
    """The error that a client may see for `exc`; None when nothing is known of it."""
    if isinstance(exc, errors.ApplicationError | drf.APIException):
        return exc
    if isinstance(exc, Http404):
        return errors.NotFound()
    if isinstance(exc, PermissionDenied):
        return errors.Forbidden()
    if isinstance(exc, RequestDataTooBig):
        return errors.TooLarge()
    if isinstance(exc, IntegrityError):
        # A row that this one leans on, or a name that this one takes, changed meanwhile.
        logger.warning("Integrity error met by a concurrent change", exc_info=exc)
        return errors.Conflict("Something this depends on changed meanwhile. Try again.")
    if isinstance(exc, OperationalError | InterfaceError):
        logger.error("Database not available", exc_info=exc)
        return errors.Unavailable(retry_after=RETRY_SECONDS)
    if isinstance(exc, OverflowError | UnicodeError | RecursionError | DataError):
        return errors.Malformed()
    return None


def describe(
    error: errors.ApplicationError | drf.APIException,
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers for `error`."""
    if isinstance(error, drf.APIException):
        return _describe_drf(error)
    status = next((number for kind, number in STATUSES if isinstance(error, kind)), 500)
    more: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, errors.Invalid) and error.errors:
        more["errors"] = error.errors
    if isinstance(error, errors.RateLimited | errors.Unavailable):
        more["retry_after"] = error.retry_after
        headers["Retry-After"] = str(error.retry_after)
    return status, problem(status, error.code, str(error), **more), headers


def _describe_drf(error: drf.APIException) -> tuple[int, dict[str, Any], dict[str, str]]:
    status = error.status_code
    if isinstance(error, drf.ValidationError):
        detail = "Some fields are not valid."
        return status, problem(status, "invalid", detail, errors=flatten(error.detail)), {}
    if isinstance(error, drf.Throttled):
        wait = max(1, round(getattr(error, "wait", None) or 60))
        body = problem(status, "throttled", errors.RateLimited.message, retry_after=wait)
        return status, body, {"Retry-After": str(wait)}
    code = error.get_codes()
    if isinstance(error, drf.ParseError):
        code = errors.Malformed.code
    detail = str(error.detail) if isinstance(error.detail, str) else TITLES.get(status, "Error")
    return status, problem(status, code if isinstance(code, str) else "error", detail), {}


def flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """DRF's nested validation detail as `{"field.inner.0": [reasons]}`."""
    if isinstance(detail, dict):
        items = [
            (f"{prefix}.{key}" if prefix else str(key), value) for key, value in detail.items()
        ]
    elif isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        items = [
            (f"{prefix}.{i}" if prefix else str(i), item) for i, item in enumerate(detail) if item
        ]
    else:
        reasons = detail if isinstance(detail, list) else [detail]
        return {prefix or "non_field_errors": [str(reason) for reason in reasons]}
    merged: dict[str, list[str]] = {}
    for key, value in items:
        merged |= flatten(value, key)
    return merged


def answer(request: HttpRequest, error: errors.ApplicationError) -> HttpResponse:
    """A page for a person at a browser, a problem for everything else."""
    status, body, _ = describe(error)
    if wants_page(request):
        return error_page(status=status, title=body["title"], detail=body["detail"])
    return http_response(error)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for a suspicious request."""
    if isinstance(exception, RequestDataTooBig):
        return answer(request, errors.TooLarge())
    return answer(request, errors.Malformed())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for a refusal outside DRF."""
    return answer(request, errors.Forbidden())


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler for an unknown address, and the last of the addresses."""
    return answer(request, errors.NotFound())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's view for a form without its token."""
    return answer(request, errors.Forbidden("The form has expired. Go back and load it again."))


def method_not_allowed(request: HttpRequest) -> HttpResponse:
    """The answer to a method that a plain view does not take."""
    detail = f"{request.method} is not possible here."
    if wants_page(request):
        return error_page(status=405, title=TITLES[405], detail=detail)
    body = problem(405, "method_not_allowed", detail)
    return HttpResponse(orjson.dumps(body), status=405, content_type=CONTENT_TYPE)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler for a bug: no detail of it leaves the server."""
    detail = "The server made a mistake. It has been recorded."
    if wants_page(request):
        return error_page(status=500, title=TITLES[500], detail=detail)
    body = problem(500, "server_error", detail)
    return HttpResponse(orjson.dumps(body), status=500, content_type=CONTENT_TYPE)
