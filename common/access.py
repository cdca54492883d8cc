"""One line and one count a request: the route, never the path, the query or a body."""

import logging
import time

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from common import metrics
from common.middleware import Middleware

logger = logging.getLogger("docent.access")

UNMATCHED = "unmatched"
STATIC = "static/"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AccessMiddleware(Middleware):
    """Logs and counts each request when its response starts."""

    def before(self, request: HttpRequest) -> None:
        """Note the time of arrival."""
        request.META["docent.started"] = time.perf_counter()

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Log and count."""
        seconds = time.perf_counter() - request.META["docent.started"]
        route = route_of(request)
        method = request.method if request.method in METHODS else "OTHER"
        metrics.requests_total.labels(method, route, str(response.status_code)).inc()
        metrics.request_seconds.labels(method, route).observe(seconds)
        logger.info(
            "%s /%s %d %.1f ms",
            method,
            route,
            response.status_code,
            seconds * 1_000,
            extra={
                "method": method,
                "route": route,
                "status": response.status_code,
                "duration_ms": round(seconds * 1_000, 1),
            },
        )
        return response


def route_of(request: HttpRequest) -> str:
    """The pattern that matched: a token or an id in a path stays out of logs and labels."""
    if request.path.startswith(settings.STATIC_URL):
        return STATIC
    match = request.resolver_match
    return UNMATCHED if match is None or match.url_name == "not-found" else match.route
