"""Follows the events of an answer from anywhere: this process, Redis, or what is stored."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError

from chat.models import ChatMessage, Status
from chat.selectors import get_question_and_answer
from chat.streams import events
from chat.streams.log import EventLog
from chat.streams.registry import get_registry
from common import metrics
from common.loop import get_loop, in_thread, run, submit

HEARTBEAT = b": keep-alive\n\n"
POLL_SECONDS = 0.4
# Beyond any event: who waits for the end wants nothing that comes before it.
AT_THE_END = 1 << 40

Exchange = tuple[ChatMessage, ChatMessage]


async def follow(
    message_id: UUID, *, after: int = 0, counted: bool = True
) -> AsyncGenerator[bytes, None]:
    """The events after id `after` as server-sent bytes, ending with exactly one terminal event.

    Runs on the process's loop. Holds no database connection while it waits. `counted`: it is
    a stream that a client has open.
    """
    with metrics.streams_open.track_inprogress() if counted else nullcontext():
        async with _log_of(message_id) as log:
            if log is not None:
                # aclosing: a client that goes away leaves now, and not when it is collected.
                async with aclosing(_follow_log(log, after)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                if log.whole:
                    return
                after = max(after, len(log.frames))
        async for chunk in _follow_stored(message_id, after):
            yield chunk


@asynccontextmanager
async def _log_of(message_id: UUID) -> AsyncIterator[EventLog | None]:
    """The answer's log, or its copy where another worker may write it."""
    registry = get_registry()
    log = registry.log_of(message_id)
    if log is not None or settings.USE_FAKE_REDIS:
        yield log
        return
    copy = await registry.remote.open(message_id)
    try:
        yield copy
    finally:
        registry.remote.release(copy)


async def _follow_log(log: EventLog, after: int) -> AsyncGenerator[bytes, None]:
    cursor = after
    with log.reader(seconds=settings.CHAT_STREAM_HEARTBEAT_SECONDS) as reader:
        while True:
            if cursor < len(log.frames):
                chunk = b"".join(log.frames[cursor:])
                cursor = len(log.frames)
                yield chunk
            elif log.closed:
                # A client that has the terminal event already is given it again, never a stream
                # without one.
                if after >= len(log.frames) and log.whole:
                    yield log.frames[-1]
                return
            elif not await reader.wait(cursor):
                yield HEARTBEAT


async def _follow_stored(message_id: UUID, after: int) -> AsyncIterator[bytes]:
    """Waits for the stored answer to be final, then tells it: whole, or (resumed) its end."""
    silent = 0.0
    exchange: Exchange | None = None
    while (found := await _look_up(message_id, exchange)) is not None and found[1].is_running:
        exchange = found
        await asyncio.sleep(POLL_SECONDS)
        silent += POLL_SECONDS
        if silent >= settings.CHAT_STREAM_HEARTBEAT_SECONDS:
            silent = 0.0
            yield HEARTBEAT
    if found is None:
        if exchange is None:
            return
        # The conversation was deleted while it was followed.
        found = _deleted(*exchange)
    told = events.replay(*found)
    if after:
        yield events.encode(after + 1, *told[-1])
    else:
        frames = [events.encode(number, *event) for number, event in enumerate(told, 1)]
        yield b"".join(frames)


async def _look_up(message_id: UUID, known: Exchange | None) -> Exchange | None:
    """The exchange as stored now; as it was `known` while the database does not answer."""
    while True:
        try:
            return await in_thread(get_question_and_answer, message_id)
        except (OperationalError, InterfaceError):
            if known is not None:
                return known
            await asyncio.sleep(POLL_SECONDS)


def _deleted(question: ChatMessage, answer: ChatMessage) -> Exchange:
    answer.status = Status.FAILED
    answer.metadata = {**answer.metadata, "error": {"code": "deleted", "retryable": False}}
    return question, answer


def follow_async(message_id: UUID, *, after: int = 0) -> AsyncGenerator[bytes, None]:
    """`follow` for a task on any loop (ASGI)."""
    stream = follow(message_id, after=after)
    return stream if asyncio.get_running_loop() is get_loop() else _from_afar(stream)


async def _from_afar(stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        while True:
            following: bytes | None = await asyncio.wrap_future(submit(_next_or_none(stream)))
            if following is None:
                return
            yield following
    finally:
        await asyncio.wrap_future(submit(_close(stream)))


def follow_sync(message_id: UUID, *, after: int = 0) -> Iterator[bytes]:
    """`follow` for a thread (WSGI)."""
    stream = follow(message_id, after=after)
    try:
        while (chunk := run(_next_or_none(stream))) is not None:
            yield chunk
    finally:
        # Not waited for: an abandoned generator may be collected on the loop's own thread.
        submit(_close(stream))


async def _next_or_none(stream: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None


async def _close(stream: Any) -> None:
    await stream.aclose()


async def wait_until_final(message_id: UUID) -> None:
    """Returns when the answer is in its final state. Runs on the process's loop."""
    log = get_registry().log_of(message_id)
    if log is not None:
        await log.wait_closed()
        if log.whole:
            return
    async for _ in follow(message_id, after=AT_THE_END, counted=False):
        pass
