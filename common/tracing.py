"""Spans over the path of a message, for OpenTelemetry; nothing at all unless it is switched on."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from common.request_id import current_request_id

MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set and OpenTelemetry is missing: "
    "pip install -r requirements/extras.txt"
)


@contextmanager
def span(name: str, **attributes: str | int | float) -> Iterator[None]:
    """A span around what is done inside; attributes are ids and counts, never text."""
    tracer = get_tracer()
    if tracer is None:
        yield
        return
    attributes["docent.request_id"] = current_request_id()
    with tracer.start_as_current_span(name, attributes=attributes, record_exception=False):
        yield


@cache
def get_tracer() -> Any:
    """The process's tracer, or None when traces are off."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ImproperlyConfigured(MISSING) from error
    provider = TracerProvider(resource=Resource.create({"service.name": "docent"}))
    endpoint = f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider.get_tracer("docent")
