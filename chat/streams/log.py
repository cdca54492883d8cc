"""The events of one answer in this process: numbered from 1, followed by any number of readers."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from chat.streams.events import TERMINAL, Event, encode

# A reader that is busy writing is looked after again after this long.
LOOK_SECONDS = 0.05


class EventLog:
    """Grows by `append` until `close`; lives on the process's loop, and is touched only there."""

    __slots__ = ("_end", "_readers", "closed", "frames", "message_id", "names", "was_followed")

    def __init__(self, message_id: UUID) -> None:
        self.message_id = message_id
        #: Each event as server-sent bytes; the event with id n is `frames[n - 1]`.
        self.frames: list[bytes] = []
        self.names: list[str] = []
        self.closed = False
        #: Whether somebody has ever read along here.
        self.was_followed = False
        self._readers: set[LogReader] = set()
        self._end: asyncio.Event | None = None

    @property
    def whole(self) -> bool:
        """Whether it ends as an answer does; a copy that lost its original does not."""
        return bool(self.names) and self.names[-1] in TERMINAL

    def append(self, event: Event) -> None:
        """Number `event` and hand it to whoever waits."""
        name, data = event
        self.add(name, encode(len(self.frames) + 1, name, data))

    def add(self, name: str, frame: bytes) -> None:
        """Hand on an event that has its number and its bytes."""
        self.frames.append(frame)
        self.names.append(name)
        self._wake()

    def close(self) -> None:
        """No event comes after this."""
        self.closed = True
        self._wake()
        if self._end is not None:
            self._end.set()

    async def wait_closed(self) -> None:
        """Returns after the last event; the others wake nobody here."""
        if not self.closed:
            self._end = self._end or asyncio.Event()
            await self._end.wait()

    @contextmanager
    def reader(self, *, seconds: float) -> Iterator["LogReader"]:
        """Someone who waits for events, and hears of `seconds` without any."""
        self.was_followed = True
        reader = LogReader(self, seconds)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            reader.timer.cancel()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.wake()


class LogReader:
    """Waits for a log to grow. One timer for as long as it reads, not one for each event."""

    __slots__ = ("_log", "_loop", "_seconds", "_since", "_waiter", "timer")

    def __init__(self, log: EventLog, seconds: float) -> None:
        self._log = log
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._waiter: asyncio.Future[None] | None = None
        self.timer = self._loop.call_later(seconds, self._look)

    async def wait(self, after: int) -> bool:
        """Whether something came after event `after` (or the end did); False: only silence."""
        log = self._log
        if len(log.frames) <= after and not log.closed:
            self._since = self._loop.time()
            self._waiter = self._loop.create_future()
            await self._waiter
        return len(log.frames) > after or log.closed

    def wake(self) -> None:
        """Let `wait` return."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _look(self) -> None:
        due = self._since + self._seconds
        if self._waiter is not None and self._loop.time() >= due:
            self.wake()
            due = self._loop.time() + self._seconds
        self.timer = self._loop.call_at(max(due, self._loop.time() + LOOK_SECONDS), self._look)
