"""The base of views that begin an answer and either stream it or wait for it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from chat.errors import MessageNotFound
from chat.models import ChatMessage
from chat.representations import represent_message
from chat.selectors import get_question_and_answer
from chat.services.messages import Sent
from chat.streams.follow import wait_until_final
from chat.streams.registry import get_registry
from chat.streams.sse import CONTENT_TYPE, stream_response
from common.idempotency import REPLAYED_HEADER
from common.json import JSONRenderer, to_json
from common.loop import begin_in_thread, get_loop, in_thread, submit
from common.throttling import ScopedThrottle


class EventStreamRenderer(BaseRenderer):
    """Lets a client ask for `text/event-stream`; what it renders itself are problems, as JSON."""

    media_type = CONTENT_TYPE
    format = "events"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return to_json(data)


Begun = Sent | Response


class AnswerView(APIView):
    """Runs DRF's part in a database thread, then waits on the loop: no thread is held.

    Handlers return a `Sent` whose answer is then streamed or waited for; everything else of a
    view (authentication, throttle, errors, plain responses) is DRF's own.
    """

    view_is_async = True
    renderer_classes = (JSONRenderer, EventStreamRenderer)
    throttle_classes: Sequence[type[BaseThrottle]] = (ScopedThrottle,)
    throttle_scope = "chat"
    #: How long to wait for the final state; None: as long as it takes.
    wait_seconds: float | None = None

    def get_throttles(self) -> list[Any]:
        """Only what makes work for a model is counted."""
        return super().get_throttles() if self.request.method == "POST" else []

    async def dispatch(  # type: ignore[override]  # DRF's is not async
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        outcome = await begin_in_thread(self._begin, request, *args, **kwargs)
        if not isinstance(outcome, Sent):
            return outcome
        response = await self.follow_up(request, outcome)
        if outcome.replayed:
            response[REPLAYED_HEADER] = "true"
        return response

    async def follow_up(self, request: HttpRequest, sent: Sent) -> HttpResponseBase:
        """The response once the answer has begun: its events, or the whole of it."""
        if self._wants_stream():
            return stream_response(request, sent.answer.pk)
        answer = await self.wait_for(sent.answer)
        exchange = {
            "user_message": represent_message(sent.question),
            "bot_message": represent_message(answer),
        }
        return self.answer_with(exchange, status=201)

    async def wait_for(self, answer: ChatMessage) -> ChatMessage:
        """The answer in its final state, or as it is after `wait_seconds`."""
        waiting = _wait(answer, self.wait_seconds)
        if asyncio.get_running_loop() is get_loop():
            return await waiting
        return await asyncio.wrap_future(submit(waiting))

    def answer_with(self, data: Any, *, status: int) -> HttpResponse:
        """`data` as JSON, with what DRF puts on a response, and without its detour."""
        body = to_json(data)
        media_type = JSONRenderer.media_type
        return HttpResponse(body, media_type, status, headers=self.headers)

    def render(self, response: Response) -> HttpResponse:
        """`response` as a plain one; Django would use another thread to render it."""
        final = self.finalize_response(self.request, response, *self.args, **self.kwargs)
        final.render()
        plain = HttpResponse(final.content, status=final.status_code)
        for name, value in final.items():
            plain[name] = value
        return plain

    def _begin(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Sent | HttpResponse:
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        outcome: Begun
        try:
            self.initial(self.request, *args, **kwargs)
            handler = getattr(self, str(request.method).lower(), self.http_method_not_allowed)
            outcome = handler(self.request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 (as DRF's own dispatch: bugs are raised again)
            outcome = self.handle_exception(error)
        return outcome if isinstance(outcome, Sent) else self.render(outcome)

    def _wants_stream(self) -> bool:
        renderer = getattr(self.request, "accepted_renderer", None)
        return (
            isinstance(renderer, EventStreamRenderer) or body_of(self.request).get("stream") is True
        )


def body_of(request: Request) -> dict[str, Any]:
    """The parsed body."""
    # The only parser makes an object of every body.
    return cast(dict[str, Any], request.data)


async def _wait(answer: ChatMessage, seconds: float | None) -> ChatMessage:
    """The answer in its final state, or as it is after `seconds`. On the process's loop."""
    try:
        async with asyncio.timeout(seconds):
            await wait_until_final(answer.pk)
    except TimeoutError:
        return answer
    # The writer's own row object, where it was written here: no need to read it again.
    if (written := get_registry().message_of(answer.pk)) is not None:
        return written
    found = await in_thread(get_question_and_answer, answer.pk)
    if found is None:
        raise MessageNotFound
    return found[1]
