"""Single messages, verdicts on them, and finding them again."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat import examples
from chat.selectors import get_message, summarise_history
from chat.serializers import (
    FeedbackForm,
    FeedbackView,
    FoundMessageView,
    HistoryView,
    MessageView,
    clean_text,
)
from chat.services import feedback
from chat.services.search import search_messages
from chat.streams.schemas import event_schemas
from chat.views.answers import PAGE_PARAMETERS
from common.callers import caller_id
from common.errors import Invalid
from common.pagination import PageNumberPagination
from common.throttling import ScopedThrottle

MAX_QUERY_CHARS = 400


class MessageDetailView(APIView):
    """One message."""

    @extend_schema(
        tags=["Chat"],
        operation_id="get_message",
        summary="One message of yours",
        responses=MessageView,
        examples=[examples.MESSAGE],
    )
    def get(self, request: Request, message_id: UUID) -> Response:
        """The message."""
        message = get_message(user_id=caller_id(request), message_id=message_id)
        return Response(MessageView(message).data)


class FeedbackDetailView(APIView):
    """The caller's verdict on one answer."""

    @extend_schema(
        tags=["Chat"],
        operation_id="set_feedback",
        summary="Say whether an answer was good",
        request=FeedbackForm,
        responses=FeedbackView,
        examples=[examples.VERDICT, examples.STORED_VERDICT],
    )
    def put(self, request: Request, message_id: UUID) -> Response:
        """The verdict, stored in place of an earlier one."""
        form = FeedbackForm(data=request.data)
        form.is_valid(raise_exception=True)
        stored = feedback.set_feedback(
            user_id=caller_id(request), message_id=message_id, **form.validated_data
        )
        return Response(FeedbackView(stored).data)

    @extend_schema(
        tags=["Chat"],
        operation_id="clear_feedback",
        summary="Take a verdict back",
        responses={204: None},
    )
    def delete(self, request: Request, message_id: UUID) -> Response:
        """No verdict is left."""
        feedback.clear_feedback(user_id=caller_id(request), message_id=message_id)
        return Response(status=204)


class HistoryDetailView(APIView):
    """What happened lately."""

    @extend_schema(
        tags=["Chat"],
        operation_id="get_history",
        summary="Your latest sessions and messages, and how many there are",
        responses=HistoryView,
        examples=[examples.HISTORY],
    )
    def get(self, request: Request) -> Response:
        """Sessions and messages, newest first."""
        return Response(HistoryView(summarise_history(user_id=caller_id(request))).data)


class MessageSearchView(APIView):
    """Full-text search over the caller's own messages."""

    pagination_class = PageNumberPagination
    throttle_classes = (ScopedThrottle,)
    throttle_scope = "search"

    @extend_schema(
        tags=["Chat"],
        operation_id="search_messages",
        summary="Find your own messages, best first",
        parameters=[
            OpenApiParameter("q", str, required=True, description="Words; all must occur."),
            *PAGE_PARAMETERS,
        ],
        responses=FoundMessageView(many=True),
        examples=[examples.FOUND],
    )
    def get(self, request: Request) -> Response:
        """A page of messages with the found words marked."""
        query = clean_text(request.query_params.get("q", ""))
        if not 0 < len(query) <= MAX_QUERY_CHARS:
            raise Invalid(errors={"q": [f"1 to {MAX_QUERY_CHARS} characters are needed."]})
        found = search_messages(user_id=caller_id(request), query=query)
        paginator = PageNumberPagination()
        page = paginator.paginate_queryset(found, request, self)
        return paginator.get_paginated_response(FoundMessageView(page, many=True).data)


class EventSchemasView(APIView):
    """The JSON Schemas of the events."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        tags=["Chat"],
        operation_id="event_schemas",
        summary="The JSON Schema of each event of a stream",
        responses={200: dict},
        examples=[examples.EVENT_SCHEMAS],
    )
    def get(self, request: Request) -> Response:
        """A schema for each event, by its name."""
        return Response(event_schemas())
