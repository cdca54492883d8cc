"""Which renderer answers: DRF's choice, made at once where there is nothing to weigh."""

from collections.abc import Sequence
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

ANYTHING = "*/*"


class ContentNegotiation(DefaultContentNegotiation):
    """DRF's own; clients that name one type, or none, are spared its parsing."""

    def select_renderer(
        self,
        request: Request,
        renderers: Sequence[BaseRenderer],  # type: ignore[override]  # it only reads them
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """The renderer for the request and the media type that it is taken for."""
        meta: dict[str, Any] = request._request.META
        if not format_suffix and not meta.get("QUERY_STRING"):
            wanted = meta.get("HTTP_ACCEPT", ANYTHING)
            for renderer in renderers:
                if wanted in (ANYTHING, renderer.media_type):
                    return renderer, renderer.media_type
        chosen: tuple[BaseRenderer, str]
        chosen = super().select_renderer(request, renderers, format_suffix)
        return chosen
