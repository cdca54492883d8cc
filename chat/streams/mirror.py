"""Copies events to Redis, where readers on other workers follow them, and hears their stops."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from chat.streams.running import RunningAnswer
from common.redis import RedisError, get_redis, key, open_async_redis

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.03
RETRY_SECONDS = 1.0
BATCH_KEYS = 500


def stream_key(message_id: UUID) -> str:
    """The Redis stream of an answer's events; entry `n-0` is the event with id n."""
    return key("events", message_id)


def stop_channel() -> str:
    """The channel on which workers tell each other which answer to stop."""
    return key("stops")


def delete_streams(message_ids: Sequence[UUID]) -> None:
    """Delete the events of these answers from Redis; without Redis they end by themselves."""
    names = [stream_key(message_id) for message_id in message_ids]
    try:
        for start in range(0, len(names), BATCH_KEYS):
            get_redis().delete(*names[start : start + BATCH_KEYS])
    except RedisError as error:
        logger.warning("Events are left to their time to live: %s", type(error))


class Mirror:
    """One writer for all answers of the process: events of many go out in one round trip.

    With the in-process stand-in there is no other worker, and nothing to copy for.
    """

    def __init__(self, *, stop: Callable[[UUID], Any], subscribed: Callable[[], None]) -> None:
        self._stop = stop
        self._subscribed = subscribed
        self._answers: dict[UUID, RunningAnswer] = {}
        self._forgotten: set[UUID] = set()
        self._writer: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._client: Any = None

    @property
    def enabled(self) -> bool:
        """Whether there is a Redis that other workers share."""
        return not settings.USE_FAKE_REDIS

    def open(self, answer: RunningAnswer) -> None:
        """Copy the events of `answer` from now on."""
        if not self.enabled:
            return
        self._answers[answer.message.pk] = answer
        self._start_writer()
        if self._listener is None or self._listener.done():
            self._listener = asyncio.ensure_future(self._listen())

    def forget(self, message_ids: Iterable[UUID]) -> None:
        """Copy no more of these answers of this process, and delete what was copied last.

        A copy under way may have reached Redis after whoever deleted them there did.
        """
        if not self.enabled:
            return
        for message_id in message_ids:
            self._answers.pop(message_id, None)
            self._forgotten.add(message_id)
        self._start_writer()

    def _start_writer(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.ensure_future(self._write())

    async def close(self) -> None:
        """Copy what is left and end."""
        if self._answers or self._forgotten:
            try:
                await self._copy()
            except RedisError as error:
                logger.warning("The last events were not copied to Redis: %s", type(error))
        for task in (self._writer, self._listener):
            if task is not None:
                task.cancel()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _write(self) -> None:
        while self._answers or self._forgotten:
            try:
                await self._copy()
            except RedisError as error:
                # Readers elsewhere then wait for the stored message; nothing is lost.
                logger.warning("Events cannot be copied to Redis: %s", type(error))
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(TICK_SECONDS)

    async def _copy(self) -> None:
        pending = [a for a in self._answers.values() if a.mirrored < len(a.log.frames)]
        if pending:
            pipeline = self._redis().pipeline(transaction=False)
            marks = [(answer, self._add(pipeline, answer)) for answer in pending]
            await pipeline.execute(raise_on_error=False)
            for answer, mark in marks:
                answer.mirrored = mark
        if self._forgotten:
            # More may be forgotten while these are deleted.
            forgotten = set(self._forgotten)
            await self._redis().delete(*map(stream_key, forgotten))
            self._forgotten -= forgotten
        for message_id, answer in list(self._answers.items()):
            if answer.log.closed and answer.mirrored == len(answer.log.frames):
                del self._answers[message_id]

    def _add(self, pipeline: Any, answer: RunningAnswer) -> int:
        name = stream_key(answer.message.pk)
        frames = answer.log.frames
        if answer.reason == "gone":
            # Its row was deleted while it ran: what was copied since must not stay behind.
            pipeline.delete(name)
            return len(frames)
        for index in range(answer.mirrored, len(frames)):
            fields = {b"name": answer.log.names[index].encode(), b"frame": frames[index]}
            pipeline.xadd(name, fields, id=f"{index + 1}-0")
        pipeline.expire(name, settings.CHAT_EVENTS_SECONDS)
        return len(frames)

    async def _listen(self) -> None:
        while self._answers:
            try:
                await self._hear()
            except RedisError as error:
                logger.warning("Stops cannot be heard from Redis: %s", type(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self) -> None:
        async with self._redis().pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(stop_channel())
            self._subscribed()
            while self._answers:
                message = await channel.get_message(timeout=settings.REDIS_TIMEOUT_SECONDS / 2)
                if message is not None:
                    self._stop(UUID(bytes=message["data"]))

    def _redis(self) -> Any:
        if self._client is None:
            self._client = open_async_redis()
        return self._client
