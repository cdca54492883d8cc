"""A stream of events as an HTTP response, of the kind that the server at hand can send."""

from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from chat.streams.follow import follow_async, follow_sync
from common.errors import Invalid
from common.live import LiveResponse

CONTENT_TYPE = "text/event-stream"
MAX_EVENT_ID = 10_000_000


def read_last_event_id(request: HttpRequest) -> int:
    """The `Last-Event-ID` header (0 without one); Invalid unless it is one of our ids."""
    text = request.headers.get("Last-Event-ID", "").strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= MAX_EVENT_ID):
        raise Invalid(errors={"Last-Event-ID": ["The id of an event of this stream is needed."]})
    return int(text)


def stream_response(
    request: HttpRequest, message_id: UUID, *, after: int = 0, status: int = 200
) -> StreamingHttpResponse:
    """The answer's events after id `after`, as they come.

    Whoever follows holds no database connection: what must be read is read by `in_thread`.
    """
    # The wrong kind of iterator would be buffered whole before the first byte is sent.
    response: StreamingHttpResponse
    if isinstance(request, ASGIRequest):
        response = LiveResponse(
            follow_async(message_id, after=after), status=status, content_type=CONTENT_TYPE
        )
    else:
        response = StreamingHttpResponse(
            follow_sync(message_id, after=after), status=status, content_type=CONTENT_TYPE
        )
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"
    return response
