"""Spans: none unless switched on; on the wire, ids and counts alone."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from common.tracing import get_tracer, span


@pytest.fixture(autouse=True)
def _fresh_tracer() -> Iterator[None]:
    get_tracer.cache_clear()
    yield
    get_tracer.cache_clear()


def test_spans_cost_nothing_while_they_are_off(settings) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = ""
    with span("answer", passages=3):
        assert get_tracer() is None


def test_spans_reach_the_collector(settings) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="requirements/extras.txt is not installed")
    received: list[bytes] = []
    arrived = threading.Event()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            arrived.set()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = f"http://127.0.0.1:{server.server_port}"
    try:
        with span("docent.retrieve", passages=3):
            pass
        provider = get_tracer().span_processor
        provider.force_flush()
        assert arrived.wait(timeout=10)
    finally:
        server.shutdown()
    assert b"docent.retrieve" in b"".join(received)
    assert b"docent.request_id" in b"".join(received)


def test_error_inside_a_span_passes_through(settings) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = ""
    with pytest.raises(ZeroDivisionError), span("answer"):
        raise ZeroDivisionError
