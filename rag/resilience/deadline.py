"""Deadlines over whole calls: HTTP clients time out per read, a dripped body never does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TypeVar

from rag.errors import ProviderTimeout

T = TypeVar("T")


_end: ContextVar[float | None] = ContextVar("end", default=None)


def instant(seconds: float, until: float | None = None) -> float:
    """`seconds` from now on the running loop's clock, or what ends sooner: `until`, or the
    end of the block of `hurry` that this runs in.
    """
    ends = (asyncio.get_running_loop().time() + seconds, until, _end.get())
    return min(end for end in ends if end is not None)


@contextmanager
def hurry(seconds: float, until: float | None = None) -> Iterator[None]:
    """Let every call to a provider that is made inside end within `seconds`, or at `until`.

    A question waits for its vectors far less long than a document does. The call itself ends,
    as a timeout that its circuit breaker counts, where a timeout around it would only cancel.
    """
    token = _end.set(instant(seconds, until))
    try:
        yield
    finally:
        _end.reset(token)


def remaining(until: float | None) -> float:
    """Seconds left before `until` on the running loop's clock; infinity when there is no end."""
    if until is None:
        return float("inf")
    return until - asyncio.get_running_loop().time()


@asynccontextmanager
async def time_limit(seconds: float, until: float | None = None) -> AsyncIterator[None]:
    """End what runs inside after `seconds`, or at `until` if that is sooner: ProviderTimeout."""
    try:
        async with asyncio.timeout_at(instant(seconds, until)):
            yield
    except TimeoutError as error:
        raise ProviderTimeout from error


async def each_within(
    items: AsyncIterator[T], *, first: float, gap: float, until: float | None = None
) -> AsyncIterator[T]:
    """`items` as they come: the first within `first` seconds, each later one within `gap`.

    None comes after `until`. Raises ProviderTimeout. Time that the consumer takes counts
    only towards `until`: nobody is interrupted while it holds an item.
    """
    watch = _Watch(first, instant(float("inf"), until))
    try:
        while True:
            watch.begin()
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            except asyncio.CancelledError as error:
                if watch.is_mine():
                    raise ProviderTimeout from error
                raise
            finally:
                watch.waiting = False
            yield item
            watch.seconds = gap
    finally:
        watch.timer.cancel()


class _Watch:
    """Cancels a task that waits too long. One timer for a whole stream, not one for each item."""

    __slots__ = ("cancelling", "loop", "seconds", "since", "task", "timer", "until", "waiting")

    def __init__(self, seconds: float, until: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.seconds = seconds
        self.until = until
        self.waiting = False
        self.since = self.loop.time()
        self.task: asyncio.Task[object] | None = None
        # How often the task was being cancelled when this cancelled it too; None: it did not.
        self.cancelling: int | None = None
        self.timer = self.loop.call_at(self._end(), self._look)

    def begin(self) -> None:
        """The task that runs now waits from now on."""
        self.since = self.loop.time()
        if self.since >= self.until:
            raise ProviderTimeout
        self.task = asyncio.current_task(self.loop)
        self.waiting = True

    def is_mine(self) -> bool:
        """Whether the task was cancelled by this, and by nobody else."""
        if self.cancelling is None or self.task is None:
            return False
        return self.task.uncancel() <= self.cancelling

    def _end(self) -> float:
        return min(self.since + self.seconds, self.until)

    def _look(self) -> None:
        now = self.loop.time()
        if not self.waiting:
            # Items that are waited for later are looked after soon enough.
            self.timer = self.loop.call_at(now + self.seconds / 4, self._look)
        elif now < self._end():
            self.timer = self.loop.call_at(self._end(), self._look)
        elif self.task is not None:
            self.cancelling = self.task.cancelling()
            self.task.cancel()
