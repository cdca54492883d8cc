"""Errors to Sentry when a DSN is set, with everything that is a person's left out."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

MISSING = "SENTRY_DSN is set and sentry-sdk is missing: pip install -r requirements/extras.txt"
# What an event keeps of the request that failed.
KEPT_OF_REQUEST = ("method",)


def start_sentry(dsn: str) -> None:
    """Report unhandled exceptions and logged errors to the project behind `dsn`."""
    try:
        import sentry_sdk
        from sentry_sdk.integrations.django import DjangoIntegration
    except ImportError as error:
        raise ImproperlyConfigured(MISSING) from error
    sentry_sdk.init(
        dsn=dsn,
        integrations=[DjangoIntegration(middleware_spans=False, signals_spans=False)],
        # The others would record prompts, SQL and addresses of providers by themselves.
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        server_name="",
        before_send=scrub,
    )


def scrub(event: Any, hint: Any) -> Any:
    """`event` with its traceback, route and request id, and nothing that somebody sent."""
    from common.request_id import current_request_id

    request = event.get("request") or {}
    event["request"] = {key: request[key] for key in KEPT_OF_REQUEST if key in request}
    for part in ("user", "extra", "breadcrumbs", "modules"):
        event.pop(part, None)
    event.setdefault("tags", {})["request_id"] = current_request_id()
    for value in (event.get("exception") or {}).get("values", ()):
        # A message may quote what it failed on; the type and the traceback say where.
        value["value"] = ""
    if "logentry" in event:
        event["logentry"] = {"message": event["logentry"].get("message", "")}
    return event
