"""Probes for machines, a health page for people, metrics for Prometheus."""

import hmac
from collections.abc import Mapping

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from common import metrics
from common.clients import client_address
from common.errors import NotFound
from common.health import check_health, overall
from common.problems import answer


@vary_on_headers("Accept")
def documentation(request: HttpRequest) -> HttpResponse:
    """Takes a browser to the documentation, and tells anything else where that is."""
    if "text/html" in request.headers.get("Accept", ""):
        return redirect("docs")
    return answer(request, NotFound("Nothing is served here. See /api/docs/ for what is."))


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process runs and serves. It asks nothing of anything else, on purpose."""
    return _json({"status": "ok"}, 200)


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Each dependency by name; 503 when one that is needed is down."""
    findings = check_health()
    status = overall(findings)
    body = {
        "status": status,
        "dependencies": {finding.name: finding.status for finding in findings},
    }
    return _json(body, 503 if status == "down" else 200)


@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """The same for people."""
    findings = check_health()
    status = overall(findings)
    context = {"findings": findings, "status": status}
    return render(request, "health.html", context, status=503 if status == "down" else 200)


@never_cache
@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """The metrics, for a caller with the token or from an allowed address; else a 404."""
    if not _may_scrape(request):
        return answer(request, NotFound())
    return HttpResponse(metrics.render(), content_type=metrics.CONTENT_TYPE)


def _may_scrape(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = settings.METRICS_TOKEN
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    return client_address(request) in settings.METRICS_ALLOWED_ADDRESSES


def _json(body: Mapping[str, object], status: int) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
