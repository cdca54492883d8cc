"""The answers that this process writes, and the upkeep that keeps the database in step."""

import asyncio
import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from chat.models import ChatMessage
from chat.streams import mirror
from chat.streams.kept import KeptLogs
from chat.streams.log import EventLog
from chat.streams.remote import RemoteLogs
from chat.streams.runner import write_answer
from chat.streams.running import Reason, RunningAnswer
from common.loop import get_loop, in_thread, submit

logger = logging.getLogger(__name__)

# How often partial text is saved and stop requests are looked for. Redis brings stops at once;
# this is the way that also works without it.
UPKEEP_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
# How long an answer that has ended is kept whole: whoever waits for it reads it from here.
LINGER_SECONDS = 5.0


class Registry:
    """Lives on the process's loop: every method that is not async must be called there."""

    def __init__(self) -> None:
        self._answers: dict[UUID, RunningAnswer] = {}
        self._kept = KeptLogs()
        self._upkeep: asyncio.Task[None] | None = None
        self._mirror = mirror.Mirror(stop=self.stop, subscribed=self._look_for_stops)
        #: What other workers write, where it is followed here.
        self.remote = RemoteLogs()
        self._draining: asyncio.Task[None] | None = None
        self._beaten_at = 0.0
        #: How many answers are being written; other threads may read it.
        self.running_count = 0

    def start(self, answer: RunningAnswer) -> None:
        """Begin to write `answer`."""
        self._answers[answer.message.pk] = answer
        answer.task = asyncio.ensure_future(write_answer(answer))
        self.running_count += 1
        answer.task.add_done_callback(self._count_down)
        if self._upkeep is None or self._upkeep.done():
            self._upkeep = asyncio.ensure_future(self._keep_up())
        self._mirror.open(answer)
        if self._draining is not None:
            answer.end("shutdown")

    def log_of(self, message_id: UUID) -> EventLog | None:
        """The events of an answer that this process wrote, as long as they are kept."""
        answer = self._answers.get(message_id)
        return answer.log if answer else self._kept.get(message_id)

    def message_of(self, message_id: UUID) -> ChatMessage | None:
        """The row of an answer that this process writes or has just written, as it is now."""
        answer = self._answers.get(message_id)
        return answer.message if answer else None

    def running(self) -> list[RunningAnswer]:
        """The answers that have not ended."""
        return [answer for answer in self._answers.values() if not answer.log.closed]

    def stop(self, message_id: UUID, reason: Reason = "stopped") -> bool:
        """Cancel an answer of this process; False when it is not one, or has ended."""
        answer = self._answers.get(message_id)
        if answer is None or answer.log.closed:
            return False
        answer.end(reason)
        return True

    def forget(self, message_ids: Iterable[UUID]) -> None:
        """Keep nothing of these answers, whose rows are gone; those still running are ended."""
        known = [message_id for message_id in message_ids if self.log_of(message_id) is not None]
        for message_id in known:
            if not self.stop(message_id, "gone"):
                self._answers.pop(message_id, None)
                self._kept.pop(message_id)
        self._mirror.forget(known)

    async def drain(self, seconds: float) -> None:
        """Let answers end by themselves for `seconds`, then end the rest with an event.

        Whoever asks again waits for the same end.
        """
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._drain(seconds))
        await asyncio.shield(self._draining)

    async def _drain(self, seconds: float) -> None:
        for last in (False, True):
            tasks = [answer.task for answer in self.running() if answer.task is not None]
            if tasks:
                await asyncio.wait(tasks, timeout=None if last else seconds)
            if not last:
                for answer in self.running():
                    answer.end("shutdown")
        if self._upkeep is not None:
            self._upkeep.cancel()
        await self._mirror.close()
        await self.remote.close()

    def _count_down(self, task: "asyncio.Task[None]") -> None:
        self.running_count -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("An answer's task ended in a bug", exc_info=error)

    async def _keep_up(self) -> None:
        while self._answers or self._kept:
            await asyncio.sleep(UPKEEP_SECONDS)
            self._forget_old()
            if running := self.running():
                await self._try_to_save(running)

    async def _try_to_save(self, running: list[RunningAnswer]) -> None:
        try:
            await self._save(running)
        except (OperationalError, InterfaceError) as error:
            logger.warning("Partial answers cannot be saved yet: %s", type(error))
        except Exception:
            # Without upkeep every answer of the process would be taken for lost.
            logger.exception("Partial answers cannot be saved")

    def _look_for_stops(self) -> None:
        """A stop may have been told before anybody listened; its row says it all the same."""
        if running := self.running():
            self._stops = asyncio.ensure_future(self._try_to_save(running))

    async def _save(self, running: list[RunningAnswer]) -> None:
        dirty = {
            answer.message.pk: answer for answer in running if len(answer.text) > answer.saved_chars
        }
        texts = {pk: answer.text for pk, answer in dirty.items()}
        # What it was found in does not change: it is saved with the first of the text.
        metadata = {
            pk: answer.metadata | {"request_id": answer.request_id}
            for pk, answer in dirty.items()
            if not answer.saved_chars
        }
        now = asyncio.get_running_loop().time()
        beat = now - self._beaten_at >= HEARTBEAT_SECONDS
        others = [answer.message.pk for answer in running if answer.message.pk not in dirty]
        stopped, gone = await in_thread(_save_now, texts, metadata, others, beat=beat)
        if beat:
            self._beaten_at = now
        for pk, text in texts.items():
            dirty[pk].saved_chars = len(text)
        self._end(stopped, "stopped")
        self._end(gone, "gone")

    def _end(self, message_ids: Iterable[UUID], reason: Reason) -> None:
        for message_id in message_ids:
            self.stop(message_id, reason)

    def _forget_old(self) -> None:
        now = asyncio.get_running_loop().time()
        for message_id, answer in list(self._answers.items()):
            if answer.ended_at is None:
                continue
            if answer.reason == "gone" or now - answer.ended_at > LINGER_SECONDS:
                del self._answers[message_id]
                # With a mirror, readers find old events there; else this is where they are kept.
                if answer.reason != "gone" and not self._mirror.enabled:
                    self._kept.put(answer.log, answer.ended_at)
        self._kept.drop_before(now - settings.CHAT_EVENTS_SECONDS)


def _save_now(
    texts: dict[UUID, str],
    metadata: dict[UUID, dict[str, Any]],
    others: list[UUID],
    *,
    beat: bool,
) -> tuple[set[UUID], set[UUID]]:
    """Save partial texts and the heartbeat; ids that were asked to stop, ids that do not run."""
    every = {*texts, *others}
    rows = dict(
        ChatMessage.objects.running().filter(pk__in=every).values_list("pk", "stop_requested")
    )
    alive = {pk for pk, stop in rows.items() if not stop}
    ChatMessage.objects.save_partial(
        {pk: text for pk, text in texts.items() if pk in alive},
        {pk: value for pk, value in metadata.items() if pk in alive},
    )
    if beat and others:
        ChatMessage.objects.keep_alive(others)
    return {pk for pk, stop in rows.items() if stop}, every - set(rows)


_registry: Registry | None = None


def get_registry() -> Registry:
    """The process's registry; made on the loop that it lives on."""
    global _registry
    if _registry is None:
        _registry = Registry()
    return _registry


def registry_in_use() -> bool:
    """Whether this process has written any answer."""
    return _registry is not None


def reset_registry() -> None:
    """Forget every answer (between tests, and in a forked child)."""
    global _registry
    _registry = None


def forget_events(message_ids: Sequence[UUID]) -> None:
    """Forget the events of these answers, once the transaction that deletes them is committed."""

    def forget() -> None:
        mirror.delete_streams(message_ids)
        if _registry is not None:
            get_loop().call_soon_threadsafe(_registry.forget, message_ids)

    if message_ids:
        transaction.on_commit(forget)


async def drain_answers() -> None:
    """Let the process's answers end, within `CHAT_SHUTDOWN_SECONDS`; the rest end with an event."""
    if _registry is not None:
        await _registry.drain(settings.CHAT_SHUTDOWN_SECONDS)


def begin_to_drain() -> None:
    """The same from any other thread, without waiting for it."""
    submit(drain_answers())


def is_full() -> bool:
    """Whether this process writes as many answers as `CHAT_MAX_RUNNING` allows."""
    return _registry is not None and _registry.running_count >= settings.CHAT_MAX_RUNNING


os.register_at_fork(after_in_child=reset_registry)
