"""One client per event loop: asyncio clients die with the loop that first used them."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Builds a client once for each running loop, in a thread (imports and TLS take long)."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._built: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Future[T]] = (
            WeakKeyDictionary()
        )

    async def get(self) -> T:
        """This loop's client; a failure to build it is raised, and tried again next time."""
        loop = asyncio.get_running_loop()
        future = self._built.get(loop)
        if future is None or (future.done() and _failed(future)):
            future = self._built[loop] = loop.run_in_executor(None, self._build)
        # shield: a caller that is cancelled must not cancel the build that others wait for.
        return future.result() if future.done() else await asyncio.shield(future)


def _failed(future: "asyncio.Future[T]") -> bool:
    return future.cancelled() or future.exception() is not None
