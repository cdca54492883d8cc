"""Answers that other workers write, copied here from Redis for those who follow them here."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError

from chat.models import ChatMessage
from chat.streams.log import EventLog
from chat.streams.mirror import stream_key
from common.loop import in_thread
from common.redis import RedisError, open_async_redis

logger = logging.getLogger(__name__)

# New events are collected for so long, then read for all answers in one round trip.
TICK_SECONDS = 0.03
BLOCK_MS = 50
RETRY_SECONDS = 0.5
# How often the database is asked whether silent answers are still being written.
CHECK_SECONDS = 1.0
# The last events reach Redis a moment after the row is final.
MAX_STRIKES = 2


class RemoteLog(EventLog):
    """A copy of a log that grows elsewhere. Closed and not `whole`: its original is lost."""

    __slots__ = ("checked_at_length", "filled", "followers", "strikes")

    def __init__(self, message_id: UUID) -> None:
        super().__init__(message_id)
        self.followers = 0
        self.filled: asyncio.Task[None] | None = None
        self.checked_at_length = 0
        self.strikes = 0

    def feed(self, entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """Take over entries of the Redis stream; one that is missing loses the rest."""
        for entry, fields in entries:
            number = int(entry.split(b"-")[0])
            if self.closed or number <= len(self.frames):
                continue
            if number > len(self.frames) + 1:
                self.close()
                return
            self.add(fields[b"name"].decode(), fields[b"frame"])
            if self.whole:
                self.close()


class RemoteLogs:
    """One reader, and one connection, for all that is followed in this process."""

    def __init__(self) -> None:
        self._logs: dict[UUID, RemoteLog] = {}
        self._reader: asyncio.Task[None] | None = None
        self._client: Any = None

    async def open(self, message_id: UUID) -> RemoteLog:
        """The copy of an answer's log, with what Redis has of it; `release` it after use."""
        log = self._logs.get(message_id)
        if log is None:
            log = self._logs[message_id] = RemoteLog(message_id)
            log.filled = asyncio.ensure_future(self._fill(log))
        log.followers += 1
        try:
            # shield: others wait for the same.
            await asyncio.shield(log.filled)  # type: ignore[arg-type]  # set where it is made
        except asyncio.CancelledError:
            self.release(log)
            raise
        if not log.closed and (self._reader is None or self._reader.done()):
            self._reader = asyncio.ensure_future(self._read())
        return log

    def release(self, log: RemoteLog) -> None:
        """One follower less; the last one takes the copy along."""
        log.followers -= 1
        if not log.followers and self._logs.get(log.message_id) is log:
            del self._logs[log.message_id]

    async def close(self) -> None:
        """End the reader and its connection."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _fill(self, log: RemoteLog) -> None:
        try:
            log.feed(await self._redis().xrange(stream_key(log.message_id)))
        except RedisError as error:
            logger.warning("Events cannot be read from Redis: %s", type(error))
        if not log.frames and not await _still_running([log.message_id]):
            # It ended long ago: nothing is on its way any more.
            log.close()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        while growing := self._growing():
            pause = TICK_SECONDS
            try:
                await self._hear(growing)
            except RedisError as error:
                logger.warning("Events cannot be read from Redis: %s", type(error))
                pause = RETRY_SECONDS
            if loop.time() - checked_at >= CHECK_SECONDS:
                await self._check(growing)
                checked_at = loop.time()
            await asyncio.sleep(pause)

    def _growing(self) -> list[RemoteLog]:
        return [
            log
            for log in self._logs.values()
            if not log.closed and log.filled is not None and log.filled.done()
        ]

    async def _hear(self, growing: list[RemoteLog]) -> None:
        """Whatever is new in any of the streams."""
        by_name = {stream_key(log.message_id).encode(): log for log in growing}
        cursors: dict[Any, str] = {name: f"{len(log.frames)}-0" for name, log in by_name.items()}
        found = await self._redis().xread(cursors, block=BLOCK_MS)
        for name, entries in found.items() if isinstance(found, dict) else found:
            by_name[name].feed(entries)

    async def _check(self, growing: list[RemoteLog]) -> None:
        """Close the copies of answers that are not being written any more."""
        silent = [log for log in growing if len(log.frames) == log.checked_at_length]
        alive = await _still_running([log.message_id for log in silent])
        for log in growing:
            log.checked_at_length = len(log.frames)
        for log in silent:
            log.strikes = 0 if log.message_id in alive else log.strikes + 1
            if log.strikes >= MAX_STRIKES:
                log.close()

    def _redis(self) -> Any:
        if self._client is None:
            self._client = open_async_redis()
        return self._client


async def _still_running(message_ids: list[UUID]) -> set[UUID]:
    """Those of the answers that are being written; all while the database does not answer."""
    try:
        return await in_thread(_running, message_ids)
    except (OperationalError, InterfaceError):
        return set(message_ids)


def _running(message_ids: list[UUID]) -> set[UUID]:
    if not message_ids:
        return set()
    return set(
        ChatMessage.objects.running().filter(pk__in=message_ids).values_list("pk", flat=True)
    )
