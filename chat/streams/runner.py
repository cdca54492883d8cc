"""Writes one answer: runs the pipeline, logs its events, and puts the row into its final state."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError

from chat.measures import count_answer
from chat.models import ChatMessage, Status
from chat.streams import events
from chat.streams.running import RunningAnswer
from common.errors import ApplicationError
from common.loop import in_thread
from common.request_id import set_request_id
from common.tracing import span
from rag import pipeline
from rag.errors import ProviderError, ProviderTimeout
from rag.pace import pace_by
from rag.types import (
    AnswerCompleted,
    AnswerDelta,
    CitationAdded,
    PipelineEvent,
    RetrievalCompleted,
)

logger = logging.getLogger(__name__)

# The database may be away for a while; what was written is worth waiting for.
SAVE_ATTEMPTS = 12
MAX_SAVE_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The final state of an answer."""

    status: Status
    content: str
    metadata: dict[str, Any]


async def write_answer(answer: RunningAnswer) -> None:
    """Write `answer` to its end: exactly one final state, then exactly one terminal event."""
    set_request_id(answer.request_id)
    answer.begun = True
    # Who has read along once may go on elsewhere, in another worker.
    pace_by(lambda: answer.log.was_followed)
    started = time.perf_counter()
    answer.log.append(events.created(answer.question_message, answer.message))
    with span("docent.answer"):
        outcome = await _attempt(answer) if answer.reason is None else _cancelled(answer)
    answer.deciding = True
    try:
        message = await _save(answer, outcome)
        count_answer(message, time.perf_counter() - started)
        answer.log.append(events.terminal(message))
    finally:
        # Whatever went wrong: nobody waits for ever, and the sweep finds the row.
        answer.log.close()
        answer.ended_at = asyncio.get_running_loop().time()


async def _attempt(answer: RunningAnswer) -> Outcome:
    try:
        async with asyncio.timeout(settings.CHAT_ANSWER_SECONDS):
            return await _run_pipeline(answer)
    except asyncio.CancelledError:
        return _cancelled(answer)
    except TimeoutError:
        return _failed(answer, ProviderTimeout())
    except ApplicationError as error:
        logger.warning("Answer %s failed: %s", answer.message.pk, error.code)
        return _failed(answer, error)
    except Exception as error:
        logger.exception("Answer %s met a bug", answer.message.pk)
        return _failed(answer, error)


async def _run_pipeline(answer: RunningAnswer) -> Outcome:
    completed: AnswerCompleted | None = None
    stream = pipeline.answer(answer.question)
    try:
        async for event in stream:
            if isinstance(event, AnswerCompleted):
                completed = event
            else:
                _take(answer, event)
    finally:
        await stream.aclose()
    if completed is None:
        raise ProviderError
    if completed.usage is not None:
        usage = completed.usage
        data = events.represent_usage(usage.prompt_tokens, usage.completion_tokens)
        answer.log.append((events.USAGE, data))
    metadata = events.represent_answer(completed) | {"request_id": answer.request_id}
    return Outcome(status=Status.COMPLETE, content=completed.text, metadata=metadata)


def _take(answer: RunningAnswer, event: PipelineEvent) -> None:
    if isinstance(event, AnswerDelta):
        if event.text:
            answer.parts.append(event.text)
            answer.log.append((events.DELTA, {"text": event.text}))
    elif isinstance(event, RetrievalCompleted):
        sources = [events.represent_source(source) for source in event.sources]
        data = {"sources": sources, "confidence": round(event.confidence, 4)}
        answer.metadata |= data | {"standalone_question": event.standalone_question}
        answer.log.append((events.RETRIEVED, data))
    elif isinstance(event, CitationAdded):
        answer.log.append((events.CITATION, events.represent_citation(event.citation)))


def _cancelled(answer: RunningAnswer) -> Outcome:
    metadata = answer.metadata | {"request_id": answer.request_id}
    if answer.reason == "stopped":
        return Outcome(status=Status.STOPPED, content=answer.text, metadata=metadata)
    metadata["error"] = {"code": "interrupted", "retryable": True}
    return Outcome(status=Status.FAILED, content=answer.text, metadata=metadata)


def _failed(answer: RunningAnswer, error: Exception) -> Outcome:
    code = error.code if isinstance(error, ApplicationError) else "server_error"
    retryable = not isinstance(error, ProviderError) or error.transient
    metadata = answer.metadata | {
        "mode": "unavailable",
        "request_id": answer.request_id,
        "error": {"code": code, "retryable": retryable},
    }
    return Outcome(status=Status.FAILED, content=answer.text, metadata=metadata)


async def _save(answer: RunningAnswer, outcome: Outcome) -> ChatMessage:
    """The row in its final state: this outcome, or whatever state it already had."""
    pause = 0.25
    for _ in range(SAVE_ATTEMPTS):
        try:
            return await in_thread(_save_now, answer.message, outcome)
        except (OperationalError, InterfaceError) as error:
            logger.warning("Answer %s cannot be saved yet: %s", answer.message.pk, type(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_SAVE_PAUSE_SECONDS)
        except Exception:
            # Whatever it was, those who follow must be told that it is over.
            logger.exception("Answer %s cannot be saved", answer.message.pk)
            break
    # The sweep will fail the row; its text is as far as it was flushed.
    logger.error("Answer %s could not be saved", answer.message.pk)
    return _apply(answer.message, _unsaved(outcome, code="not_saved", retryable=True))


def _save_now(message: ChatMessage, outcome: Outcome) -> ChatMessage:
    if ChatMessage.objects.finish(
        message.pk, status=outcome.status, content=outcome.content, metadata=outcome.metadata
    ):
        return _apply(message, outcome)
    stored = ChatMessage.objects.filter(pk=message.pk).first()
    return stored or _apply(message, _unsaved(outcome, code="deleted", retryable=False))


def _apply(message: ChatMessage, outcome: Outcome) -> ChatMessage:
    message.status = outcome.status
    message.content = outcome.content
    message.metadata = outcome.metadata
    return message


def _unsaved(outcome: Outcome, *, code: str, retryable: bool) -> Outcome:
    error = {"code": code, "retryable": retryable}
    return Outcome(
        status=Status.FAILED,
        content=outcome.content,
        metadata=outcome.metadata | {"error": error},
    )
