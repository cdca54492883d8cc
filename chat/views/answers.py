"""Sending a question, and what can be done with its answer while and after it is written."""

from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat import examples
from chat.errors import NotAnAnswer
from chat.models import SenderType
from chat.representations import represent_message
from chat.selectors import get_message, list_messages
from chat.serializers import (
    DirectMessageForm,
    ExchangeView,
    MessageForm,
    MessageView,
    RegenerateForm,
)
from chat.services import answers
from chat.services.messages import Sent, send_message
from chat.streams.sse import CONTENT_TYPE, read_last_event_id, stream_response
from chat.views.answering import AnswerView, body_of
from common import idempotency
from common.callers import caller_id
from common.errors import Invalid
from common.pagination import PageNumberPagination

KEY_PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="A retry with the same key and body gets the first answer, and asks nothing.",
)
EXCHANGE = {
    (201, "application/json"): ExchangeView,
    (200, CONTENT_TYPE): OpenApiTypes.STR,
}
PAGE_PARAMETERS = [
    OpenApiParameter("page", int, description="From 1."),
    OpenApiParameter("page_size", int, description="1 to 100, 20 without it."),
]


class SessionMessagesView(AnswerView):
    """The messages of one session."""

    pagination_class = PageNumberPagination

    @extend_schema(
        tags=["Chat"],
        operation_id="list_messages",
        summary="A session's messages, oldest first",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter(
                "variants", str, enum=["all"], description="`all`: replaced answers too."
            ),
        ],
        responses=MessageView(many=True),
        examples=[examples.MESSAGE_PAGE],
    )
    def get(self, request: Request, session_id: UUID) -> Response:
        """A page of messages."""
        variants = request.query_params.get("variants", "")
        if variants not in ("", "all"):
            raise Invalid(errors={"variants": ["Only “all” is known here."]})
        messages = list_messages(
            user_id=caller_id(request), session_id=session_id, variants=bool(variants)
        )
        paginator = PageNumberPagination()
        page = paginator.paginate_queryset(messages, request, self)
        return paginator.get_paginated_response(MessageView(cast(Any, page), many=True).data)

    @extend_schema(
        tags=["Chat"],
        operation_id="send_message",
        summary="Ask a question",
        description=(
            "Stores the question, answers it from the documents and returns both. With "
            "`stream` (or `Accept: text/event-stream`) the answer comes as events."
        ),
        parameters=[KEY_PARAMETER],
        request=MessageForm,
        responses=EXCHANGE,
        examples=[examples.QUESTION, examples.EXCHANGE, examples.EVENTS],
    )
    def post(self, request: Request, session_id: UUID) -> Sent:
        """Send a message into the session."""
        form = MessageForm(data=request.data)
        form.is_valid(raise_exception=True)
        return _send(request, {**form.validated_data, "session_id": session_id})


class MessagesView(AnswerView):
    """Messages of all sessions."""

    @extend_schema(
        tags=["Chat"],
        operation_id="send_message_anywhere",
        summary="Ask a question, in a new session if none is named",
        description="A new session is titled from the question.",
        parameters=[KEY_PARAMETER],
        request=DirectMessageForm,
        responses=EXCHANGE,
        examples=[examples.QUESTION, examples.EXCHANGE, examples.EVENTS],
    )
    def post(self, request: Request) -> Sent:
        """Send a message, opening a session where none is named."""
        form = DirectMessageForm(data=request.data)
        form.is_valid(raise_exception=True)
        return _send(request, dict(form.validated_data))


def _send(request: Request, fields: dict[str, Any]) -> Sent:
    fields.pop("stream", None)
    # `stream` is left out: a retry may ask for the same answer in the other form.
    body = idempotency.canonical_body({**body_of(request), "stream": None})
    key = idempotency.read_key(request._request, body=body)
    return send_message(user_id=caller_id(request), key=key, **fields)


class RegenerateView(AnswerView):
    """Another answer to the same question."""

    @extend_schema(
        tags=["Chat"],
        operation_id="regenerate_message",
        summary="Have the question answered again",
        description="The old answer is kept as a variant. 409 `answer_running` while one runs.",
        request=RegenerateForm,
        responses=EXCHANGE,
        examples=[examples.REGENERATE, examples.EXCHANGE],
    )
    def post(self, request: Request, message_id: UUID) -> Sent:
        """Begin a new answer."""
        form = RegenerateForm(data=request.data)
        form.is_valid(raise_exception=True)
        return answers.regenerate(user_id=caller_id(request), message_id=message_id)


class StopView(AnswerView):
    """The end of a running answer."""

    wait_seconds = 3.0
    throttle_classes = ()

    @extend_schema(
        tags=["Chat"],
        operation_id="stop_message",
        summary="Stop a running answer and keep what came",
        description=(
            "200 with the answer in its final state; an answer that had ended stays as it is. "
            "202 when its worker has not confirmed yet."
        ),
        request=None,
        responses={200: MessageView, 202: MessageView},
        examples=[examples.MESSAGE, examples.STOPPING],
    )
    def post(self, request: Request, message_id: UUID) -> Sent:
        """Ask the writer to end."""
        message = answers.request_stop(user_id=caller_id(request), message_id=message_id)
        return Sent(question=message.reply_to or message, answer=message)

    async def follow_up(self, request: HttpRequest, sent: Sent) -> HttpResponseBase:
        """The answer as it is once its writer has ended it."""
        answer = await self.wait_for(sent.answer)
        status = 202 if answer.is_running else 200
        return self.render(Response(represent_message(answer), status=status))


class EventsView(AnswerView):
    """The event stream of one answer."""

    @extend_schema(
        tags=["Chat"],
        operation_id="follow_message",
        summary="An answer's events, from the start or after Last-Event-ID",
        parameters=[
            OpenApiParameter(
                "Last-Event-ID",
                int,
                OpenApiParameter.HEADER,
                description="The last event that the client has; the stream goes on after it.",
            )
        ],
        responses={(200, CONTENT_TYPE): OpenApiTypes.STR},
        examples=[examples.EVENTS],
    )
    def get(self, request: Request, message_id: UUID) -> Sent:
        """Find the answer whose events are asked for."""
        message = get_message(user_id=caller_id(request), message_id=message_id)
        if message.sender_type != SenderType.BOT or message.reply_to is None:
            raise NotAnAnswer
        self.after = read_last_event_id(request._request)
        return Sent(question=message.reply_to, answer=message)

    async def follow_up(self, request: HttpRequest, sent: Sent) -> HttpResponseBase:
        """The stream."""
        return stream_response(request, sent.answer.pk, after=self.after)
