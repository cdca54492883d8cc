"""A response that is written as it comes into being."""

from collections.abc import AsyncGenerator
from typing import Any

from django.http import StreamingHttpResponse


class LiveResponse(StreamingHttpResponse):
    """Its `pieces` go to the server one by one, past Django's own iterators around iterators."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], **options: Any) -> None:
        super().__init__(pieces, **options)
        self.pieces = pieces
